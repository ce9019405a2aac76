# SPDX-License-Identifier: Apache-2.0
#
# Trains models with the program, loads them with Python's safetensors as the layers of a torch.nn.Sequential, and
# compares NumPy's (and PyTorch's, where it is installed) predictions with the program's. Argument: the program lanewise.

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
from safetensors.numpy import load_file

try:
    import torch
except ImportError:
    torch = None

program = sys.argv[1]
folder = tempfile.TemporaryDirectory()
data, unlabelled, model = (Path(folder.name, name) for name in ("data.csv", "inputs.csv", "model.safetensors"))

NUMPY = {
    "relu": lambda x: numpy.maximum(x, 0),
    "leaky-relu": lambda x: numpy.where(x < 0, 0.01 * x, x),
    "sigmoid": lambda x: 1 / (1 + numpy.exp(-x)),
    "tanh": numpy.tanh,
    "softmax": lambda x: numpy.exp(x) / numpy.exp(x).sum(axis=1, keepdims=True),
}


def lanewise(*arguments):
    run = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def torch_predicts(inputs, tensors, activations):
    modules = {"relu": torch.nn.ReLU, "leaky-relu": torch.nn.LeakyReLU, "sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh}
    layers = []
    for i, activation in enumerate(activations):
        outputs, count = tensors[f"layers.{2 * i}.weight"].shape
        layers += [torch.nn.Linear(count, outputs, dtype=torch.from_numpy(inputs).dtype)]
        layers += [torch.nn.Softmax(dim=1) if activation == "softmax" else modules[activation]()]
    network = torch.nn.Module()
    network.layers = torch.nn.Sequential(*layers)
    network.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()}, strict=True)
    with torch.no_grad():
        return network.layers(torch.from_numpy(inputs)).numpy()


random = numpy.random.default_rng(7)
points = random.uniform(-2, 2, (90, 5))
classes = (points[:, 0] > 0).astype(int) + (points[:, 1] * points[:, 2] > 0)
numpy.savetxt(data, numpy.column_stack([points, classes]), delimiter=",", fmt=["%.6f"] * 5 + ["%d"])
numpy.savetxt(unlabelled, points, delimiter=",", fmt="%.6f")

for kind, tolerance in (("f32", 1e-5), ("f64", 1e-13)):
    # The program reads numbers as f32, whatever the type of the model.
    inputs = numpy.loadtxt(unlabelled, delimiter=",", dtype="float32").astype("float32" if kind == "f32" else "float64")
    for hidden in ("relu", "leaky-relu", "sigmoid", "tanh"):
        lanewise("train", "--data", data, "--layers", "5,9,7,3", "--activation", hidden, "--epochs", 3, "--batch", 8,
                 "--type", kind, "--out", model)
        printed = lanewise("predict", model, "--input", unlabelled, "--proba").splitlines()
        expected = numpy.array([line.split(",") for line in printed[1:]], dtype=inputs.dtype)
        assert expected.shape == (90, 3), printed[:2]

        tensors = load_file(model)
        activations = [hidden, hidden, "softmax"]
        values = inputs
        for i, activation in enumerate(activations):
            values = NUMPY[activation](values @ tensors[f"layers.{2 * i}.weight"].T + tensors[f"layers.{2 * i}.bias"])
        assert numpy.abs(values - expected).max() < tolerance, (kind, hidden, numpy.abs(values - expected).max())
        if torch is not None:
            values = torch_predicts(inputs, tensors, activations)
            assert numpy.abs(values - expected).max() < tolerance, (kind, hidden, numpy.abs(values - expected).max())

print("models predict the same in NumPy" + (f" and in PyTorch {torch.__version__}" if torch is not None else
                                            "; SKIPPED, NOT TESTED: PyTorch, which is not installed"))
