"""A run's folder has one owner, and its studies have folders of their own."""

import dataclasses
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import pytest
import tiny
from quick import EXPERIMENT, QUICK, ROOT, at, read

import jaxae as ae
from jaxae import checkpoint
from jaxae.errors import UsageError
from jaxae.files import write_whole
from jaxae.run import folder, resuming
from jaxae.run.run import Run
from jaxae.run.settings import unusual_settings
from jaxae.run.steps import perform


def test_one_process_works_in_a_folder_and_one_that_was_killed_leaves_it(tmp_path):
    out = tmp_path / "run"
    with folder.claim(out, fresh=True), pytest.raises(UsageError, match="another process works in"):
        folder.claim(out, fresh=True)
    code = (
        "import os; from pathlib import Path; from jaxae.run import folder; "
        f"lock = folder.claim(Path({str(out)!r}), fresh=True); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    (out / "manifest.json.partial").touch()  # as far as it came
    folder.claim(out, fresh=True).close()
    (out / "manifest.json").touch()
    with pytest.raises(UsageError, match="exists and is not overwritten; choose another --out, or add --resume"):
        folder.claim(out, fresh=True)


def test_two_writers_of_one_file_leave_it_whole(tmp_path):
    path, contents = tmp_path / "page.html", [bytes([number]) * 9_999 for number in range(2)]

    def write(number):
        return write_whole(path, contents[number % 2]).read_bytes() in contents

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(write, range(200)))
    assert [*tmp_path.iterdir()] == [path]


def test_who_looks_whether_a_folder_is_in_use_stops_no_run(tmp_path, monkeypatch):
    out, fcntl = tmp_path / "run", pytest.importorskip("fcntl")
    folder.claim(out, fresh=True).close()
    with (out / folder.LOCK).open("rb") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        monkeypatch.setattr("time.sleep", lambda _: fcntl.flock(looking, fcntl.LOCK_UN))
        folder.claim(out, fresh=True).close()


def test_runs_of_one_second_have_a_folder_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len({folder.new_folder("study") for _ in range(3)}) == 3
    with Run(EXPERIMENT, QUICK) as one, Run(EXPERIMENT, QUICK) as other:
        assert one.folder.parent == other.folder.parent == Path("runs")
    with pytest.raises(UsageError, match="no such data"), Run(EXPERIMENT, QUICK):
        raise UsageError("no such data")
    assert len(list(Path("runs").iterdir())) == 5


def test_an_empty_folder_is_used_and_left_where_nothing_came_of_it(tmp_path):
    with pytest.raises(UsageError, match="no such data"), Run(EXPERIMENT, at(tmp_path)) as run:
        assert read(run.folder, "manifest.json")["status"] == "running"
        with pytest.raises(UsageError, match="not overwritten"):
            Run(EXPERIMENT, at(tmp_path)).__enter__()
        with pytest.raises(UsageError, match="another process works in"):
            Run(EXPERIMENT, at(tmp_path, resume=True)).__enter__()
        raise UsageError("no such data")
    assert list(tmp_path.iterdir()) == []


def test_what_tensorboard_lacks_is_said_before_anything_is_left(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(UsageError, match="needs tensorboardX"), Run(EXPERIMENT, at(tmp_path / "run", tensorboard=True)):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 300, "/".join(["x" * 200] * 30)])
def test_a_path_that_is_too_long_is_one_sentence_and_makes_nothing(tmp_path, name):
    with pytest.raises(UsageError, match=r"is no folder that can be used \(File name too long\); choose another --out"):
        Run(EXPERIMENT, at(tmp_path / name)).__enter__()
    with pytest.raises(UsageError, match="is no folder's; give one of 1 to 200 letters"):
        checkpoint.file_name("x" * 201)
    assert list(tmp_path.iterdir()) == []


def test_brackets_in_paths_and_names_are_shown_as_they_are(tmp_path, capsys):
    name, folder = "a [red] b [/x]", tmp_path / "[bold] runs [/]"
    arm = ae.Arm(dataclasses.replace(tiny.study(epochs=1), name=name))

    def train(run):
        return run.train(arm, tiny.DATA, validation=tiny.HELD_OUT, test=tiny.HELD_OUT)

    mine = ae.Experiment("experiments.mine", "mine: of [brackets].", ae.Flags, lambda config: [arm], train)
    perform(mine, ae.Flags(epochs=1, seeds=1, out=folder))
    said = capsys.readouterr().out
    assert name in said
    assert str(folder / "report.html") in said.replace("\n", "")
    assert name in (folder / "report.html").read_text()


def test_a_folder_whose_name_is_not_utf_8_is_one_sentence_and_makes_nothing(tmp_path):
    with pytest.raises(UsageError, match=r"isn't UTF-8, as checkpoints need it; choose another --out"):
        Run(EXPERIMENT, at(tmp_path / "\udcff")).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_studies_whose_folders_would_be_one_are_refused_before_anything_is_made(tmp_path):
    study = EXPERIMENT.arms(at(tmp_path))[0].study
    arms = [ae.Arm(dataclasses.replace(study, name=name)) for name in ("lr 0.1", "LR/0.1")]
    mine = dataclasses.replace(EXPERIMENT, arms=lambda config: arms)
    with pytest.raises(UsageError, match=r"'lr 0\.1' and 'LR/0\.1' would keep their checkpoints in one folder"):
        Run(mine, at(tmp_path / "run")).__enter__()
    assert not (tmp_path / "run").exists()


def test_settings_of_jax_that_bear_on_numbers_are_noted_and_must_be_the_same(tmp_path):
    before = Run(EXPERIMENT, at(tmp_path)).manifest
    usual = unusual_settings()
    with jax.threefry_partitionable(False):
        now = Run(EXPERIMENT, at(tmp_path)).manifest
        assert unusual_settings() == {**usual, "jax_threefry_partitionable": False}
    assert resuming.differing_platform(before, now) == [("jax_threefry_partitionable", "as usual", False)]
    with pytest.raises(UsageError, match="made with jax_threefry_partitionable as usual and this is False"):
        resuming.refuse_other_run(before, now, tmp_path, at(tmp_path))
