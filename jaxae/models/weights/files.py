"""Tensors by their names from `.safetensors` files and PyTorch's `.pth` files, read without PyTorch.

A `.pth` file is a pickle, and a pickle can ask for any function of Python to be called. The unpickler here knows
PyTorch's own way of writing down a tensor, and OrderedDict, and refuses all else before anything is called.
"""

import json
import math
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxae.errors import UsageError

_BFLOAT16 = np.dtype(jnp.bfloat16)
_SAFE_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": _BFLOAT16, "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U8": "u1", "BOOL": "?",
}  # fmt: skip
_TORCH_TYPES = {
    "Double": "<f8", "Float": "<f4", "Half": "<f2", "BFloat16": _BFLOAT16, "Long": "<i8", "Int": "<i4",
    "Short": "<i2", "Char": "i1", "Byte": "u1", "Bool": "?",
}  # fmt: skip
_LEGACY = 0x1950A86A20F9469CFC6C  # the number that opens files of PyTorch before 1.6
_DAMAGED = (
    pickle.UnpicklingError, zipfile.BadZipFile, struct.error, EOFError, ValueError, LookupError, TypeError,
    AttributeError, OverflowError, MemoryError, RuntimeError,
)  # fmt: skip


def load_tensors(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a file, by their names: the kind is told by the content, not by the file's name.

    Raises UsageError for a file that is absent, damaged, neither kind, or that asks for more than tensors.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _reader(file)(file)
    except OSError as error:
        raise UsageError(f"{path} can't be read ({error.strerror or error}); name a file of weights") from None
    except _Forbidden as error:
        raise UsageError(
            f"{path} asks for {error}, which no tensor needs and which may do harm, so it isn't opened; get the "
            "weights from a source you trust, best as .safetensors (of a model of your own, save the state_dict)"
        ) from None
    except _NotTensors as error:
        raise UsageError(f"{path} {error}") from None
    except _DAMAGED as error:
        reason = f" ({str(error).splitlines()[0][:100]})" if isinstance(error, ValueError) and str(error) else ""
        raise UsageError(
            f"{path} is neither a .safetensors nor a .pth file, or is damaged{reason}; copy it again or name another"
        ) from None


def save_safetensors(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """A `.safetensors` file of float32 tensors, sorted by name: the same bytes for the same tensors."""
    header, data, end = {}, [], 0
    for name, tensor in sorted(tensors.items()):
        data.append(np.ascontiguousarray(tensor, "<f4").tobytes())
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [end, end + len(data[-1])]}
        end += len(data[-1])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the data begins at a multiple of 8
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data))


def _reader(file: BinaryIO):
    start = file.read(16)
    if not start:
        raise _NotTensors("is empty; copy it again or name another")
    file.seek(0)
    if start[8:9] == b"{":
        return _read_safetensors
    return _read_zip if start[:4] == b"PK\x03\x04" else _read_legacy


# ---- safetensors: 8 bytes with the header's length, the header in JSON, the data


def _read_safetensors(file: BinaryIO) -> dict[str, np.ndarray]:
    content = file.read()
    (length,) = struct.unpack_from("<Q", content)
    header, data = json.loads(content[8 : 8 + length]), memoryview(content)[8 + length :]
    return {name: _safe_tensor(name, entry, data) for name, entry in header.items() if name != "__metadata__"}


def _safe_tensor(name: str, entry: Mapping[str, Any], data: memoryview) -> np.ndarray:
    dtype, (begin, end) = np.dtype(_SAFE_TYPES[entry["dtype"]]), entry["data_offsets"]
    if not 0 <= begin <= end <= len(data):
        raise ValueError(f"{name} lies outside of the file")
    if min(entry["shape"], default=0) < 0:
        raise ValueError(f"{name} has the shape {entry['shape']}")
    return np.frombuffer(data[begin:end], dtype).reshape(entry["shape"])


# ---- PyTorch: a pickle of tensors that refer to storages, which lie beside it in a zip archive or follow it


