"""Files that a real Keras 2 wrote, and what it predicts with them after loading them again.

Written by tf_keras 2.21.0 (Keras 2 after TensorFlow 2.15) on TensorFlow 2.21.0, h5py 3.14, float32, CPU; one argument: the folder.
CuDNN layers cannot run without a GPU: what they predict is what Keras' own LSTM and GRU predict with the weights it converts.
"""
import json
import os
import sys

os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
import numpy as np  # noqa: E402
import tf_keras as keras  # noqa: E402
from tf_keras import layers as L  # noqa: E402
from tf_keras.layers.rnn.cudnn_gru import CuDNNGRU  # noqa: E402
from tf_keras.layers.rnn.cudnn_lstm import CuDNNLSTM  # noqa: E402
from tf_keras.optimizers.adam import Adam  # noqa: E402
from tf_keras.optimizers.adamw import AdamW  # noqa: E402
from tf_keras.optimizers.legacy.gradient_descent import SGD  # noqa: E402
from tf_keras.optimizers.rmsprop import RMSprop  # noqa: E402
from tf_keras.optimizers.schedules.learning_rate_schedule import ExponentialDecay  # noqa: E402

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
expected = {}


def fill(model, seed):
    """Every weight from a generator of its own, so that no initial value is a special one; variances are positive."""
    rng = np.random.default_rng(seed)
    values = []
    for variable in model.weights:
        value = rng.normal(0, 0.4, variable.shape)
        values.append(np.abs(value) + 0.5 if 'variance' in variable.name else value)
    model.set_weights([v.astype('float32') for v in values])


def rows(shape, seed, words=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, words, shape).astype('float32') if words else rng.normal(0, 1, shape).astype('float32')


def record(name, x, y):
    expected[name] = {'x': x.tolist(), 'y': np.asarray(y).tolist()}


def case(name, model, x, compiled=None, steps=0, targets=None):
    """Saves, loads again without compiling, and records what comes out."""
    model(x)
    fill(model, len(name))
    if compiled:
        model.compile(**compiled, run_eagerly=True)
        for _ in range(steps):
            model.train_on_batch(x, targets)
    path = f'{folder}/{name}.h5'
    model.save(path, save_format='h5')
    again = keras.models.load_model(path, compile=False, custom_objects={'my_loss': my_loss})
    record(name, x, again(x, training=False))


def my_loss(y_true, y_pred):
    return keras.backend.mean(keras.backend.abs(y_true - y_pred) ** 1.5)


def my_metric(y_true, y_pred):
    return keras.backend.max(y_pred)


S = keras.Sequential
x3 = rows((3, 6, 4), 1)
words = rows((3, 6), 2, 7)
words[:, 4:] = 0
labels = np.array([[0.0], [1.0], [1.0]], 'float32')


def text():
    return S([L.Embedding(7, 4, mask_zero=True, input_length=6), L.LSTM(3), L.Dense(1, activation='sigmoid')])


case('text_adam', text(), words, {'optimizer': 'adam', 'loss': 'binary_crossentropy', 'metrics': ['accuracy']}, 2, labels)
case(
    'text_objects',
    text(),
    words,
    {
        'optimizer': RMSprop(0.003, rho=0.8),
        'loss': keras.losses.BinaryCrossentropy(),
        'metrics': [keras.metrics.BinaryAccuracy(name='hit')],
    },
)
case('text_logits', text(), words, {'optimizer': 'sgd', 'loss': keras.losses.BinaryCrossentropy(from_logits=True)})
case('text_my_loss', text(), words, {'optimizer': 'adam', 'loss': my_loss})
case('text_my_metric', text(), words, {'optimizer': 'adam', 'loss': 'mse', 'metrics': [my_metric]})
case('text_adamw', text(), words, {'optimizer': AdamW(), 'loss': 'mse'})
decays = ExponentialDecay(0.01, 100, 0.9)
case('text_schedule', text(), words, {'optimizer': Adam(decays), 'loss': 'mse'})
case('text_legacy', text(), words, {'optimizer': SGD(0.1, momentum=0.5, nesterov=True), 'loss': 'mae'}, 1, labels)

case(
    'input_layer',
    S([L.InputLayer(input_shape=(6, 4)), L.GRU(3, return_sequences=True), L.GRU(2, reset_after=False), L.Dense(2)]),
    x3,
)
case('keras_input', S([keras.Input((6, 4)), L.SimpleRNN(3), L.Dense(2, activation='softmax')]), x3)

