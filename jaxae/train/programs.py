"""Compiled programs of studies, which go when their study does: a process that trains ever new ones stays as large."""

import copy
import functools
import weakref
from collections.abc import Callable
from typing import Any

import jax

from jaxae.study import Study

RECENT = 8  # studies, the last used: an equal one that is made anew finds their programs, though nobody has kept them

_PROGRAMS: weakref.WeakKeyDictionary[Study, dict[Callable[..., Any], Any]] = weakref.WeakKeyDictionary()


def of_study(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator of `function(study, *arguments)`: compiled as by jax.jit with these options, once for equal studies.

    Were the study a static argument, JAX would keep it and all that was compiled of it for ever, up to 8,192 programs.
    Here they are kept while the first of equal studies lives, and for the RECENT ones.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def compiled(study: Study, *arguments: Any) -> Any:
            programs = _PROGRAMS.setdefault(_recent(study), {})
            if function not in programs:
                alike = copy.copy(study)  # the study itself would be kept by its own programs
                programs[function] = jax.jit(functools.partial(function, alike), **options)
            return programs[function](*arguments)

        return compiled

    return decorate


@functools.lru_cache(RECENT)
def _recent(study: Study) -> Study:
    """The first of the studies that equal this one, and are recent."""
    return study
