"""What a training step spends its time on: the operations of either side by kind, from the names in its profile."""

import re
from collections.abc import Iterable

KINDS = ("products", "elements", "moves", "exchange")
_NAME = re.compile(r"[a-z][a-z0-9_-]*?(?=[.\d]*$)")  # of an operation of XLA's: its own words, without its number
_HOLDS_OTHERS = {"while", "cond", "conditional", "call"}
_XLA_PRODUCTS = ("dot", "conv", "ynn")  # ynn: XLA's library of products, and of sums
_XLA_MOVES = {
    "bitcast", "broadcast", "concatenate", "copy", "dynamic", "fusion", "gather", "iota", "pad", "reshape", "reverse",
    "slice", "transpose", "update", "wrapped",
}  # fmt: skip
_TORCH_PRODUCTS = re.compile(r"conv|mm(?:_|$)|::linear", re.IGNORECASE)
_TORCH_MOVES = re.compile(r"::(?:cat|clone|contiguous|copy_|_to_copy|index|index_select|stack|constant_pad_nd|flip)$")


def of_xla(name: str) -> str | None:
    """The kind of an operation of XLA's; None for what holds others, and for what is none.

    >>> [of_xla(name) for name in ("dot.12", "ynn_fusion", "multiply_add_fusion.3", "copy", "all_gather.1", "while.5")]
    ['products', 'products', 'elements', 'moves', 'exchange', None]
    """
    if not (found := _NAME.match(name)) or found[0] in _HOLDS_OTHERS:
        return None
    if found[0].startswith(("all_gather", "all-gather")):
        return "exchange"
    if found[0].startswith(_XLA_PRODUCTS):
        return "products"
    return "moves" if {*re.split("[_-]", found[0])} <= _XLA_MOVES else "elements"


def of_torch(name: str) -> str:
    """The kind of an operation of PyTorch's.

    >>> names = "addmm", "convolution_backward", "copy_", "relu", "_upsample_bilinear2d_aa"
    >>> [of_torch(f"aten::{name}") for name in names]
    ['products', 'products', 'moves', 'elements', 'elements']
    """
    if _TORCH_PRODUCTS.search(name):
        return "products"
    return "moves" if _TORCH_MOVES.search(name) else "elements"


def step(seconds: float, steps: int, spent: Iterable[tuple[str | None, float]]) -> dict[str, float]:
    """Milliseconds of a step by kind, of so many steps in so many seconds: of the operations (kind, seconds), and the
    rest, in which none was seen: waiting, starting them, Python."""
    sums: dict[str, float] = dict.fromkeys(KINDS, 0.0)
    for kind, taken in spent:
        if kind is not None:
            sums[kind] += taken
    each = {kind: 1e3 * sums[kind] / steps for kind in KINDS}
    whole = 1e3 * seconds / steps
    return {"step": whole, **each, "rest": max(whole - sum(each.values()), 0.0)}
