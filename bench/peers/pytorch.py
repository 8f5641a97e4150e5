"""PyTorch on the processor: pytorch.py THREADS. Speaks what serve.mjs describes.

A training step is zero_grad, forward, loss, backward and torch.optim.Adam.step on tensors that are there already.
"""
import json
import os
import resource
import sys
import time

threads = int(sys.argv[1])
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "BLIS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(threads)

import torch  # noqa: E402: it reads the environment

torch.set_num_threads(threads)

MOST_STEPS, LOSSES, STATEFUL_STEPS = 20000, 3, 4
LAYERS = {"lstm": torch.nn.LSTM, "lbr_gru": torch.nn.GRU, "rnn": torch.nn.RNN}
# Where each of its gates lies among ours: i f g o; z r g, which PyTorch has as r z n.
ORDER = {"lstm": [0, 1, 2, 3], "lbr_gru": [1, 0, 2], "rnn": [0]}


class Unsupported(Exception):
    pass


class Model(torch.nn.Module):
    def __init__(self, job):
        super().__init__()
        self.job = job
        if job["V"]:
            self.embedding = torch.nn.Embedding(job["V"], job["D"])
        self.layers = LAYERS[job["cell"]](job["D"], job["H"], num_layers=job["L"])
        if job["K"]:
            self.dense = torch.nn.Linear(job["H"], job["K"])

    def forward(self, x, states=None):  # x [T, B, D] or words [T, B]
        y, states = self.layers(self.embedding(x) if self.job["V"] else x, states)
        return (self.dense(y[-1]) if self.job["K"] else y[-1]), states

    @torch.no_grad()
    def take(self, floats):
        """Our weights. Where PyTorch has a second bias that ours has not, it stays zero and is not trained."""
        job, order = self.job, ORDER[self.job["cell"]]
        H, G = job["H"], job["G"]

        def gates(t):  # [rows, G*H] in our order -> [G*H, rows] in its order
            return torch.cat([t.reshape(-1, G, H)[:, k] for k in order], 1).T

        if job["V"]:
            self.embedding.weight.copy_(floats("embedding").reshape(job["V"], job["D"]))
        for l in range(job["L"]):
            own = {kind: getattr(self.layers, f"{kind}_l{l}") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
            own["weight_ih"].copy_(gates(floats(f"W{l}")))
            own["weight_hh"].copy_(gates(floats(f"U{l}")))
            own["bias_ih"].copy_(gates(floats(f"b{l}"))[:, 0])
            if job["cell"] == "lbr_gru":
                own["bias_hh"].copy_(gates(floats(f"c{l}"))[:, 0])
            else:
                own["bias_hh"].zero_()
                own["bias_hh"].requires_grad_(False)
        if job["K"]:
            self.dense.weight.copy_(floats("dense_W").reshape(H, job["K"]).T)
            self.dense.bias.copy_(floats("dense_b"))


def read(folder, name, dtype):
    with open(os.path.join(folder, name + ".bin"), "rb") as file:
        return torch.frombuffer(bytearray(file.read()), dtype=dtype)


def prepare(job):
    if job["cell"] not in LAYERS:
        raise Unsupported("PyTorch has only the GRU that resets after the product: --cells lbr_gru")
    B, T, K = job["B"], job["T"], job["K"]
    floats = lambda name: read(job["data"], name, torch.float32)  # noqa: E731
    model = Model(job)
    model.take(floats)
    if job["V"]:
        x = read(job["data"], "x", torch.int32).reshape(B, T).T.contiguous().long()
    else:
        x = floats("x").reshape(B, T, job["D"]).transpose(0, 1).contiguous()
    if job["mode"] == "infer":
        last = [None, None]
        activation = {"mse": lambda v: v, "none": lambda v: v, "bce": torch.sigmoid, "ce": lambda v: torch.softmax(v, 1)}

        def predict():
            with torch.inference_mode():
                y, states = model(x, last[1])
                last[0] = activation[job["loss"]](y)
                if job["stateful"]:
                    last[1] = states

        model.eval()
        return predict, lambda: last[0].flatten().tolist()
    y = floats("y").reshape(B, K)
    nn = torch.nn
    loss_of = {"mse": nn.MSELoss(), "bce": nn.BCEWithLogitsLoss(), "ce": nn.CrossEntropyLoss()}[job["loss"]]
    if job["loss"] == "ce":
        y = y.argmax(1)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad])

    def train():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(model(x)[0], y)
        loss.backward()
        optimizer.step()
        return float(loss)

    return train, None


def run(step, seconds):
    times, now = [], time.perf_counter
    end = now() + seconds
    to = 0
    while to < end and len(times) < MOST_STEPS:
        start = now()
        step()
        to = now()
        times.append(float("%.6g" % ((to - start) * 1e3)))
    return {"times": times, "rssMiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def job_of(words):
    pairs = (word.split("=") for word in words)
    return {key: int(value) if value.isdigit() else value for key, value in pairs}


def answer(reply):
    print(json.dumps(reply), flush=True)


def main():
    answer({"version": torch.__version__})
    step = None
    for line in sys.stdin:
        command, *words = line.split()
        try:
            if command == "prepare":
                job = job_of(words)
                step, outputs = prepare(job)
                if job["mode"] == "train":
                    answer({"losses": [step() for _ in range(LOSSES)]})
                else:
                    for _ in range(STATEFUL_STEPS if job["stateful"] else 1):
                        step()
                    answer({"outputs": outputs()})
            else:
                answer(run(step, float(words[0])))
        except Unsupported as reason:
            answer({"unsupported": str(reason)})
        except Exception as error:  # whatever it is, the bench reports it and goes on
            answer({"error": f"{type(error).__name__}: {error}"})


main()
