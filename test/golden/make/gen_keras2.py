"""Files in the layout of Keras 2 (keras.io/2.x `model.save`), and in every encoding of strings that h5py has written over the years.

No Keras is needed: the layout is the published one, the numbers are random, and the expected predictions are the equations of the Keras 2
documentation written down in numpy, apart from any code of this package. Made with Python 3.11, h5py 3.7.0, numpy 1.24.2:

    python3 test/golden/make/gen_keras2.py test/golden/data/keras2
"""
import json
import os
import sys

import h5py
import numpy as np

OUT = sys.argv[1]
R = np.random.RandomState(7)


def rand(*shape):
    return R.uniform(-0.8, 0.8, shape).astype('float32')


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def hard_sigmoid(x):
    return np.clip(0.2 * x + 0.5, 0, 1)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def lstm(x, mask, kernel, recurrent, bias, inner, sequences=False):
    """Gates in the order i, f, c, o. A masked step keeps the state."""
    u = recurrent.shape[0]
    h = np.zeros((x.shape[0], u))
    c = np.zeros_like(h)
    out = []
    for t in range(x.shape[1]):
        z = x[:, t] @ kernel + h @ recurrent + bias
        i, f, g, o = (z[:, k * u:(k + 1) * u] for k in range(4))
        c2 = inner(f) * c + inner(i) * np.tanh(g)
        h2 = inner(o) * np.tanh(c2)
        m = mask[:, t:t + 1]
        h, c = np.where(m, h2, h), np.where(m, c2, c)
        out.append(h)
    return np.stack(out, 1) if sequences else h


def gru(x, kernel, recurrent, bias, inner, reset_after):
    """Gates in the order z, r, h. With reset_after the bias has two rows: of the input and of the recurrent product."""
    u = recurrent.shape[0]
    h = np.zeros((x.shape[0], u))
    out = []
    b, rb = bias if reset_after else (bias, np.zeros_like(bias))
    for t in range(x.shape[1]):
        a = x[:, t] @ kernel + b
        s = h @ recurrent + rb
        z = inner(a[:, :u] + s[:, :u])
        r = inner(a[:, u:2 * u] + s[:, u:2 * u])
        cand = r * s[:, 2 * u:] if reset_after else (r * h) @ recurrent[:, 2 * u:]
        h = z * h + (1 - z) * np.tanh(a[:, 2 * u:] + cand)
        out.append(h)
    return np.stack(out, 1)


def simple_rnn(x, kernel, recurrent, bias):
    h = np.zeros((x.shape[0], recurrent.shape[0]))
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ kernel + h @ recurrent + bias)
    return h


GLOROT = {'class_name': 'VarianceScaling', 'config': {'scale': 1.0, 'mode': 'fan_avg', 'distribution': 'uniform', 'seed': None}}
ORTHOGONAL = {'class_name': 'Orthogonal', 'config': {'gain': 1.0, 'seed': None}}
ZEROS = {'class_name': 'Zeros', 'config': {}}


def recurrent_config(name, units, **more):
    config = {
        'name': name, 'trainable': True, 'return_sequences': False, 'return_state': False, 'go_backwards': False, 'stateful': False,
        'unroll': False, 'units': units, 'activation': 'tanh', 'use_bias': True, 'kernel_initializer': GLOROT,
        'recurrent_initializer': ORTHOGONAL, 'bias_initializer': ZEROS, 'kernel_regularizer': None, 'recurrent_regularizer': None,
        'bias_regularizer': None, 'activity_regularizer': None, 'kernel_constraint': None, 'recurrent_constraint': None,
        'bias_constraint': None, 'dropout': 0.0, 'recurrent_dropout': 0.0,
    }
    config.update(more)
    return config


def dense_config(name, units, activation, **more):
    config = {
        'name': name, 'trainable': True, 'units': units, 'activation': activation, 'use_bias': True, 'kernel_initializer': GLOROT,
        'bias_initializer': ZEROS, 'kernel_regularizer': None, 'bias_regularizer': None, 'activity_regularizer': None,
        'kernel_constraint': None, 'bias_constraint': None,
    }
    config.update(more)
    return config


