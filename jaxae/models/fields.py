"""The check of a model's fields by their annotations, where it is set up: else Flax stumbles over them later."""

import dataclasses
import inspect
import numbers
from collections.abc import Callable
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxae.errors import UsageError

FLAX = ("parent", "name")  # fields that every module has
FLOATING = jnp.floating  # what a field called dtype shall be, whose annotation is Any
KINDS = {  # of what is no tuple and no function: its types, and in words
    int: ((int, np.integer), "a whole number"),
    float: ((numbers.Real, jax.Array), "a number"),
    bool: ((bool, np.bool_), "True or False"),
    NoneType: ((NoneType,), "None"),
}


def check_fields(model: nn.Module) -> None:
    """Raise UsageError for a field whose value isn't of the kind that its annotation names, and for a `dtype` that
    isn't floating. Fields of a subclass that isn't jaxae's are its own affair, and so are other annotations."""
    for field in dataclasses.fields(model):
        value, wanted = getattr(model, field.name), FLOATING if field.name == "dtype" else field.type
        if field.name in FLAX or not _is_ours(type(model), field.name):
            continue
        if _fits(value, wanted) and not _is_empty(field.name, value):
            continue
        plain = wanted is bool or get_origin(wanted) is Literal or field.default is dataclasses.MISSING
        such = "" if plain else f", such as {_told(field.default)}"
        raise UsageError(f"{type(model).__name__} has {field.name}={_told(value)}; give {_words(wanted)}{such}")


def _is_ours(kind: type, name: str) -> bool:
    """Whether the class that a field is of is jaxae's."""
    owner = next(each for each in kind.__mro__ if name in inspect.get_annotations(each))
    return owner.__module__.partition(".")[0] == "jaxae"


def _fits(value: Any, wanted: Any) -> bool:
    origin, parts = get_origin(wanted), get_args(wanted)
    if wanted is FLOATING:
        return _is_floating(value)
    if origin is tuple:
        return isinstance(value, tuple | list) and _all_fit(value, parts)  # Flax takes lists, too
    if origin in (Union, UnionType):
        return any(_fits(value, each) for each in parts)
    if origin is Literal:
        return isinstance(value, str)  # which of them, is looked at where it is used
    if _is_function(wanted):
        return callable(value)
    if wanted not in KINDS:
        return True
    return isinstance(value, KINDS[wanted][0]) and (wanted is bool or not isinstance(value, bool))


def _all_fit(values: Any, parts: tuple[Any, ...]) -> bool:
    parts = parts[:1] * len(values) if ... in parts else parts
    return len(values) == len(parts) and all(map(_fits, values, parts))


def _is_empty(name: str, value: Any) -> bool:
    """Whether there are no layers at all; hidden ones can be none."""
    return name != "hidden" and isinstance(value, tuple | list) and not value


def _is_floating(value: Any) -> bool:
    try:
        return jnp.issubdtype(jnp.dtype(value), jnp.floating)
    except TypeError:
        return False


def _is_function(wanted: Any) -> bool:
    """Whether an annotation is a Callable, or a protocol, which jaxae has of functions alone."""
    return get_origin(wanted) is Callable or getattr(wanted, "_is_protocol", False)


def _words(wanted: Any) -> str:
    """An annotation in a sentence."""
    origin, parts = get_origin(wanted), get_args(wanted)
    if wanted is FLOATING:
        return "a floating type"
    if origin is tuple:
        return f"a tuple of {'' if ... in parts else f'{len(parts)} '}whole numbers"
    if origin in (Union, UnionType):
        return " or ".join(map(_words, parts))
    if origin is Literal:
        return " or ".join(map(repr, parts))
    return "a function" if _is_function(wanted) else KINDS[wanted][1]


def _told(value: Any) -> str:
    """A value in a sentence: functions and types by their names."""
    return getattr(value, "__name__", None) or repr(value)[:60]
