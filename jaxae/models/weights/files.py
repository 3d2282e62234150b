"""Tensors by their names from `.safetensors` files and PyTorch's `.pth` files, read without PyTorch.

Reading takes time and memory in proportion to the file: no two parts of it may overlap, and tensors are views.
"""

import json
import math
import os
import pickle
import re
import struct
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from jaxae.errors import UsageError
from jaxae.models.weights.pickled import BFLOAT16, FLOAT8, ForbiddenError, Tensor, unpickled

_SAFE_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": BFLOAT16, "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?", "F8_E4M3": FLOAT8["float8_e4m3fn"],
    "F8_E5M2": FLOAT8["float8_e5m2"],
}  # fmt: skip
_LEGACY = 0x1950A86A20F9469CFC6C  # the number that opens files of PyTorch before 1.6
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net")  # what training programs save the tensors under
_PREFIX = re.compile(r"(module\.|_orig_mod\.)+")  # of DistributedDataParallel, of torch.compile
_DAMAGED = (
    pickle.UnpicklingError, zipfile.BadZipFile, struct.error, EOFError, ValueError, LookupError, TypeError,
    AttributeError, OverflowError, MemoryError, RuntimeError,
)  # fmt: skip


def load_tensors(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a file, by their names: the kind is told by the content, not by the file's name.

    They may be wrapped, as {"state_dict": tensors}, and their names may all begin with "module." or "_orig_mod.", which
    is left out.

    Raises UsageError for a file that is absent, damaged, neither kind, or that asks for more than tensors.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _bare(_reader(file)(file))
    except OSError as error:
        raise UsageError(f"{path} can't be read ({error.strerror or error}); name a file of weights") from None
    except ForbiddenError as error:
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
    if entry["dtype"] not in _SAFE_TYPES:
        raise _NotTensors(f"holds {name} of the type {str(entry['dtype'])[:20]}, which isn't read here; save float32")
    dtype, (begin, end) = np.dtype(_SAFE_TYPES[entry["dtype"]]), entry["data_offsets"]
    if not 0 <= begin <= end <= len(data):
        raise ValueError(f"{name} lies outside of the file")
    if min(entry["shape"], default=0) < 0:
        raise ValueError(f"{name} has the shape {entry['shape'][:64]}")
    return np.frombuffer(data[begin:end], dtype).reshape(entry["shape"])


# ---- PyTorch: a pickle of tensors that refer to storages, which lie beside it in a zip archive or follow it


def _read_zip(file: BinaryIO) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("PyTorch compresses nothing and this file is compressed")
        if sum(entry.file_size for entry in entries) > os.fstat(file.fileno()).st_size:
            raise ValueError("its parts overlap")
        names = [entry.filename for entry in entries]
        (root,) = [name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl")]
        if f"{root}byteorder" in names and archive.read(f"{root}byteorder") != b"little":
            raise ValueError("it was written on a big-endian machine")
        found, _ = unpickled(BytesIO(archive.read(f"{root}data.pkl")))
        return _tensors(found, lambda storage: archive.read(f"{root}data/{storage.key}"))


def _read_legacy(file: BinaryIO) -> dict[str, np.ndarray]:
    content = BytesIO(file.read())
    (magic, _), _, (system, _), (found, storages), (keys, _) = (unpickled(content) for _ in range(5))
    if magic != _LEGACY or not system["little_endian"]:
        raise ValueError("a pickle, but not of PyTorch on a little-endian machine")
    data = {}
    for key in keys:
        (count,) = struct.unpack("<q", content.read(8))
        size = count * storages[key].dtype.itemsize
        data[key] = content.read(size)
        if len(data[key]) != size:
            raise ValueError(f"the storage {key} is cut short")
    return _tensors(found, lambda storage: data[storage.key])


class _NotTensors(Exception):  # noqa: N818  it is caught here
    """What a file holds in place of tensors by their names, and what to do."""


def _tensors(found: Any, read_storage: Any) -> dict[str, np.ndarray]:
    found = _unwrapped(found)
    if wrong := [str(name)[:60] for name, value in found.items() if not isinstance(value, Tensor)]:
        raise _NotTensors(f"has an entry {wrong[0]} that is no tensor; save the state_dict alone")
    storages = {tensor.storage for tensor in found.values()}
    data = {storage: np.frombuffer(read_storage(storage), storage.dtype) for storage in storages}
    return {str(name): _tensor(str(name), tensor, data[tensor.storage]) for name, tensor in found.items()}


def _unwrapped(found: Any) -> dict[Any, Any]:
    """The dictionary of tensors, which may be an entry of what a training program has saved."""
    if not isinstance(found, dict):
        raise _NotTensors(f"holds a {type(found).__name__} and no tensors by their names; save a state_dict")
    inner = next((found[name] for name in _WRAPPERS if isinstance(found.get(name), dict)), found)
    return {name: value for name, value in inner.items() if name != "_metadata"}


def _bare(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same without the prefix that all names have; nothing is left out where some haven't."""
    matches = {name: _PREFIX.match(name) for name in tensors}
    if not tensors or not all(matches.values()):
        return tensors
    return {name[match.end() :]: tensors[name] for name, match in matches.items() if match}


def _tensor(name: str, tensor: Tensor, data: np.ndarray) -> np.ndarray:
    """The tensor's view of its storage, which must lie within it: numpy wouldn't look."""
    count = math.prod(tensor.shape)
    ends = [stride * (size - 1) for size, stride in zip(tensor.shape, tensor.strides, strict=True)]
    within = tensor.offset >= 0 and min(ends, default=0) >= 0 and tensor.offset + sum(ends) < len(data)
    if min(tensor.shape, default=0) < 0 or count > len(data) or (count and not within):
        raise ValueError(f"{name[:60]} lies outside of its storage")
    if not count:
        return np.zeros(tensor.shape, data.dtype)
    strides = [stride * data.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(data[tensor.offset :], tensor.shape, strides, writeable=False)
