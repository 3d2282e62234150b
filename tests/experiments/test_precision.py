"""precision: its differences are those of the runs it made, and it goes on with those that were interrupted."""

import json
from pathlib import Path

import numpy as np
import pytest

import jaxae as ae
from experiments import fc_vs_conv, precision
from jaxae.train.plan import NonFiniteLossError
from jaxae.run.run import Interrupted

COMMITTED = Path(precision.__file__).parent / "results"
FLAGS = {"source": "synthetic", "limit": 40, "seeds": 2, "studies": ("fc_vs_conv",), "quiet": True}


@pytest.fixture
def only_fc(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXAE_CACHE", str(tmp_path / "cache"))
    study = fc_vs_conv, {"targets": ("unit",), "arms": ("fc",)}, ("test/mse",)
    monkeypatch.setitem(precision.STUDIES, "fc_vs_conv", study)
    return fc_vs_conv.main


def values(folder, arm, metric):
    rows = json.loads((folder / "results.json").read_text())
    return np.array([row["values"] for row in rows if (row["arm"], row["metric"]) == (arm, metric)])


def test_differences_are_those_of_two_runs_and_one_goes_on_with_them(only_fc, tmp_path, monkeypatch):
    def interrupted(config):
        if config.precision == "float32":
            return only_fc(config)
        with ae.Run(config):
            raise Interrupted(15, "the study's own command")

    folder = tmp_path / "run"
    monkeypatch.setattr(fc_vs_conv, "main", interrupted)
    with pytest.raises(Interrupted, match=r"experiments\.precision .* --resume"):
        precision.main(precision.Config(**FLAGS, out=folder))
    monkeypatch.setattr(fc_vs_conv, "main", only_fc)
    before = (folder / "runs/fc_vs_conv-float32/results.json").stat().st_mtime_ns
    precision.main(precision.Config(**FLAGS, out=folder, resume=True))
    assert (folder / "runs/fc_vs_conv-float32/results.json").stat().st_mtime_ns == before
    wide, narrow = (values(folder / "runs" / f"fc_vs_conv-{p}", "fc unit", "test/mse") for p in ("float32", "bfloat16"))
    assert wide.shape == (1, 2)
    assert (wide != narrow).all()
    np.testing.assert_array_equal(values(folder, "fc_vs_conv: fc unit", "test/mse, bfloat16 - float32"), narrow - wide)


def test_a_signal_in_the_last_moments_of_a_study_stops_the_whole(only_fc, tmp_path, monkeypatch):
    def late(config):
        with ae.Run(config) as run:
            run.signal = 15

    monkeypatch.setattr(fc_vs_conv, "main", late)
    with pytest.raises(Interrupted, match=r"experiments\.precision"):
        precision.main(precision.Config(**FLAGS, out=tmp_path / "run"))
    assert not (tmp_path / "run/runs/fc_vs_conv-bfloat16").exists()


def test_a_study_that_does_not_train_in_a_precision_is_named_and_its_data_refused_otherwise(
    only_fc, tmp_path, monkeypatch
):
    def refuse(config):
        raise ae.UsageError("seed 0: a loss that is not finite") from cause

    monkeypatch.setattr(fc_vs_conv, "main", refuse)
    cause = None
    with pytest.raises(ae.UsageError, match="fc_vs_conv in float32: seed 0"):
        precision.main(precision.Config(**FLAGS, out=tmp_path / "refused"))
    cause = NonFiniteLossError.__new__(NonFiniteLossError)
    precision.main(precision.Config(**FLAGS, out=tmp_path / "named"))
    notes = json.loads((tmp_path / "named/manifest.json").read_text())["notes"]
    assert notes[0].startswith("fc_vs_conv can't be trained in float32: seed 0")


@pytest.mark.parametrize("name", precision.STUDIES)
def test_every_measure_is_one_of_the_study(name):
    rows = json.loads((COMMITTED / f"{name}.json").read_text())["rows"]
    assert {*precision.STUDIES[name][2]} <= {row["metric"] for row in rows}
