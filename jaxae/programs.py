"""Compiled programs of studies and models, which go when these do: a process that makes ever new ones doesn't grow."""

import copy
import ctypes
import dataclasses
import functools
import os
import weakref
from collections.abc import Callable
from typing import Any, TypeVar, cast

import jax

from jaxae.devices import platform
from jaxae.errors import UsageError

QUICK = {"xla_backend_optimization_level": 1}  # half the time to compile on a CPU; 0 would change roundings
COMPILED = "/jax/core/compile/backend_compile_duration"  # JAX's name for a compilation that has ended, or been read
LONG = 0.1  # seconds of one that leaves something to give back
RECENT = 8  # the last used: an equal one that is made anew finds their programs, though nobody has kept them

F = TypeVar("F", bound=Callable[..., Any])
_PROGRAMS: weakref.WeakKeyDictionary[Any, dict[Any, Any]] = weakref.WeakKeyDictionary()


def of_first(*, quick: bool = False, **options: Any) -> Callable[[F], F]:
    """A decorator of `function(first, *arguments)`, whose first argument is a study or a model: compiled as by jax.jit
    with these options, once for equal ones on a platform; `quick` as in `quickly`. It raises UsageError for a first one
    that can't be hashed, since a field of its model holds a list, say.

    Were it static, JAX would keep it and all that was compiled of it for ever, up to 8,192 programs. Here they are kept
    while the first of equal ones lives, and for the RECENT ones.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def compiled(first: Any, *arguments: Any, **named: Any) -> Any:
            programs = _PROGRAMS.setdefault(_known(first), {})
            name = function, platform()
            if name not in programs:
                alike = copy.copy(first)  # itself it would be kept by its own programs
                how = options | quickly() if quick else options
                programs[name] = jax.jit(functools.partial(function, alike), **how)
            return programs[name](*arguments, **named)

        return cast(F, compiled)

    return decorate


def quickly() -> dict[str, Any]:
    """Options of jax.jit for what computes less than compiling it takes: on a CPU, fewer of LLVM's optimisations."""
    return {"compiler_options": QUICK} if platform() == "cpu" else {}


@functools.cache
def free_after_compiling() -> None:
    """Have the memory that a compilation no longer uses given back to the system, from now on in this process.

    glibc keeps it, in pieces too small for a step's arrays: hundreds of MiB beside which the step then needs its own.
    """
    jax.monitoring.register_event_duration_secs_listener(_compiled)


def _compiled(event: str, duration_secs: float, **_: Any) -> None:
    if event == COMPILED and duration_secs > LONG:
        give_back()


def give_back() -> None:
    """Give free memory back to the system, where the C library is one that does so when asked: glibc."""
    library = ctypes.CDLL(None) if os.name == "posix" else None  # on Windows it raises TypeError
    if trim := getattr(library, "malloc_trim", None):
        trim(0)


def _known(first: Any) -> Any:
    try:
        return _recent(first)
    except TypeError:
        raise UsageError(_unhashable(first)) from None


def _unhashable(first: Any) -> str:
    """What keeps a study, or a model, from being found again, in a sentence."""
    fields = [(field.name, getattr(first, field.name)) for field in dataclasses.fields(first) if field.compare]
    name = next((name for name, value in fields if not _hashes(value)), "model")
    if name != "model" and hasattr(first, "model"):
        return f"the {name} of {first.name!r} can't be hashed; give a function, or a frozen dataclass without arrays"
    kind = type(getattr(first, "model", first)).__name__
    return f"a field of the model {kind} can't be hashed; give tuples in place of lists, and no arrays"


def _hashes(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


@functools.lru_cache(RECENT)
def _recent(first: Any) -> Any:
    """The first of those that equal this one, and are recent."""
    return first
