# SPDX-License-Identifier: Apache-2.0
#
# Writes safetensors files with Python's package, has Lanewise copy them, and compares the copies byte by byte. Argument:
# the program safetensors_copy.

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

copy_program = sys.argv[1]
folder = tempfile.TemporaryDirectory()
original, copy = Path(folder.name, "original"), Path(folder.name, "copy")


def lanewise_copies():
    return subprocess.run([copy_program, original, copy], capture_output=True, text=True)


random = numpy.random.default_rng(1)
tensors = {
    "layers.0.weight": random.standard_normal((128, 784), dtype=numpy.float32),
    "layers.0.bias": numpy.array([0.0, -0.0, 1e-45, 3.4e38, numpy.inf], numpy.float32),
    "layers.2.weight": random.standard_normal((10, 3)),
    "odd": numpy.arange(3, dtype=numpy.float32),
    "nan with payload": numpy.array([0x7FC12345], numpy.uint32).view(numpy.float32),
    "scalar": numpy.array(0.1),
    "empty": numpy.zeros((0, 4), numpy.float32),
    "Name with \"quotes\", \\ and é": numpy.ones((1, 1, 1, 1)),
}
metadata = {"activation": "relu", "text": "two\nlines, \"quoted\", é", "empty": ""}
for given in (metadata, None):
    save_file(tensors, original, metadata=given)
    result = lanewise_copies()
    assert result.returncode == 0, result.stderr
    with safe_open(copy, "numpy") as file:
        assert (file.metadata() or None) == given, file.metadata()
    copied = load_file(copy)
    assert copied.keys() == tensors.keys(), copied.keys()
    for name, tensor in tensors.items():
        assert copied[name].dtype == tensor.dtype, name
        assert copied[name].shape == tensor.shape, name
        assert copied[name].tobytes() == tensor.tobytes(), name

save_file({}, original)
assert lanewise_copies().returncode == 0
assert load_file(copy) == {}

save_file({"half": numpy.ones(3, numpy.float16)}, original)
result = lanewise_copies()
assert result.returncode == 4, result.returncode
assert "'half' has dtype 'F16'" in result.stderr, result.stderr

print("safetensors files are exchanged with Python, bit for bit")
