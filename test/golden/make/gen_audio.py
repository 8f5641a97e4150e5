"""Features of speech for test/unit/audio.golden.test.ts: data/audio/features.float32.json.gz and .bin.gz.

Needs numpy, scipy and python_speech_features 0.6.1, whose own functions are called. What librosa 0.11 and Kaldi (dither
off) compute is written down here from their published definitions, in doubles:
 librosa  core/spectrum.py (stft, power_to_db), filters.py (mel), feature/spectral.py (melspectrogram, mfcc)
 Kaldi    src/feat/feature-window.cc, mel-computations.cc, feature-fbank.cc, feature-mfcc.cc, feature-functions.cc (deltas)
Run: python3 gen_audio.py FOLDER, then gzip -9n what it wrote into data/audio/.
"""
import json
import os
import sys
import numpy as np
import scipy.fft
import scipy.signal
import python_speech_features as psf

OUT = sys.argv[1]
buf, cases = bytearray(), []


def arr(a):
    a = np.ascontiguousarray(a, dtype='float32')
    while len(buf) % 8:
        buf.append(0)
    ref = {'$': ['float32', list(a.shape), len(buf)]}
    buf.extend(a.tobytes())
    return ref


def add(name, call, options, value, **more):
    cases.append(dict(name=name, call=call, options=options, value=arr(value), **{k: arr(v) for k, v in more.items()}))


# ---- the signal: a gliding tone, a click, noise, silence; 16-bit integers ----
rs = np.random.RandomState(20261130)
RATE, T = 16000, 4321
t = np.arange(T) / RATE
x = 0.3 * np.sin(2 * np.pi * (200 * t + 6000 * t ** 2)) + 0.05 * np.sin(2 * np.pi * 3100 * t) + 0.003 * rs.randn(T) + 0.01
x[1500:1510] += 0.5
x[2600:3300] = 0
ints = np.round(x * 32768).astype('int64')  # [T]
x = ints / 32768.0
add('signal', 'signal', {}, x)

# ---- python_speech_features: its own functions, on the integers ----
o = {'like': 'python_speech_features'}
add('python_speech_features fbank', 'logMel', o, psf.logfbank(ints, RATE))
add('python_speech_features mfcc', 'mfcc', o, psf.mfcc(ints, RATE))
add('python_speech_features mfcc, hamming, no energy', 'mfcc', dict(o, window='np.hamming', energy=None, nMfcc=20, fMin=100, fMax=7000),
    psf.mfcc(ints, RATE, numcep=20, lowfreq=100, highfreq=7000, appendEnergy=False, winfunc=np.hamming))
feat = psf.mfcc(ints, RATE)
add('python_speech_features delta', 'deltas', {'width': 2}, psf.delta(feat, 2), input=feat)
add('python_speech_features delta 1', 'deltas', {'width': 1}, psf.delta(feat, 1), input=feat)


# ---- librosa ----
def hz_to_mel(f, htk):
    f = np.asarray(f, dtype=float)
    if htk:
        return 2595.0 * np.log10(1.0 + f / 700.0)
    f_sp, min_log_hz = 200.0 / 3, 1000.0
    logstep = np.log(6.4) / 27.0
    return np.where(f >= min_log_hz, min_log_hz / f_sp + np.log(np.maximum(f, 1e-9) / min_log_hz) / logstep, f / f_sp)


def mel_to_hz(m, htk):
    m = np.asarray(m, dtype=float)
    if htk:
        return 700.0 * (10.0 ** (m / 2595.0) - 1.0)
    f_sp, min_log_hz = 200.0 / 3, 1000.0
    logstep = np.log(6.4) / 27.0
    return np.where(m >= min_log_hz / f_sp, min_log_hz * np.exp(logstep * (m - min_log_hz / f_sp)), f_sp * m)


