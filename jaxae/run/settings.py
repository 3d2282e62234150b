"""Settings of JAX that bear on numbers: noted where they aren't the usual ones, compared, refused."""

import os
from typing import Any

import jax

USUAL = {  # of jax 0.10; what the products' precision and XLA's flags are is in the manifest in any case
    "jax_allow_f16_reductions": True,
    "jax_default_prng_impl": "threefry2x32",
    "jax_disable_jit": False,
    "jax_disable_most_optimizations": False,
    "jax_enable_custom_prng": False,
    "jax_enable_x64": False,
    "jax_exec_time_optimization_effort": 0.0,
    "jax_high_dynamic_range_gumbel": False,
    "jax_memory_fitting_effort": 0.0,
    "jax_optimization_level": "UNKNOWN",
    "jax_random_seed_offset": 0,
    "jax_softmax_custom_jvp": False,
    "jax_threefry_gpu_kernel_lowering": False,
    "jax_threefry_partitionable": True,
    "jax_use_direct_linearize": True,
}
VARIABLES = ("LIBTPU_INIT_ARGS", "NVIDIA_TF32_OVERRIDE")  # read by what JAX computes with


def unusual_settings() -> dict[str, Any]:
    """Those that aren't as usual, by their names; a version of jax that doesn't know one has it as usual."""
    now = {name: getattr(jax.config, name, usual) for name, usual in USUAL.items()}
    found = {name: value for name, value in now.items() if value != USUAL[name]}
    return found | {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
