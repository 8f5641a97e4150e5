"""Small files in the formats of Keras' data sets, and NumPy's files of every type. Made with Python 3.11, numpy 1.24.2:

    python3 test/golden/make/gen_datasets.py test/golden/data/datasets
"""
import gzip
import json
import os
import pickle
import sys

import numpy as np

OUT = sys.argv[1]


def at(name):
    return os.path.join(OUT, name)


texts = [[5, 1, 300], [2], [70000, 4, 4, 1], [9, 8, 7, 6, 5, 4, 3, 2, 1], [1, 2], [11]]
labels = [1, 0, 1, 0, 1, 0]


def objects(rows):
    out = np.empty(len(rows), dtype=object)
    for i, row in enumerate(rows):
        out[i] = row
    return out


np.savez(at('imdb.npz'), x_train=objects(texts[:4]), y_train=np.array(labels[:4]), x_test=objects(texts[4:]), y_test=np.array(labels[4:]))
np.savez_compressed(at('reuters.npz'), x=objects(texts), y=np.array(labels))
for protocol in range(6):
    with open(at('imdb_full.%d.pkl' % protocol), 'wb') as f:
        pickle.dump(((texts[:4], labels[:4]), (texts[4:], labels[4:])), f, protocol=protocol)
with gzip.open(at('reuters.pkl.gz'), 'wb') as f:
    pickle.dump((texts, np.array(labels)), f, protocol=2)
with open(at('word_index.pkl'), 'wb') as f:
    pickle.dump({'the': 1, 'and': 2, 'caf\u00e9': 3}, f, protocol=2)
with open(at('word_index.json'), 'w') as f:
    json.dump({'the': 1, 'and': 2, 'caf\u00e9': 3}, f)

R = np.random.RandomState(3)
images = [R.randint(0, 256, (n, 28, 28)).astype('uint8') for n in (3, 2)]
digits = [R.randint(0, 10, n).astype('uint8') for n in (3, 2)]
np.savez(at('mnist.npz'), x_train=images[0], y_train=digits[0], x_test=images[1], y_test=digits[1])
with gzip.open(at('mnist.pkl.gz'), 'wb') as f:
    pickle.dump(((images[0], digits[0]), (images[1], digits[1])), f, protocol=2)
with open(at('arrays.pkl'), 'wb') as f:
    pickle.dump([np.arange(6, dtype='>i4').reshape(2, 3), np.asfortranarray([[1.5, 2.5], [3.5, 4.5]]), np.float32(2.5), objects(texts)], f, protocol=4)


class Evil:
    def __reduce__(self):
        return (os.system, ('echo owned > owned',))


for name, thing in (('evil', Evil()), ('evil-inside', [1, [2, Evil()]])):
    with open(at(name + '.pkl'), 'wb') as f:
        pickle.dump(thing, f, protocol=2)
with open(at('evil-4.pkl'), 'wb') as f:
    pickle.dump(Evil(), f, protocol=4)
np.save(at('evil.npy'), objects([Evil()]))

plain = {
    'f2': np.array([0.5, -65504, 6e-8, np.inf], 'f2'), 'f4': np.array([[1.5, -2], [3, 1e30]], '<f4'), 'f8': np.array([np.pi, np.nan], '<f8'),
    'big': np.array([[1, 2, 3], [4, 5, 6]], '>f8'), 'fortran': np.asfortranarray(np.arange(24, dtype='f4').reshape(2, 3, 4)),
    'i1': np.array([-128, 127], 'i1'), 'i2': np.array([-32768, 5], '>i2'), 'i4': np.array([-2**31, 7], 'i4'),
    'i8': np.array([-5, 2**31 - 1], 'i8'), 'i8wide': np.array([2**53 - 1, 1], 'i8'), 'u1': np.array([0, 255], 'u1'), 'u2': np.array([65535], 'u2'),
    'u4': np.array([4294967295], 'u4'), 'u8': np.array([3], 'u8'), 'b1': np.array([[True], [False]]), 'scalar': np.array(2.5),
    'empty': np.zeros((0, 3), 'f4'),
}
np.savez(at('types.npz'), **plain)
np.savez_compressed(at('types-compressed.npz'), **plain)
for name, array in (('complex', np.array([1j])), ('strings', np.array(['a', 'bc'])), ('beyond', np.array([2**53 + 1], 'i8')),
                    ('records', np.zeros(2, [('a', 'i4')]))):
    np.save(at(name + '.npy'), array)


def value(x):
    return None if x != x else ('inf' if x == np.inf else x)


with open(at('types.json'), 'w') as f:
    json.dump({k: {'shape': a.shape, 'data': [value(float(v)) for v in a.ravel()]} for k, a in plain.items()}, f)
