"""A run as a user has it: the folder it leaves, what it refuses, and real processes stopped and resumed."""

import dataclasses
import json
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from quick import EXPERIMENT, QUICK, ROOT, SAME, at, perform, read

import jaxae as ae
from jaxae import checkpoint
from jaxae.errors import UsageError
from jaxae.findings.departures import departures
from jaxae.run import command_line, flags, sources, steps
from jaxae.run.run import Run
from jaxae.run.saved import load_result
from jaxae.run.signals import Interrupted


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return perform(at(tmp_path_factory.mktemp("runs") / "done"))


def copy(done, tmp_path):
    return Path(shutil.copytree(done, tmp_path / "copy"))


def test_the_folder_holds_everything(done):
    manifest, history, rows = (read(done, f"{name}.json") for name in ("manifest", "history", "results"))
    assert manifest["module"] == "experiments.fc_vs_conv"
    assert manifest["status"] == "complete"
    assert manifest["command"] == (
        "python -m experiments.fc_vs_conv --seeds 2 --epochs 2 --limit 200 --source synthetic --arms fc "
        "--targets standardised"
    )
    assert [(entry["name"], entry["n"]) for entry in manifest["data"]] == [
        ("synthetic_digits", 200),
        ("synthetic_digits", 2000),
    ]
    losses = history["fc standardised"]["train"]["loss"]
    assert np.shape(losses) == (2, 2)
    scores = np.load(done / "scores.npz")
    assert scores["fc standardised/psnr"].shape == (2, 2000)
    claimed = {(row["arm"], row["metric"]): row for row in rows if row["reported"] is not None}
    row = claimed["fc standardised", "train/loss/mean over epochs"]
    assert row["values"] == pytest.approx(np.mean(losses, 1), rel=1e-12)
    assert row["verdict"] == "not comparable"
    assert "synthetic" in row["reason"]
    assert "SYNTHETIC" in (done / "report.html").read_text().upper()
    assert (done / "figures" / "reconstructions.png").stat().st_size > 10_000


def test_parameters_are_exactly_the_reports(done):
    assert load_result(done).findings.measures["fc standardised"]["parameters"] == 468_368
    assert read(done, "manifest.json")["arms"]["fc standardised"]["parameters"] == 468_368


def test_arms_of_settings_are_loaded_by_the_names_in_the_table(tmp_path):
    perform(at(tmp_path / "rates", learning_rates=(0.5, 0.1), epochs=1))
    slow, fast = (checkpoint.variables(tmp_path / "rates", f"fc standardised rate {rate}") for rate in (0.1, 0.5))
    alone = tmp_path / "alone"
    perform(at(alone, learning_rates=(0.1,), epochs=1))
    jax.tree.map(np.testing.assert_array_equal, slow, checkpoint.variables(alone, "fc standardised rate 0.1"))
    kernels = [variables["params"]["encoder"]["Dense_0"]["kernel"] for variables in (slow, fast)]
    assert not np.array_equal(*kernels)
    with pytest.raises(UsageError, match="has 2 lanes, so no lane 2"):
        checkpoint.variables(alone, "fc standardised rate 0.1", lane=2)


def test_a_run_has_the_same_bytes_on_any_number_of_devices(tmp_path):
    for devices in (1, 2, 4):
        perform(at(tmp_path / str(devices), arms=("conv",), devices=devices, seeds=1, batch_size=20))
    for name in SAME:
        assert len({(tmp_path / folder / name).read_bytes() for folder in "124"}) == 1, name


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 3}, r"--epochs 2, not 3"),
        ({"learning_rates": (0.5,)}, r"--learning-rates \[1.0\], not \[0.5\]"),
        ({"seed": 7}, r"--seed 0, not 7"),
    ],
)
def test_resuming_with_other_flags_is_refused_and_named(done, changes, words):
    with pytest.raises(UsageError, match=words):
        perform(at(done, resume=True, **changes))