def write_weights(group, layers, encode):
    """layers: [(name, [(weight name, array)])]; weight names hold slashes, so datasets lie in groups of their own."""
    group.attrs['layer_names'] = encode([name for name, _ in layers])
    for name, weights in layers:
        g = group.create_group(name)
        g.attrs['weight_names'] = encode([w for w, _ in weights])
        for w, value in weights:
            g.create_dataset(w, data=value)


def as_bytes(names):
    return np.array([n.encode('utf8') for n in names])  # as h5py 2 took the list; an empty one becomes float64


def as_strings(names):
    return np.array(names, dtype=h5py.string_dtype())


def save(path, version, model, training, layers, encode, text):
    with h5py.File(os.path.join(OUT, path), 'w') as f:
        for target in (f,):
            target.attrs['keras_version'] = text(version)
            target.attrs['backend'] = text('tensorflow')
        f.attrs['model_config'] = text(json.dumps(model))
        if training:
            f.attrs['training_config'] = text(json.dumps(training))
        g = f.create_group('model_weights')
        g.attrs['keras_version'] = text(version)
        g.attrs['backend'] = text('tensorflow')
        write_weights(g, layers, encode)
        if training:
            o = f.create_group('optimizer_weights')
            o.attrs['weight_names'] = encode(['training/Adam/Variable:0'])
            o.create_dataset('training/Adam/Variable:0', data=np.int64(3))


cases = {}


def case(path, x, y):
    cases[path] = {'x': np.asarray(x).tolist(), 'y': np.asarray(y).tolist()}


# ---- Keras 2.2: Embedding with a mask, LSTM, Dense; configuration in the form of 2.2.3; names as byte strings ----
E, K, U, B = rand(11, 4), rand(4, 12), rand(3, 12), rand(12)
DK, DB = rand(3, 1), rand(1)
x = R.randint(1, 11, (5, 6))
x[0, :2] = x[3, :4] = 0
y = sigmoid(lstm(E[x], x != 0, K, U, B, hard_sigmoid) @ DK + DB)
L1L2 = {'class_name': 'L1L2', 'config': {'l1': 0.0, 'l2': 0.009999999776482582}}
model = {'class_name': 'Sequential', 'config': {'name': 'sequential_1', 'layers': [
    {'class_name': 'Embedding', 'config': {
        'name': 'embedding_1', 'trainable': True, 'batch_input_shape': [None, 6], 'dtype': 'float32', 'input_dim': 11, 'output_dim': 4,
        'embeddings_initializer': {'class_name': 'RandomUniform', 'config': {'minval': -0.05, 'maxval': 0.05, 'seed': None}},
        'embeddings_regularizer': None, 'activity_regularizer': None, 'embeddings_constraint': None, 'mask_zero': True, 'input_length': 6}},
    {'class_name': 'LSTM', 'config': recurrent_config(
        'lstm_1', 3, recurrent_activation='hard_sigmoid', unit_forget_bias=True, implementation=1, kernel_regularizer=L1L2,
        dropout=0.25, recurrent_dropout=0.5)},
    {'class_name': 'Dense', 'config': dense_config(
        'dense_1', 1, 'sigmoid', kernel_constraint={'class_name': 'MaxNorm', 'config': {'max_value': 2, 'axis': 0}})},
]}}
training = {
    'optimizer_config': {'class_name': 'Adam', 'config': {
        'lr': 0.0020000000949949026, 'beta_1': 0.8999999761581421, 'beta_2': 0.9990000128746033, 'decay': 0.0, 'epsilon': 1e-07,
        'amsgrad': False}},
    'loss': 'binary_crossentropy', 'metrics': ['accuracy'], 'sample_weight_mode': None, 'loss_weights': None}
