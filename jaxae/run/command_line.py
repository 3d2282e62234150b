"""The command line: flags to a Config, errors to one sentence, signals to an exit status."""

import contextlib
import dataclasses
import inspect
import numbers
import os
import re
import shutil
import signal
import sys
import textwrap
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import tyro

from jaxae.data import cache
from jaxae.devices import cores
from jaxae.errors import Notice, UsageError
from jaxae.programs import free_after_compiling
from jaxae.run import distributed, planning
from jaxae.run.cost import cost_of, unmeasured, words_of_cost
from jaxae.run.experiment import Experiment
from jaxae.run.flags import Flags
from jaxae.run.signals import Interrupted
from jaxae.run.steps import perform

CARD = re.compile(r"(\w+) {2,}(.*)", re.DOTALL)  # an entry of a run card
WHOLE_WORDS: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}  # addresses, to be clicked
XLA_FLAGS = {
    "xla_gpu_deterministic_ops": "true",
    # CPU devices with fewer lanes wait for those with more: XLA would end the process after 40 seconds of waiting
    "xla_cpu_collective_call_warn_stuck_timeout_seconds": "86400",
    "xla_cpu_collective_call_terminate_timeout_seconds": "86400",
}


def cli(experiment: Experiment, args: list[str] | None = None) -> None:
    """Run an experiment as the command line says: the last line of its file.

    Exits with 0; 2 after a UsageError, whose sentence it prints; 130 or 143 where Ctrl-C or SIGTERM stopped it,
    with the command that resumes.
    """
    joined = []
    try:
        with_errors(lambda: _act(experiment, parsed(experiment, args), joined))
    except SystemExit as stop:
        if joined and stop.code:
            distributed.leave(stop.code)
        raise
    except Exception:
        if not joined:
            raise
        traceback.print_exc()
        distributed.leave(1)


def _act(experiment: Experiment, config: Any, joined: list[bool]) -> None:
    """Plan, or train, in one process or several."""
    if config.plan:
        planning.show(experiment, config)
    elif config.distributed:
        joined.append(True)
        distributed.together(config, lambda own: _train(experiment, own))
    else:
        _train(experiment, config)


def _train(experiment: Experiment, config: Any) -> None:
    """Train all, or the job that is asked for."""
    if config.job:
        job = planning.job(experiment, config)
        perform(experiment, job.config, job=job.note)
    else:
        perform(experiment, config)


def parsed(experiment: Experiment, args: list[str] | None = None) -> Any:
    """The Config of a command line, and JAX set up for it."""
    looks = (tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone)
    name, own = " ".join(experiment.program), own_first(experiment.config)
    words = sys.argv[1:] if args is None else args
    entry = _cost_entry(experiment) if {"-h", "--help"} & {*words} else ""  # it reads a result
    text = described(f"{inspect.cleandoc(experiment.card or '')}\n\n{entry}".strip())
    given = tyro.cli(own, prog=name, args=args, description=text, config=looks)
    config = experiment.config(**vars(given))
    set_up(config.devices)
    return config


def own_first(config: type[Flags]) -> type[Flags]:
    """The same flags, the study's own before those that all studies share, as the help lists them, and unchecked: what
    they refuse is told as everything else is, by whoever makes the study's own of them."""
    fields = {field.name: field for field in dataclasses.fields(config)}
    shared = {field.name for field in dataclasses.fields(Flags)}
    view = type(
        config.__name__,
        (config,),
        {"__doc__": config.__doc__, "__module__": config.__module__, "__post_init__": lambda _: None},
    )
    view.__dataclass_fields__ = {name: fields[name] for name in sorted(fields, key=lambda name: name in shared)}
    return view


def _cost_entry(experiment: Experiment) -> str:
    """The entry of the run card that says what the defaults cost."""
    cost = cost_of(experiment, experiment.config())
    return f"Cost      with the defaults {words_of_cost(cost)}.{unmeasured(cost)}" if cost else ""


def described(text: str) -> str:
    """A run card as the help shows it: its paragraphs, and its entries (Source, Expected, Run ...) one below the other.

    Wrapped here, and indented, since tyro joins lines that begin with a letter.
    """
    width, lines = min(shutil.get_terminal_size().columns, 100), []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        for entry in re.split(r"\n(?=\w+ {2,})", paragraph) if CARD.match(paragraph) else [paragraph]:
            word, rest = match.groups() if (match := CARD.match(entry)) else ("", entry)
            first, later = (f"  {word:<10}", " " * 12) if word else ("  ", "  ")
            rest = " ".join(rest.split())
            lines.append(textwrap.fill(rest, width, initial_indent=first, subsequent_indent=later, **WHOLE_WORDS))
        lines.append("")
    return "\n".join(lines)


