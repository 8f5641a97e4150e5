"""Milliseconds of a training step of PyTorch (cuDNN) on the card, float32 without TF32: torch_times.py JOB SECONDS.

JOB is a workload of bench/workloads.mjs as JSON. The GRU of PyTorch resets after the product.
"""
import json
import sys
import time

import torch

job, seconds = json.loads(sys.argv[1]), float(sys.argv[2])
B, T, D, H, L, V, K = (job[name] for name in "BTDHLVK")
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
layers = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "lbr_gru": torch.nn.GRU, "rnn": torch.nn.RNN}


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(V, D) if V else None
        self.layers = layers[job["cell"]](D, H, num_layers=L)
        self.dense = torch.nn.Linear(H, K)

    def forward(self, x):
        return self.dense(self.layers(self.embedding(x) if V else x)[0][-1])


model = Model().cuda()
optimizer = torch.optim.Adam(model.parameters())
x = torch.randint(V, (T, B)).cuda() if V else torch.randn(T, B, D).cuda()
y = torch.randint(K, (B,)).cuda() if job["loss"] == "ce" else torch.rand(B, K).cuda()
loss_of = {
    "mse": torch.nn.functional.mse_loss,
    "bce": torch.nn.functional.binary_cross_entropy_with_logits,
    "ce": torch.nn.functional.cross_entropy,
}[job["loss"]]


def step():
    optimizer.zero_grad(set_to_none=True)
    loss = loss_of(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


for _ in range(5):
    step()
times, end = [], time.perf_counter() + seconds
while time.perf_counter() < end or len(times) < 3:
    start = time.perf_counter()
    step()
    times.append(1000 * (time.perf_counter() - start))
print(sorted(times)[len(times) // 2])