save('lstm.h5', '2.2.4', model, training, [
    ('embedding_1', [('embedding_1/embeddings:0', E)]),
    ('lstm_1', [('lstm_1/kernel:0', K), ('lstm_1/recurrent_kernel:0', U), ('lstm_1/bias:0', B)]),
    ('dense_1', [('dense_1/kernel:0', DK), ('dense_1/bias:0', DB)]),
], as_bytes, lambda s: s.encode('utf8'))
case('lstm.h5', x, y)

# ---- tf.keras 2.4: InputLayer, Bidirectional GRU with reset_after, TimeDistributed; variable-length strings ----
W = [(rand(2, 9), rand(3, 9), rand(2, 9)) for _ in range(2)]
DK, DB = rand(6, 2), rand(2)
x = rand(3, 4, 2)
forward = gru(x, *W[0], sigmoid, True)
backward = gru(x[:, ::-1], *W[1], sigmoid, True)[:, ::-1]
y = softmax(np.concatenate([forward, backward], -1) @ DK + DB)
TF = {'dtype': 'float32'}
model = {'class_name': 'Sequential', 'config': {'name': 'sequential', 'layers': [
    {'class_name': 'InputLayer', 'config': {
        'batch_input_shape': [None, None, 2], 'dtype': 'float32', 'sparse': False, 'ragged': False, 'name': 'bidirectional_input'}},
    {'class_name': 'Bidirectional', 'config': dict(TF, **{
        'name': 'bidirectional', 'trainable': True, 'merge_mode': 'concat', 'layer': {'class_name': 'GRU', 'config': recurrent_config(
            'gru', 3, recurrent_activation='sigmoid', implementation=2, time_major=False, reset_after=True, return_sequences=True,
            dtype='float32')}})},
    {'class_name': 'TimeDistributed', 'config': dict(TF, **{
        'name': 'time_distributed', 'trainable': True,
        'layer': {'class_name': 'Dense', 'config': dense_config('dense', 2, 'softmax', dtype='float32')}})},
]}}
training = {
    'loss': 'categorical_crossentropy', 'metrics': [[{'class_name': 'MeanMetricWrapper', 'config': {
        'name': 'accuracy', 'dtype': 'float32', 'fn': 'categorical_accuracy'}}]],
    'weighted_metrics': None, 'loss_weights': None, 'optimizer_config': {'class_name': 'RMSprop', 'config': {
        'name': 'RMSprop', 'learning_rate': 0.003000000026077032, 'decay': 0.0, 'rho': 0.8999999761581421, 'momentum': 0.0, 'epsilon': 1e-07,
        'centered': False}}}
names = ('kernel', 'recurrent_kernel', 'bias')
save('bidirectional_gru.h5', '2.4.0', model, training, [
    ('bidirectional', [('bidirectional/%s_gru/gru_cell/%s:0' % (way, n), a)
                       for way, arrays in zip(('forward', 'backward'), W) for n, a in zip(names, arrays)]),
    ('time_distributed', [('time_distributed/kernel:0', DK), ('time_distributed/bias:0', DB)]),
], as_strings, lambda s: s)
case('bidirectional_gru.h5', x, y)

# ---- Keras 2.0: GRU without reset_after, a list of layers; Dropout and others that hold no weights ----
K, U, B, DK, DB = rand(2, 9), rand(3, 9), rand(9), rand(3, 2), rand(2)
x = rand(3, 5, 2)
y = gru(x, K, U, B, hard_sigmoid, False)[:, -1] @ DK + DB
model = {'class_name': 'Sequential', 'config': [
    {'class_name': 'GRU', 'config': recurrent_config(
        'gru_1', 3, recurrent_activation='hard_sigmoid', implementation=0, batch_input_shape=[None, 5, 2], dtype='float32')},
    {'class_name': 'Dropout', 'config': {'name': 'dropout_1', 'trainable': True, 'rate': 0.5, 'noise_shape': None, 'seed': None}},
    {'class_name': 'Dense', 'config': dense_config('dense_1', 2, 'linear')},
]}
save('gru.h5', '2.0.8', model, None, [
    ('gru_1', [('gru_1/kernel:0', K), ('gru_1/recurrent_kernel:0', U), ('gru_1/bias:0', B)]),
    ('dropout_1', []),
    ('dense_1', [('dense_1/kernel:0', DK), ('dense_1/bias:0', DB)]),
], as_bytes, lambda s: s.encode('utf8'))
case('gru.h5', x, y)

