"""Where things are computed: where `jax.default_device` says so, else on JAX's default platform.

A GPU's machine that is told to compute on its CPU computes as a machine without a GPU does, to the bit.
"""

import os
from typing import Any

import jax


def platform() -> str:
    """The platform of what is computed here: "cpu", "gpu", "tpu"."""
    default = _default()
    return jax.default_backend() if default is None else getattr(default, "platform", default)


def found() -> list[Any]:
    """The devices of this platform, those of all processes; one alone has them as `own` does."""
    return own() if jax.process_count() == 1 else jax.devices(platform())


def own() -> list[Any]:
    """Those of this process; first that of `jax.default_device`, where that is one of them."""
    return sorted(jax.local_devices(backend=platform()), key=lambda device: device != _default())


def cores() -> int:
    """Those that this process may use, which a scheduler or `taskset` can have made fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _default() -> Any:
    """A device, the name of a platform, or None; within the context manager, its own."""
    config: Any = jax.config  # whose attributes have no types
    return config.jax_default_device
