"""The safetensors package reads genba's weights, and genba reads what the package writes."""
import pathlib
import subprocess
import sys
import tempfile

import numpy
from safetensors.numpy import load_file, save_file

genba, model = sys.argv[1], pathlib.Path(sys.argv[2])


def inspect(path):
    text = subprocess.run([genba, "inspect", path], check=True, capture_output=True, text=True)
    return text.stdout.splitlines()


tensors = load_file(model / "weights.safetensors")
assert all(numpy.isfinite(t).all() for t in tensors.values() if t.dtype.kind == "f")
listed = inspect(model / "weights.safetensors")
count = sum(t.size for t in tensors.values())
assert listed[-1].startswith(f"{len(tensors)} tensors, {count} numbers"), listed[-1]
for name, tensor in tensors.items():
    shape = "[" + ", ".join(map(str, tensor.shape)) + "]"
    assert any(line.split()[0] == name and line.endswith(shape) for line in listed[:-1]), name

with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "theirs.safetensors"
    save_file({"a.weight": numpy.arange(12, dtype=numpy.float32).reshape(3, 4)}, path)
    assert inspect(path)[0].split() == ["a.weight", "F32", "[3,", "4]"], inspect(path)
print(f"safetensors: {len(tensors)} tensors, {count} numbers agree, both ways")