def librosa_mel(sr, n_fft, n_mels, fmin, fmax, htk, norm):
    fftfreqs = np.fft.rfftfreq(n_fft, 1.0 / sr)
    mel_f = mel_to_hz(np.linspace(hz_to_mel(fmin, htk), hz_to_mel(fmax, htk), n_mels + 2), htk)
    fdiff, ramps = np.diff(mel_f), np.subtract.outer(mel_f, fftfreqs)
    weights = np.zeros((n_mels, n_fft // 2 + 1))
    for i in range(n_mels):
        weights[i] = np.maximum(0, np.minimum(-ramps[i] / fdiff[i], ramps[i + 2] / fdiff[i + 1]))
    if norm:
        weights *= (2.0 / (mel_f[2:] - mel_f[:-2]))[:, None]
    return weights


def librosa_power(y, n_fft, hop, win, pad='constant'):
    window = scipy.signal.get_window('hann', win, fftbins=True)
    lpad = (n_fft - win) // 2
    window = np.pad(window, (lpad, n_fft - win - lpad))
    padded = np.pad(y, n_fft // 2, mode=pad)
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop]
    return np.abs(np.fft.rfft(frames * window, axis=1)) ** 2


def power_to_db(s, amin=1e-10, top_db=80.0):
    db = 10 * np.log10(np.maximum(amin, s))
    return db if top_db is None else np.maximum(db, db.max() - top_db)


lens = dict(frameLength=400, hopLength=160, nFft=512)
htk = librosa_power(x, 512, 160, 400) @ librosa_mel(RATE, 512, 40, 0, 8000, True, None).T
add('librosa htk', 'logMel', dict(lens, like='librosa', nMels=40, melScale='htk', norm=None), power_to_db(htk))
add('librosa htk, all dB', 'logMel', dict(lens, like='librosa', nMels=40, melScale='htk', norm=None, topDb=None), power_to_db(htk, top_db=None))
add('librosa htk, natural', 'logMel', dict(lens, like='librosa', nMels=40, melScale='htk', norm=None, log='natural'), np.log(np.maximum(htk, 1e-10)))
slaney = librosa_power(x, 2048, 512, 2048) @ librosa_mel(RATE, 2048, 128, 0, 8000, False, 'slaney').T
add('librosa', 'logMel', {'like': 'librosa'}, power_to_db(slaney))
add('librosa mfcc', 'mfcc', {'like': 'librosa'}, scipy.fft.dct(power_to_db(slaney), type=2, norm='ortho', axis=1)[:, :20])
odd = librosa_power(x, 512, 160, 401, 'reflect') @ librosa_mel(RATE, 512, 24, 50, 7600, False, 'slaney').T
add('librosa, odd window, reflected', 'logMel',
    dict(lens, frameLength=401, like='librosa', nMels=24, fMin=50, fMax=7600, edges='reflect', log='none'), odd)
add('librosa filters', 'melFilterbank', dict(sampleRate=RATE, nFft=512, nMels=30, melScale='slaney', norm='slaney'),
    librosa_mel(RATE, 512, 30, 0, 8000, False, 'slaney'))

# ---- a spectrum ----
spec = scipy.signal.get_window('blackman', 256) * np.lib.stride_tricks.sliding_window_view(x, 256)[::100]
spec = np.fft.rfft(spec, 512, axis=1)
add('stft', 'stft', dict(frameLength=256, hopLength=100, nFft=512, window='blackman'), np.stack([spec.real, spec.imag], -1)[::5])


# ---- Kaldi ----
def kaldi(n_mels, n_ceps=0, low=20.0, high=None, window=None):
    high, n = high or RATE / 2, 400
    frames = np.lib.stride_tricks.sliding_window_view(ints.astype(float), n)[::160]
    frames = frames - frames.mean(axis=1, keepdims=True)
    eps = np.finfo('float32').eps
    energy = np.log(np.maximum((frames ** 2).sum(axis=1), eps))
    frames = np.concatenate([frames[:, :1] * (1 - 0.97), frames[:, 1:] - 0.97 * frames[:, :-1]], axis=1)
    povey = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / (n - 1))) ** 0.85
    frames = frames * (povey if window is None else window)
    power = np.abs(np.fft.rfft(frames, 512, axis=1)) ** 2
    mel = lambda f: 1127.0 * np.log(1 + f / 700.0)
    delta = (mel(high) - mel(low)) / (n_mels + 1)
    filters = np.zeros((n_mels, 257))
    for b in range(n_mels):
        left, center, right = mel(low) + b * delta, mel(low) + (b + 1) * delta, mel(low) + (b + 2) * delta
        for i in range(256):
            m = mel(RATE / 512.0 * i)
            if left < m <= center:
                filters[b, i] = (m - left) / (center - left)
            elif center < m < right:
                filters[b, i] = (right - m) / (right - center)
    logs = np.log(np.maximum(power @ filters.T, eps))
    if not n_ceps:
        return logs
    k = np.arange(n_ceps)[:, None]
    basis = np.sqrt(2.0 / n_mels) * np.cos(np.pi / n_mels * (np.arange(n_mels) + 0.5) * k)
    basis[0] = np.sqrt(1.0 / n_mels)
    ceps = logs @ basis.T * (1 + 11.0 * np.sin(np.pi * np.arange(n_ceps) / 22.0))
    ceps[:, 0] = energy
    return ceps


add('Kaldi fbank', 'logMel', {'like': 'kaldi'}, kaldi(23))
add('Kaldi fbank, 60 bands', 'logMel', {'like': 'kaldi', 'nMels': 60, 'fMin': 60, 'fMax': 7800}, kaldi(60, low=60, high=7800))
add('Kaldi fbank, hamming', 'logMel', {'like': 'kaldi', 'window': 'np.hamming'}, kaldi(23, window=np.hamming(400)))
add('Kaldi mfcc', 'mfcc', {'like': 'kaldi'}, kaldi(23, 13))

# ---- G.711, by Python's own audioop (until 3.12): the 256 codes of A-law, then of µ-law ----
import warnings
warnings.simplefilter('ignore')
import audioop
codes = bytes(range(256))
for name, decode in (('alaw', audioop.alaw2lin), ('mulaw', audioop.ulaw2lin)):
    add(name, 'g711', {}, np.frombuffer(decode(codes, 2), '<i2') / 32768.0)

for ending, content in (('json', json.dumps({'cases': cases}).encode()), ('bin', bytes(buf))):
    with open(os.path.join(OUT, 'features.float32.' + ending), 'wb') as f:
        f.write(content)