# ---- save_weights alone, with lists of names broken into pieces as from 2.2 on ----
K, U, B, DK, DB = rand(2, 3), rand(3, 3), rand(3), rand(3, 1), rand(1)
x = rand(4, 3, 2)
with h5py.File(os.path.join(OUT, 'pieces.weights.h5'), 'w') as f:
    f.attrs['backend'] = b'theano'
    f.attrs['keras_version'] = b'2.2.4'
    write_weights(f, [('rnn', [('rnn/kernel:0', K), ('rnn/recurrent_kernel:0', U), ('rnn/bias:0', B)]),
                      ('out', [('out/kernel:0', DK), ('out/bias:0', DB)])], as_bytes)
    for group, name in ((f, 'layer_names'), (f['rnn'], 'weight_names')):
        whole = list(group.attrs[name])
        del group.attrs[name]
        for i, part in enumerate((whole[:1], whole[1:])):
            group.attrs['%s%d' % (name, i)] = part
case('pieces.weights.h5', x, simple_rnn(x, K, U, B) @ DK + DB)

# ---- Keras 1.2.2 weights of a Dense(2) and a Dropout, the lists of names in every encoding ----
DK, DB = np.arange(6, dtype='float32').reshape(3, 2), np.array([0.5, -0.5], 'float32')


def fixed(strpad, cset, pad):
    def encode(names):
        """A fixed-length type that numpy cannot say, through the low level."""
        size = max([len(n.encode('utf8')) for n in names] + [0]) + (1 if strpad == h5py.h5t.STR_NULLTERM else 0)
        t = h5py.h5t.C_S1.copy()
        t.set_size(max(size, 1))
        t.set_strpad(strpad)
        t.set_cset(cset)
        return t, np.array([n.encode('utf8').ljust(size, pad) for n in names], 'S%d' % max(size, 1))
    return encode


def put(group, name, value):
    if isinstance(value, tuple):
        t, array = value
        a = h5py.h5a.create(group.id, name.encode(), t, h5py.h5s.create_simple(array.shape))
        if array.size:
            a.write(array, mtype=t)
    else:
        group.attrs[name] = value


encodings = {
    'fixed-nullpad': as_bytes,  # h5py 2, Keras of that time; an empty list is float64 of shape (0,)
    'fixed-nullterm': fixed(h5py.h5t.STR_NULLTERM, h5py.h5t.CSET_ASCII, b'\0'),
    'fixed-spacepad': fixed(h5py.h5t.STR_SPACEPAD, h5py.h5t.CSET_ASCII, b' '),
    'fixed-utf8': fixed(h5py.h5t.STR_NULLPAD, h5py.h5t.CSET_UTF8, b'\0'),
    'variable-utf8': as_strings,  # h5py 3
    'variable-ascii': lambda names: np.array(names, dtype=h5py.string_dtype('ascii')),
    'empty-null': lambda names: as_bytes(names) if names else h5py.Empty('S1'),
}
for title, encode in encodings.items():
    name = 'dense_1' if 'ascii' in title or 'pad' in title or 'term' in title or 'null' in title else 'd\u00e9nse'
    with h5py.File(os.path.join(OUT, 'strings-%s.h5' % title), 'w') as f:
        put(f, 'layer_names', encode([name, 'dropout_1']))
        for layer, weights in ((name, [('dense_1_W', DK), ('dense_1_b', DB)]), ('dropout_1', [])):
            g = f.create_group(layer)
            put(g, 'weight_names', encode([w for w, _ in weights]))
            for w, value in weights:
                g.create_dataset(w, data=value)

with open(os.path.join(OUT, 'expected.json'), 'w') as f:
    json.dump(cases, f)
