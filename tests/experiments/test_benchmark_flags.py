"""What the benchmark is asked for: flags, another Python, a file that is gone on with; nothing is measured."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from experiments.benchmark import config, contents, parts, run, streaming
from experiments.benchmark.config import Config
from experiments.benchmark.sides import Sides, WorkerError
from jaxae.devices import cores
from jaxae.errors import UsageError

ROOT = Path(__file__).parents[2]


def test_the_command_is_without_paths():
    chosen = Config(arms=("fc",), seconds=1.0, data_dir=Path("there"), torch_python=Path("python"))
    assert shlex.split(config.command(chosen))[3:] == ["--arms", "fc", "--seconds", "1.0"]


@pytest.mark.parametrize(
    ("made", "flags", "words"),
    [
        (Config, {"arms": ("fc", "fc")}, "--arms fc fc: name"),
        (Config, {"lanes": ()}, "--lanes : name"),
        (Config, {"repeats": 0}, "at least 1"),
        (Config, {"threads": 0}, "at least 1"),
        (Config, {"seconds": float("nan")}, "a number from 0 on"),
        (Config, {"check": Path("a"), "save": Path("b")}, "give one of them"),
        (Config, {"device": "gpu", "parts": ("operations",)}, "can't be measured on a GPU"),
        (streaming.Config, {"repeats": 0}, "at least 1"),
    ],
)
def test_bad_flags_are_refused(made, flags, words):
    with pytest.raises(UsageError, match=words):
        made(**flags)


def test_a_file_is_checked_as_it_was_measured_and_another_machine_is_said(capsys):
    made = {
        "device": "cpu",
        "precision": "bfloat16",
        "seconds": 0.5,
        "source": "synthetic",
        "repeats": 3,
        "threads": 99,
    }
    before: Any = {"rows": [{"arm": "fc"}], "samples": [], "manifest": made | {"machine": {"device": {"kind": "his"}}}}
    again = run.as_in(Config(arms=("fc", "conv"), check=Path("a")), before)
    assert (again.arms, again.parts, again.threads) == (("fc",), ("steps",), cores())
    assert all(getattr(again, name) == value for name, value in made.items() if name != "threads")
    with pytest.raises(UsageError, match="has no training steps of conv"):
        run.as_in(Config(arms=("conv",), check=Path("a")), before)
    nothing: Any = {"rows": [], "samples": [], "manifest": {"machine": {"device": {"kind": "mine"}}}}
    run.judge(before | {"rows": []}, nothing)
    assert "of another machine (his, this is mine)" in capsys.readouterr().out


def test_what_is_no_python_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"pyproject\.toml is no program; name a Python"):
        run.find_torch(Config(torch_python=ROOT / "pyproject.toml"))
    how: Any = {"device": "cpu", "threads": 1, "seconds": 0.0, "precision": "float32", "source": "tfds"}
    sides = Sides(torch_python="true", folder=tmp_path, data_dir=None, **how)
    with pytest.raises(WorkerError, match="true gave no answer to machine; it must be a Python"):
        sides.torch("machine")


def test_another_file_is_refused(tmp_path):
    (tmp_path / "x.json").write_text('{"rows": [], "samples": []}')
    with pytest.raises(UsageError, match=r"x\.json is no file of this benchmark"):
        contents.load_content(tmp_path / "x.json")


class Stub:
    """Two sides that tell nothing but the machine."""

    threads = 2

    def __init__(self, folder):
        self.folder = folder

    def arrays(self, arm, batch):
        """A folder that has been filled."""
        (self.folder / arm).mkdir(exist_ok=True)
        (self.folder / arm / "image.npy").touch()
        return self.folder / arm

    def jaxae(self, ask):
        """What it computes with."""
        return {"gflops": 100.0, "git_commit": "abc", "device": {"kind": "a CPU"}, "versions": {"jax": "0.10"}}

    def torch(self, ask):
        """What it computes with."""
        return {"gflops": 90.0, "version": "2.13"}


def test_a_file_is_gone_on_with(tmp_path, monkeypatch):
    asked = []

    def part(config, sides, content, arm, batch):
        asked.append((arm, batch))
        content["startup"].append({"arm": arm, "batch": batch})

    monkeypatch.setitem(parts.PARTS, "startup", part)
    sides: Any = Stub(tmp_path)
    save = tmp_path / "made" / "benchmark.json"
    chosen = Config(parts=("startup",), arms=("conv",), save=save)
    run.measure(chosen, sides, tmp_path, None)
    chosen = Config(parts=("startup",), arms=("fc", "conv"), save=save)
    content = run.measure(chosen, sides, tmp_path, contents.load_content(save))
    assert asked == [("conv", 10), ("fc", 10)]
    assert [entry["arm"] for entry in content["startup"]] == ["fc", "conv"]
    assert len(content["manifest"]["sittings"]) == 2
    sides.torch = lambda ask: {"gflops": 90.0, "version": "2.14"}
    with pytest.raises(UsageError, match=r"was measured with torch version 2\.13, and now it is 2\.14; measure"):
        run.measure(chosen, sides, tmp_path, contents.load_content(save))
