"""The house: what imports what, how long files are, what is said of everything public, what importing does."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import jaxae as ae

ROOT = Path(__file__).parents[1]
FILES = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sorted(ROOT.glob("jaxae/**/*.py"))}
FLOORS = (  # nothing imports from a later one
    ("devices", "errors", "commands", "files", "keys", "online", "programs", "settled", "draws"),
    ("losses", "transforms", "data", "models"),
    ("metrics", "latent", "baselines", "schedules"),
    ("study_refusals", "study", "fitted"),
    ("train",),
    ("findings",),
    ("report",),
    ("run", "__main__"),
)
LATE = ("orbax", "scipy", "matplotlib", "tensorflow_datasets", "dm_pix", "tyro", "jinja2", "markdown_it", "grain")


def imported(path: Path) -> set[str]:
    """Modules of jaxae that a file imports at its top level."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name in FILES or f"{name}.__init__" in FILES}


def floor(module: str) -> int:
    part = module.split(".")[1]
    return next(i for i, parts in enumerate(FLOORS) if part in parts)


def test_no_import_climbs():
    climbs = [
        (module, other)
        for module, path in FILES.items()
        if module != "jaxae.__init__"
        for other in imported(path)
        if other != "jaxae" and floor(other) > floor(module)
    ]
    assert climbs == []


def test_no_two_files_import_each_other():
    graph = {  # a package may take its parts from itself
        module: {name if name in FILES else f"{name}.__init__" for name in imported(path)} - {module}
        for module, path in FILES.items()
    }
    reached = dict(graph)
    for _ in FILES:
        reached = {module: found.union(*(reached[other] for other in found)) for module, found in reached.items()}
    assert [module for module, found in reached.items() if module in found] == []


def test_files_are_short():
    files = [
        *FILES.values(),
        *ROOT.glob("experiments/**/*.py"),
        *ROOT.glob("tests/**/*.py"),
        *ROOT.glob("jaxae/report/templates/*.js"),
    ]
    lengths = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in files}
    assert {name: length for name, length in lengths.items() if length > 300} == {}


SHARED_NAMES = {  # public names of two files or more: to become fewer
    "Output", "Part", "arm_of", "check", "correlate", "decode", "described", "draw", "images_of", "listing", "load",
    "max_pool", "png", "root", "save", "spread", "steps", "to_rgb",
}  # fmt: skip


def test_every_public_name_is_there_and_every_name_means_one_thing():
    assert all(getattr(ae, name) is not None for name in ae.__all__)
    taken: dict[str, list[str]] = {}
    for module, path in FILES.items():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                taken.setdefault(node.name, []).append(module)
    several = {name: modules for name, modules in taken.items() if len(modules) > 1}
    assert several.keys() == SHARED_NAMES


@pytest.mark.parametrize("used", ["", "ae.train.fit, ae.models, ae.data.load, ae.losses, ae.metrics, ae.results"])
def test_importing_draws_little_in_sets_nothing_and_starts_no_device(used):
    code = (
        "import logging, sys, jax, flax.linen, optax; before, level = {*sys.modules}, logging.getLogger('absl').level; "
        "from jax._src.monitoring import get_event_duration_listeners as listeners; heard = [*listeners()]; "
        f"import jaxae as ae; {used or 'ae.Flags'}; from jax._src.xla_bridge import backends_are_initialized; "
        f"late = [name for name in {LATE} if name in sys.modules and name not in before]; "
        "print(late, logging.getLogger('absl').level == level, listeners() == heard, backends_are_initialized())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    late = ["tyro"] if not used else []  # flags are tyro's
    assert done.stdout.strip() == f"{late} True True False"
