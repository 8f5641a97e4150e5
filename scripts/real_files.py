"""What Keras 3 predicts of the files of the real-file test, against what real-files.mjs wrote.

  python scripts/real_files.py FOLDER TSV OUTPUTS

Prints the table TSV with its last column made anew: "equal" where every number differs by at most
1e-5 of the greatest, "differs by N", "cannot open" where Keras refuses the file, "not a format of
Keras" for the others (ONNX by onnxruntime). What only the spelling of Keras 2 hinders is spelled
anew before (`today`). No code of a file is run.
"""
import json
import os
import shutil
import sys
import tempfile
import warnings
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
warnings.filterwarnings("ignore")
import h5py
import keras
import numpy as np

folder, table, outputs = sys.argv[1:]


def today(value):
    """A configuration of Keras 2 as Keras 3 spells it, where it refuses the older spelling."""
    if isinstance(value, list):
        return [today(each) for each in value]
    if not isinstance(value, dict):
        return value
    value = {k: today(v) for k, v in value.items() if (k, v) != ("time_major", False)}
    if value.get("dtype") and "name" not in value:
        del value["dtype"]  # of an initializer
    if value.get("class_name") == "Model":
        value["class_name"] = "Functional"
    if value.get("class_name") == "Sequential":
        config = value["config"]
        layers = config if isinstance(config, list) else config["layers"]
        shapes = [layer["config"].pop("batch_input_shape", None) for layer in layers]
        shape = shapes[0]
        if shape:
            own = {"batch_shape": shape, "name": "input_of_the_file"}
            if layers[0]["class_name"] == "InputLayer":
                layers = layers[1:]
            layers = [{"class_name": "InputLayer", "config": own}, *layers]
        name = config.get("name") if isinstance(config, dict) else None
        value["config"] = {"name": name, "layers": layers}
    return value


def respelled(file, place):
    """A copy of the file in the folder `place` whose configuration is of today."""
    copy = os.path.join(place, "model" + (".keras" if zipfile.is_zipfile(file) else ".h5"))
    if copy.endswith(".h5"):
        shutil.copy(file, copy)
        with h5py.File(copy, "r+") as h5:
            h5.attrs["model_config"] = json.dumps(today(json.loads(h5.attrs["model_config"])))
        return copy
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(copy, "w") as new:
        for name in old.namelist():
            bytes = old.read(name)
            if name == "config.json":
                bytes = json.dumps(today(json.loads(bytes)))
            new.writestr(name, bytes)
    return copy


def opened(file):
    try:
        return keras.models.load_model(file, compile=False)
    except Exception:
        with tempfile.TemporaryDirectory() as place:
            return keras.models.load_model(respelled(file, place), compile=False)


def by_keras(file, x):
    model = opened(file)
    y = model.predict(x if len(x) > 1 else x[0], verbose=0, batch_size=len(x[0]))
    return y if isinstance(y, list) else [y]


def by_onnx(file, x):
    import onnxruntime

    session = onnxruntime.InferenceSession(file)
    types = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(double)": np.float64}
    feed = {
        own.name: each.astype(types.get(own.type, np.float32))
        for own, each in zip(session.get_inputs(), x)
    }
    return session.run(None, feed)


def compared(file, arrays):
    x = [arrays[f"x{k}"] for k in range(sum(name[0] == "x" for name in arrays))]
    y = [arrays[f"y{k}"] for k in range(len(arrays) - len(x))]
    try:
        real = (by_onnx if file.endswith(".onnx") else by_keras)(file, x)
    except Exception as error:
        return f"cannot open: {type(error).__name__}"
    worst = 0.0
    for own, other in zip(y, real):
        if own.shape != other.shape:
            return f"differs: shape {list(own.shape)}, there {list(other.shape)}"
        worst = max(worst, np.abs(own - other).max() / max(np.abs(other).max(), 1))
    return "equal" if worst <= 1e-5 else f"differs by {worst:.1g}"


head, *rows = open(table, encoding="utf8").read().rstrip("\n").split("\n")
print(head)
for number, row in enumerate(rows):
    cells = row.split("\t")
    file = os.path.join(folder, cells[0].replace("/", "+", 1), cells[2])
    archive = os.path.join(outputs, f"{number}.npz")
    if not os.path.exists(archive):
        cells[7] = ""
    elif file.endswith(".json"):
        cells[7] = "not a format of Keras"
    else:
        cells[7] = compared(file, dict(np.load(archive)))
    print("\t".join(cells), flush=True)