def test_resuming_on_other_data_or_versions_is_refused(done, tmp_path):
    folder = copy(done, tmp_path)
    manifest = read(folder, "manifest.json")
    forged = [{**entry, "sha256": "0" * 64} for entry in manifest["data"]]
    (folder / "manifest.json").write_text(json.dumps({**manifest, "data": forged}))
    for _ in range(2):  # a refusal leaves the fingerprints as they were
        with pytest.raises(UsageError, match=r"SHA-256 000000000000.* and this is synthetic_digits"):
            perform(at(folder, resume=True))
    versions = {**manifest["versions"], "jax": "0.9.9"}
    (folder / "manifest.json").write_text(json.dumps({**manifest, "versions": versions}))
    with pytest.raises(UsageError, match=r"jax 0\.9\.9 and this is .*--force"):
        perform(at(folder, resume=True))
    device = {**manifest["device"], "threads": 64}  # of a machine with other cores
    (folder / "manifest.json").write_text(json.dumps({**manifest, "device": device}))
    with pytest.raises(UsageError, match=r"with XLA threads 64 and this is \d+, so it can't go on bitwise.*--force"):
        perform(at(folder, resume=True))


def test_resuming_what_is_complete_changes_nothing(done, tmp_path):
    folder = copy(done, tmp_path)
    perform(at(folder, resume=True))
    for name in SAME:
        assert (folder / name).read_bytes() == (done / name).read_bytes(), name


def test_an_existing_folder_is_never_overwritten(done):
    before = (done / "results.json").read_bytes()
    with pytest.raises(UsageError, match="exists and is not overwritten"):
        perform(at(done))
    assert (done / "results.json").read_bytes() == before


def test_a_loss_that_is_not_finite_stops_with_arm_seed_epoch_and_step(tmp_path):
    with pytest.raises(
        UsageError, match=r"fc standardised rate 1e\+38, seed 0: the loss is nan at step \d+ of epoch 1"
    ):
        perform(at(tmp_path / "hot", learning_rates=(1e38,)))
    assert not (tmp_path / "hot").exists()  # nothing was trained that could be kept


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seeds": 0}, "--seeds is 0"),
        ({"seed": -1}, "--seed is -1; with 2 seeds, choose one from 0 to 4294967294"),
        ({"limit": -5}, "--limit is -5"),
        ({"resume": True, "out": None}, "--resume needs --out"),
        ({"data_dir": Path("there")}, "--data-dir is there, and --source synthetic reads no folder; leave one out"),
        ({"force": True}, "--force is for --resume"),
        ({"arms": ("fc", "fc")}, "--arms fc fc names one twice"),
        ({"targets": ()}, "--targets is given without a value"),
        ({"learning_rates": (float("inf"),)}, "--learning-rates is inf"),
        ({"seeds": 2**32 + 1}, "--seeds is 4294967297; it may be at most 10,000"),
        ({"epochs": 10**12}, "--epochs is 1000000000000; it may be at most 1,000,000"),
        ({"learning_rates": (0.5, 0.50000001)}, "--learning-rates 0.5 0.50000001 are the same to six digits"),
        ({"learning_rates": (1e-60,)}, "--learning-rates is 1e-60, which float32 can't hold"),
        ({"learning_rates": (1.0, -0.5)}, "--learning-rates -0.5: give rates above 0"),
    ],
)
def test_bad_flags_are_refused(changes, words):
    with pytest.raises(UsageError, match=words):
        dataclasses.replace(QUICK, **changes)


def test_errors_are_one_sentence_and_a_status(capsys, tmp_path):
    with pytest.raises(SystemExit) as stopped:
        words = ["--data-dir", "/no/such/folder", "--quiet", "--out", str(tmp_path / "out")]
        command_line.cli(EXPERIMENT, words)
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()  # the corrected command can have it


def test_the_command_line_gives_its_config_back():
    config = dataclasses.replace(QUICK, learning_rates=(1.0, 0.1), out=Path("a b"))
    words = shlex.split(EXPERIMENT.command(config, local=("out", "quiet")))
    assert words[:3] == ["python", "-m", "experiments.fc_vs_conv"]
    assert command_line.parsed(EXPERIMENT, words[3:]) == config
    assert flags.restored(type(config), json.loads(json.dumps(flags.science(config)))) == flags.scientific(config)


