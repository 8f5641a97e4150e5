"""Layers that Keras 2 has in another form, as a real Keras 2 wrote them, and what it predicts with them after loading them again.

Written by tf_keras 2.21.0 (Keras 2 after TensorFlow 2.15) on TensorFlow 2.21.0, h5py 3.14, float32, CPU; one argument: the folder.
"""
import json
import os
import sys

os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
import numpy as np  # noqa: E402
import tf_keras as keras  # noqa: E402
from tf_keras import layers as L  # noqa: E402

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
expected = {}
rng = np.random.default_rng(7)
x3 = rng.normal(0, 1, (3, 7, 4)).astype('float32')
padded = x3.copy()
padded[0, 4:] = 0
padded[1, 1] = 0
images = rng.normal(0, 1, (2, 3, 5, 4, 2)).astype('float32')
words = rng.integers(1, 9, (3, 7)).astype('float32')
words[0, 3:] = 0
words[2, 6:] = 0


def case(name, layers, x):
    """Saves, loads again, and records what comes out."""
    model = keras.Sequential(layers)
    model(x)
    seeded = np.random.default_rng(len(name))
    model.set_weights([seeded.normal(0, 0.4, v.shape).astype('float32') for v in model.weights])
    path = f'{folder}/{name}.h5'
    model.save(path, save_format='h5')
    y = keras.models.load_model(path, compile=False)(x, training=False)
    expected[name] = {'x': x.tolist(), 'y': np.asarray(y).tolist()}


case(
    'activations',
    [L.Dense(5, activation='swish', input_shape=(7, 4)), L.Dense(4, activation='selu'), L.Activation('exponential'),
     L.SimpleRNN(3, activation='swish', return_sequences=True), L.LSTM(3, activation='swish', return_sequences=True),
     L.GRU(3, activation='selu', reset_after=False, return_sequences=True), L.GRU(3, activation='swish')],
    x3,
)
case(
    'advanced_activations',
    [L.Dense(5, input_shape=(7, 4)), L.ReLU(max_value=0.9, negative_slope=0.2, threshold=0.1), L.Dense(5), L.ReLU(),
     L.Dense(5), L.LeakyReLU(0.2), L.Dense(5), L.ThresholdedReLU(theta=0.3), L.Dense(5), L.ELU(0.5),
     L.PReLU(shared_axes=[1]), L.Dense(5), L.Softmax(axis=1), L.Dense(3), L.Softmax()],
    x3,
)
case(
    'conv1d',
    [L.Conv1D(5, 3, padding='causal', dilation_rate=2, activation='relu', input_shape=(7, 4)),
     L.Conv1D(4, 2, padding='same'), L.Conv1D(4, 4, padding='same', dilation_rate=2), L.Conv1D(3, 2, padding='causal'),
     L.Conv1D(4, 3, strides=2, padding='same', use_bias=False), L.Conv1D(3, 2, activation='swish')],
    x3,
)
case('conv1d_open', [L.Conv1D(5, 4, strides=3, padding='same', input_shape=(None, 4)), L.GlobalMaxPooling1D()], x3)
case(
    'windows',
    [L.ZeroPadding1D((1, 2), input_shape=(7, 4)), L.MaxPooling1D(3, 1, padding='same'), L.UpSampling1D(2),
     L.AveragePooling1D(3, 2, padding='same'), L.Cropping1D((1, 0)), L.SpatialDropout1D(0.3),
     L.MaxPooling1D(2, 2, padding='same'), L.LocallyConnected1D(4, 2, activation='tanh'), L.AveragePooling1D(2),
     L.GlobalAveragePooling1D()],
    x3,
)
case(
    'conv_lstm',
    [L.ConvLSTM2D(3, (2, 3), padding='same', strides=(2, 1), return_sequences=True, input_shape=(3, 5, 4, 2)),
     L.ConvLSTM2D(2, (2, 2), recurrent_activation='sigmoid', unit_forget_bias=False), L.Flatten()],
    images,
)
case(
    'mask_dense',
    [L.Masking(input_shape=(7, 4)), L.Dense(5, activation='tanh'), L.LSTM(3, return_sequences=True), L.Dense(2), L.GRU(3)],
    padded,
)
case('mask_average', [L.Embedding(9, 4, mask_zero=True, input_length=7), L.GlobalAveragePooling1D(), L.Dense(2)], words)
case('mask_flatten', [L.Embedding(9, 4, mask_zero=True, input_length=7), L.Flatten(), L.Dense(2)], words)
case(
    'mask_windows',
    [L.Masking(input_shape=(7, 4)), L.LSTM(3, return_sequences=True), L.Conv1D(4, 2), L.MaxPooling1D(2), L.GRU(3)],
    padded,
)
case('mask_maximum', [L.Masking(input_shape=(7, 4)), L.GlobalMaxPooling1D()], padded)

with open(f'{folder}/expected.json', 'w') as file:
    json.dump(expected, file, separators=(',', ':'))
    file.write('\n')
