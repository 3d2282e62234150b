"""What a pickle of PyTorch's builds, without pickle and without PyTorch: tensors, and containers of plain values.

A pickle is a program, and can ask for any function of Python to be called. The interpreter here knows PyTorch's own way
of writing down a tensor, and OrderedDict, and refuses all else before anything is called. It does nothing that costs
more than the bytes that ask for it: pickle's own would make room for four thousand million memos where five bytes say
so, and take for ever over the hash of a nest of tuples.
"""

import pickletools
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

import jax.numpy as jnp
import numpy as np

BFLOAT16 = np.dtype(jnp.bfloat16)
FLOAT8 = {name: np.dtype(getattr(jnp, name)) for name in ("float8_e4m3fn", "float8_e5m2")}
_TYPES = {
    "Double": "<f8", "Float": "<f4", "Half": "<f2", "BFloat16": BFLOAT16, "Long": "<i8", "Int": "<i4",
    "Short": "<i2", "Char": "i1", "Byte": "u1", "Bool": "?",
}  # fmt: skip
_PLAIN = (str, int, float, type(None))  # keys, whose hash costs no more than their bytes


class ForbiddenError(Exception):
    """The name of what a pickle asked for in vain."""


class Storage(NamedTuple):
    """Where the numbers of tensors are, by a key."""

    key: str
    dtype: np.dtype