def test_help_shows_the_card_line_by_line_and_no_default_that_is_none(capsys):
    with pytest.raises(SystemExit):
        command_line.parsed(EXPERIMENT, ["--help"])
    said = capsys.readouterr().out
    for word in ("Source", "Expected", "Run", "Also"):
        assert f"\n  {word:<10}" in said
    assert "None" not in said
    assert "--no-" not in said


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing stopped, long enough to be stopped after its first epoch."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    config = dataclasses.replace(QUICK, targets=("unit",), limit=3000, epochs=6, out=folder, quiet=False)
    perform(config)
    return folder, shlex.split(EXPERIMENT.command(config))[1:]


def test_a_process_stopped_twice_resumes_to_the_bits_of_one_never_stopped(whole, tmp_path):
    folder, words = whole
    again = [sys.executable, *words, "--out", str(tmp_path / "stopped")]
    for number, epoch in ((signal.SIGHUP, 1), (signal.SIGINT, 3)):
        with subprocess.Popen(again, cwd=ROOT, stdout=-1, stderr=-1, text=True) as process:
            next(line for line in process.stdout or () if f"epoch {epoch}/6" in line)
            process.send_signal(number)
            said = process.communicate()[1]
        assert process.returncode == 128 + number, said
        assert read(tmp_path / "stopped", "manifest.json")["status"] == "interrupted"
        again = shlex.split(said.partition("go on with: ")[2])  # as it is pasted
    subprocess.run(again, cwd=ROOT, check=True, capture_output=True)
    for name in (*SAME, "figures/reconstructions.png"):
        assert (tmp_path / "stopped" / name).read_bytes() == (folder / name).read_bytes(), name
    assert ae.results.same_findings(*(load_result(path).findings for path in (folder, tmp_path / "stopped")))


def test_ctrl_c_after_a_signal_while_the_report_is_drawn_says_what_draws_it(tmp_path, monkeypatch):
    def drawn(*_):
        signal.raise_signal(signal.SIGTERM)  # which waits for the report
        raise KeyboardInterrupt

    monkeypatch.setattr(steps, "write_pages", drawn)
    with pytest.raises(Interrupted, match=r"go on with: .* -m jaxae report .*run$"):
        perform(at(tmp_path / "run"))
    assert read(tmp_path / "run", "manifest.json")["status"] == "complete"
    monkeypatch.undo()
    assert steps.report_again(tmp_path / "run").is_file()


@pytest.mark.parametrize("later", [False, True])
def test_flags_that_list_things_are_known_however_the_types_are_written(later, tmp_path):
    source = "from __future__ import annotations\n" * later + "import dataclasses, jaxae as ae\n"
    source += "@dataclasses.dataclass(frozen=True, kw_only=True)\nclass Config(ae.Flags):\n"
    source += "    arms: tuple[str, ...] = ('a',)\n    widths: tuple[int, int] = (8, 8)\n"
    names: dict = {"__name__": "jaxae"}
    exec(compile(source, "config", "exec"), names)
    assert flags.listing(names["Config"]) == ("arms",)
    with pytest.raises(UsageError, match="--arms a a names one twice"):
        names["Config"](arms=("a", "a"))


def test_data_are_loaded_once(tmp_path):
    with Run(EXPERIMENT, at(tmp_path / "run")) as run:
        assert run.data("mnist", "train") is run.data("mnist", "train")
        assert len(run.data("mnist", "train", use="whole")) > len(run.data("mnist", "train"))
    assert [entry.get("of") for entry in run.manifest["data"]] == [10_000, None]


def test_limits_are_noted_and_keep_a_run_from_being_judged(tmp_path):
    uses: tuple[tuple[str, sources.Use], ...] = (
        ("train", "study"),
        ("train", "judge"),
        ("train", "whole"),
        ("test", "study"),
    )
    with Run(EXPERIMENT, at(tmp_path / "run", test_limit=50, judge_limit=300)) as run:
        assert [len(run.data("mnist", split, use=use)) for split, use in uses] == [200, 300, 10_000, 50]
        assert run.limited
    barred = [departure.words for departure in departures(run.config, run.manifest["data"]) if departure.bars]
    for words in ("200 of the 10,000 training images at hand", "50 of the 2,000 test images at hand",
                  "300 of the 10,000 training images at hand, for the judge"):  # fmt: skip
        assert words in barred
    with Run(EXPERIMENT, at(tmp_path / "other", limit=None, judge_limit=300)) as run:
        assert len(run.data("mnist", "train", use="judge")) == 300
        assert not run.limited