deferred = S([L.LSTM(3, return_sequences=True), L.LSTM(2), L.Dense(1)])
deferred.build((None, 6, 4))
case('deferred_build', deferred, x3)
called = S([L.Masking(0.0), L.GRU(3), L.Dense(1)])
called(x3)
case('deferred_call', called, x3)
words_deferred = S([L.Embedding(7, 4), L.GRU(3), L.Dense(1)])
words_deferred.build((None, 6))
case('deferred_embedding', words_deferred, words)

case(
    'small_layers',
    S(
        [
            L.InputLayer(input_shape=(6, 4)),
            L.SpatialDropout1D(0.2),
            L.Dropout(0.3, noise_shape=None, seed=7),
            L.GaussianDropout(0.1),
            L.GaussianNoise(0.1),
            L.ActivityRegularization(l1=0.1, l2=0.2),
            L.TimeDistributed(L.Dense(3, activation='tanh')),
            L.Permute((2, 1)),
            L.Reshape((6, 3)),
            L.BatchNormalization(axis=1),
            L.BatchNormalization(),
            L.Activation('relu'),
            L.Flatten(),
            L.RepeatVector(2),
            L.Bidirectional(L.LSTM(3, return_sequences=True), merge_mode='sum'),
            L.Bidirectional(L.GRU(2)),
        ]
    ),
    x3,
)
inner = S([L.InputLayer(input_shape=(6, 4)), L.LSTM(3, return_sequences=True), L.Dense(2)], name='encoder')
case('nested', S([inner, L.GRU(3), L.Dense(1)]), x3)
deep = S([L.LSTM(3, return_sequences=True, input_shape=(6, 4))], name='deep')
case('nested_twice', S([S([deep, L.Dense(2)], name='middle'), S([L.SimpleRNN(3)], name='late'), L.Dense(1)]), x3)
case('time_distributed_model', S([L.TimeDistributed(S([L.Dense(3, input_shape=(4,)), L.Activation('tanh')]), input_shape=(6, 4)), L.LSTM(2)]), x3)
case('stateful', S([L.LSTM(3, stateful=True, batch_input_shape=(3, 6, 4)), L.Dense(1)]), x3)


def cudnn(name, make):
    """`make(LSTM, GRU)`: the model with those classes."""
    model = make(CuDNNLSTM, CuDNNGRU)
    fill(model, len(name))
    path = f'{folder}/{name}.h5'
    model.save(path, save_format='h5')
    plain = make(
        lambda *a, **k: L.LSTM(*a, **k, recurrent_activation='sigmoid'),
        lambda *a, **k: L.GRU(*a, **k, recurrent_activation='sigmoid', reset_after=True),
    )
    plain.load_weights(path)
    record(name, x3, plain(x3, training=False))


cudnn('cudnn_lstm', lambda LSTM, GRU: S([LSTM(3, return_sequences=True, input_shape=(6, 4)), LSTM(2), L.Dense(1)]))
cudnn('cudnn_gru', lambda LSTM, GRU: S([GRU(3, return_sequences=True, input_shape=(6, 4)), GRU(2, go_backwards=True), L.Dense(1)]))
cudnn('cudnn_bidirectional', lambda LSTM, GRU: S([
    L.Bidirectional(LSTM(3, return_sequences=True), input_shape=(6, 4)),
    L.Bidirectional(GRU(2), merge_mode='ave'),
    L.Dense(1),
]))

# What is refused: no numbers, only the files.
x_in = keras.Input((6, 4))
keras.Model(x_in, L.Dense(1)(L.LSTM(3)(x_in))).save(f'{folder}/functional.h5', save_format='h5')
S([L.RNN(L.LSTMCell(3), input_shape=(6, 4)), L.Dense(1)]).save(f'{folder}/refused_cell.h5', save_format='h5')
S([L.Dense(2, input_shape=(4,)), L.LayerNormalization()]).save(f'{folder}/refused_class.h5', save_format='h5')
S([L.Dense(2, input_shape=(4,)), L.Dense(1)]).save(f'{folder}/v3.keras')

with open(f'{folder}/expected.json', 'w') as file:
    json.dump(expected, file)
print(len(expected), 'cases')