def set_up(devices: int | None = None) -> None:
    """JAX as every experiment has it: float32 products (no TF32), a CPU device per core, deterministic GPU kernels,
    compiled programs kept in the cache folder, so that a second run starts in seconds, and little memory that is
    held and not used.

    `devices` is how many the CPU shall have, at most as many as cores; None: as many as cores, up to 16. Only what is
    not set by the user's own variables is set. Call it before the first array is made: where JAX runs already, the
    CPU's devices stay as they are. Raises UsageError for devices that are no number of them, and on a GPU that has
    begun without deterministic kernels.

    On a CPU a program starts when the one before has ended (no asynchronous dispatch). XLA has as many threads as there
    are devices or cores, and a start that waits for one of 32 programs to end keeps its thread: those of one more
    program for all devices, which wait for each other, could then all be taken but one, and everything stands still for
    ever. More threads would help against that, but share the cores, and training and evaluation get slower; and last
    digits can hang on how many there are, so that more devices than cores would have other bits.
    """
    if devices is not None and (not isinstance(devices, numbers.Integral) or devices < 1):
        raise UsageError(f"devices is {devices!r}; give a whole number from 1 up")
    if (kept := cache.root()).exists() and not kept.is_dir():
        warnings.warn(f"the cache {kept} is no folder: every run decodes and compiles anew", Notice, stacklevel=2)
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(cache.root() / "compiled"))
        replace_damaged(cache.root() / "compiled")
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    if "JAX_DEFAULT_MATMUL_PRECISION" not in os.environ:
        jax.config.update("jax_default_matmul_precision", "float32")
    given = os.environ.get("XLA_FLAGS", "")
    missing = [f"--{name}={value}" for name, value in XLA_FLAGS.items() if name not in given]
    if _begun():  # its devices are those there are
        _refuse_late(missing)
    elif "JAX_NUM_CPU_DEVICES" not in os.environ and "xla_force_host_platform_device_count" not in given:
        jax.config.update("jax_num_cpu_devices", min(int(devices or 16), cores()))
    if "JAX_CPU_ENABLE_ASYNC_DISPATCH" not in os.environ:
        jax.config.update("jax_cpu_enable_async_dispatch", False)
    os.environ["XLA_FLAGS"] = " ".join([*given.split(), *missing])
    free_after_compiling()


def _begun() -> bool:
    """Whether JAX runs already: it then refuses another number of devices, whoever has set the one there is."""
    name = "jax_num_cpu_devices"
    before = jax.config.values[name]
    try:
        jax.config.update(name, max(before, 0) + 1)
    except RuntimeError:
        return True
    jax.config.update(name, before)
    return False


def _refuse_late(missing: list[str]) -> None:
    """Raise UsageError where flags of XLA that bear on numbers are missing, and a GPU has been begun without them."""
    bearing = [flag for flag in missing if "_gpu_" in flag]
    if bearing and jax.default_backend() == "gpu":
        raise UsageError(
            f"JAX runs already on the GPU, without {' '.join(bearing)}, and it is too late for that; call ae.set_up() "
            "before the first array is made"
        )


def replace_damaged(compiled: Path) -> None:
    """Have a compiled program in `compiled` that can't be read written anew: JAX would only warn of it, for
    ever. Its warning comes before it compiles and writes. Once, however often `set_up` is called."""
    shown = warnings.showwarning
    if getattr(shown, "replaces", None) == compiled:
        return

    def show(message: Any, *arguments: Any, **options: Any) -> None:
        named = re.match(r"Error reading persistent compilation cache entry for '([\w.<>-]+)'", str(message))
        if not named:
            shown(message, *arguments, **options)
        for path in compiled.glob(f"{named[1]}-*") if named else ():
            path.unlink(missing_ok=True)

    show.replaces = compiled
    warnings.showwarning = show


def with_errors(action: Callable[[], Any]) -> None:
    """Run `action` as a program: one sentence on the error stream and an exit status in place of a traceback."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # as importing jaxae has left it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with notices_said():
            action()
    except UsageError as error:
        _say(f"error: {error}")
        sys.exit(2)
    except Interrupted as stop:
        _say(str(stop))
        sys.exit(128 + stop.number)
    except KeyboardInterrupt:
        _say("interrupted")
        sys.exit(130)
    except BrokenPipeError:  # `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:  # a full disk, a closed folder, a path that is too long
        where = f"{error.filename}: " if error.filename else ""
        _say(f"error: {where}{error.strerror or error}; mend that and start again, a run that had begun with --resume")
        sys.exit(2)
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "RESOURCE_EXHAUSTED" not in str(error):  # XLA's word for it
            raise
        _say(
            "error: the memory isn't enough; give a smaller --batch-size or --limit, fewer --seeds, or --stream, which "
            "leaves images where they are"
        )
        sys.exit(2)


@contextlib.contextmanager
def notices_said() -> Iterator[None]:
    """Within it a Notice is printed as its sentence alone, once, where the filters of warnings show it at all."""
    shown, said = warnings.showwarning, set[str]()

    def show(message: Any, category: type[Warning], *arguments: Any, **options: Any) -> None:
        if issubclass(category, Notice):
            if str(message) not in said:  # of a folder's training and of its test images
                _say(f"note: {message}")
            said.add(str(message))
        else:
            shown(message, category, *arguments, **options)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = shown


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