class Tensor(NamedTuple):
    """A view of a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Kind(NamedTuple):
    dtype: np.dtype


def _whole(number: Any) -> int:
    if not isinstance(number, int) or not -(2**62) < number < 2**62:
        raise ValueError("a size that no tensor has")
    return number


def _make_tensor(storage, offset, shape, strides, *_) -> Tensor:
    if not isinstance(storage, Storage) or max(len(shape), len(strides)) > 64:
        raise ValueError("a tensor without a storage, or of more than 64 axes")
    return Tensor(storage, _whole(offset), tuple(map(_whole, shape)), tuple(map(_whole, strides)))


def _make_typed(storage, offset, shape, strides, grad, hooks, kind, *_) -> Tensor:
    """A tensor of a type that has no storage of its own: the storage is of bytes."""
    return _make_tensor(storage._replace(dtype=kind.dtype), offset, shape, strides)


def _make_parameter(tensor, *_) -> Tensor:
    return tensor


def _make_dict(pairs=()) -> dict[Any, Any]:
    return _fill({}, [part for pair in pairs for part in pair])


_MAKERS: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _make_dict,
    ("torch._utils", "_rebuild_tensor_v2"): _make_tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _make_typed,
    ("torch._utils", "_rebuild_parameter"): _make_parameter,
}
_KINDS = {
    **{("torch", f"{name}Storage"): _Kind(np.dtype(dtype)) for name, dtype in _TYPES.items()},
    **{("torch", name): _Kind(dtype) for name, dtype in FLOAT8.items()},
    ("torch.storage", "UntypedStorage"): _Kind(np.dtype("u1")),
}


def unpickled(file: BinaryIO) -> tuple[Any, dict[str, Storage]]:
    """What the next pickle of a file builds, and the storages that it names, by their keys.

    Raises ForbiddenError for functions and classes that no tensor needs, and ValueError, LookupError or TypeError for
    what isn't such a pickle.
    """
    machine = _Machine()
    for operation, argument, _ in pickletools.genops(file):
        machine.do(operation.name, argument)
    return machine.pop(), machine.storages


class _Machine:
    """A stack, stretches of it that marks begin, and a memo."""

    def __init__(self):
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks under the marks
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}

    def pop(self) -> Any:
        return self.stack.pop()

    def marked(self) -> list[Any]:
        """What lies above the last mark, which goes with it."""
        above, self.stack = self.stack, self.below.pop()
        return above

    def do(self, name: str, argument: Any) -> None:
        if name in _PUSHING:
            self.stack.append(argument)
        elif name in _MAKING:
            made = _MAKING[name](self)  # which may be all above a mark, and then the stack is the one below
            self.stack.append(made)
        elif name in _CHANGING:
            _CHANGING[name](self)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self.memo[len(self.memo) if argument is None else int(argument)] = self.stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[int(argument)])
        elif name == "GLOBAL":
            self.stack.append(_known(*argument.split(" ", 1)))
        elif name == "MARK":
            self.below.append(self.stack)
            self.stack = []
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise ValueError(f"a pickle that does {name.lower()}, which no tensor needs")

    def persistent(self) -> Storage:
        word, kind, key, *_ = self.pop()
        if word != "storage" or not isinstance(kind, _Kind) or not isinstance(key, str | int):
            raise ValueError("a reference to something that is no storage")
        return self.storages.setdefault(str(key), Storage(str(key), kind.dtype))

    def reduce(self) -> Any:
        arguments, make = self.pop(), self.pop()
        if not callable(make):
            raise TypeError("a call of what can't be called")
        return make(*arguments)

    def named(self) -> Any:
        name, module = self.pop(), self.pop()
        return _known(module, name)

    def tuple_of(self, count: int) -> tuple[Any, ...]:
        return tuple([self.pop() for _ in range(count)][::-1])

    def append(self) -> None:
        value = self.pop()
        self.stack[-1].append(value)

    def extend(self) -> None:
        values = self.marked()
        self.stack[-1].extend(values)

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        _fill(self.stack[-1], [key, value])

    def set_items(self) -> None:
        parts = self.marked()
        _fill(self.stack[-1], parts)

    def build(self) -> None:
        """The attributes of an OrderedDict, such as versions of modules, say nothing of tensors."""
        self.pop()
        if not isinstance(self.stack[-1], dict):
            raise ValueError("attributes of what has none")


_PUSHING = {
    "INT", "LONG", "LONG1", "LONG4", "BININT", "BININT1", "BININT2", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
    "BINUNICODE8",
}  # fmt: skip
_MAKING: dict[str, Callable[[_Machine], Any]] = {
    "NONE": lambda machine: None,
    "NEWTRUE": lambda machine: True,
    "NEWFALSE": lambda machine: False,
    "EMPTY_LIST": lambda machine: [],
    "EMPTY_DICT": lambda machine: {},
    "EMPTY_TUPLE": lambda machine: (),
    "LIST": lambda machine: machine.marked(),
    "TUPLE": lambda machine: tuple(machine.marked()),
    "TUPLE1": lambda machine: machine.tuple_of(1),
    "TUPLE2": lambda machine: machine.tuple_of(2),
    "TUPLE3": lambda machine: machine.tuple_of(3),
    "DICT": lambda machine: _fill({}, machine.marked()),
    "DUP": lambda machine: machine.stack[-1],
    "REDUCE": lambda machine: machine.reduce(),
    "STACK_GLOBAL": lambda machine: machine.named(),
    "BINPERSID": lambda machine: machine.persistent(),
}
_CHANGING: dict[str, Callable[[_Machine], Any]] = {
    "APPEND": _Machine.append,
    "APPENDS": _Machine.extend,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "BUILD": _Machine.build,
    "POP": _Machine.pop,
    "POP_MARK": _Machine.marked,
}


def _known(module: Any, name: Any) -> Any:
    if not isinstance(module, str) or not isinstance(name, str):
        raise ValueError("a name that is no text")
    if (module, name) not in _MAKERS.keys() | _KINDS.keys():
        raise ForbiddenError(f"{module}.{name}"[:100])
    return _MAKERS.get((module, name)) or _KINDS[module, name]


def _fill(into: Any, parts: list[Any]) -> Any:
    """The dictionary with these keys and values, by turns."""
    if not isinstance(into, dict):
        raise TypeError("entries of what is no dictionary")
    for key, value in zip(parts[::2], parts[1::2], strict=True):
        if not isinstance(key, _PLAIN):
            raise ValueError("a key that is neither text nor a number")
        into[key] = value
    return into