def _read_zip(file: BinaryIO) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("PyTorch compresses nothing and this file is compressed")
        (root,) = [name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl")]
        if f"{root}byteorder" in names and archive.read(f"{root}byteorder") != b"little":
            raise ValueError("it was written on a big-endian machine")
        with archive.open(f"{root}data.pkl") as pickled:
            found = _Unpickler(pickled).load()
        return _tensors(found, lambda storage: archive.read(f"{root}data/{storage.key}"))


def _read_legacy(file: BinaryIO) -> dict[str, np.ndarray]:
    magic, _, system, found, keys = (_Unpickler(file).load() for _ in range(5))
    if magic != _LEGACY or not system["little_endian"]:
        raise ValueError("a pickle, but not of PyTorch on a little-endian machine")
    storages = {storage.key: storage for storage in _storages(found)}
    data = {}
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        data[key] = file.read(count * storages[key].dtype.itemsize)
    return _tensors(found, lambda storage: data[storage.key])


class _Forbidden(Exception):  # noqa: N818  it is caught here
    """The name of what a pickle asked for in vain."""


class _NotTensors(Exception):  # noqa: N818  it is caught here
    """What a file holds in place of tensors by their names, and what to do."""


class _Kind(NamedTuple):
    dtype: np.dtype  # within a tuple: a pickle could set the state of a bare one


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Maker:
    """A function that the pickle may call. Without attributes, so that the pickle can't set one either."""

    __slots__ = ()

    def __call__(self, *arguments):
        return self.make(*arguments)

    def make(self, *arguments):
        raise NotImplementedError


class _MakeTensor(_Maker):
    __slots__ = ()

    def make(self, storage, offset, shape, strides, *_):
        if not isinstance(storage, _Storage):
            raise TypeError("a tensor without a storage")
        return _Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


class _MakeParameter(_Maker):
    __slots__ = ()

    def make(self, tensor, *_):
        return tensor


_KNOWN = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _MakeTensor(),
    ("torch._utils", "_rebuild_parameter"): _MakeParameter(),
    **{("torch", f"{name}Storage"): _Kind(np.dtype(dtype)) for name, dtype in _TORCH_TYPES.items()},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in _KNOWN:
            raise _Forbidden(f"{module}.{name}")
        return _KNOWN[module, name]

    def persistent_load(self, pid):
        word, kind, key, *_ = pid
        if word != "storage" or not isinstance(kind, _Kind):
            raise pickle.UnpicklingError(f"an unknown reference {str(pid)[:60]}")
        return _Storage(str(key), kind.dtype)


def _storages(found: Any) -> list[_Storage]:
    if not isinstance(found, dict):
        raise _NotTensors(f"holds a {type(found).__name__} and no tensors by their names; save a state_dict")
    return [value.storage for value in found.values() if isinstance(value, _Tensor)]


def _tensors(found: Any, read_storage: Any) -> dict[str, np.ndarray]:
    data = {storage: np.frombuffer(read_storage(storage), storage.dtype) for storage in set(_storages(found))}
    if wrong := [str(name) for name, value in found.items() if not isinstance(value, _Tensor)]:
        raise _NotTensors(f"has an entry {wrong[0]} that is no tensor; save the state_dict alone")
    return {str(name): _tensor(name, tensor, data[tensor.storage]) for name, tensor in found.items()}


def _tensor(name: str, tensor: _Tensor, data: np.ndarray) -> np.ndarray:
    """The tensor's view of its storage, which must lie within it: numpy wouldn't look."""
    count = math.prod(tensor.shape)
    ends = [stride * (size - 1) for size, stride in zip(tensor.shape, tensor.strides, strict=True)]
    within = tensor.offset >= 0 and min(ends, default=0) >= 0 and tensor.offset + sum(ends) < len(data)
    if min(tensor.shape, default=0) < 0 or count > len(data) or (count and not within):
        raise ValueError(f"{name} lies outside of its storage")
    if not count:
        return np.zeros(tensor.shape, data.dtype)
    strides = [stride * data.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(data[tensor.offset :], tensor.shape, strides, writeable=False)
    return np.ascontiguousarray(view)
