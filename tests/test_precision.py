"""precision: the differences are those of the runs it made, and an interrupted one goes on with those it has."""

import json

import numpy as np
import pytest

import jaxae as ae
from experiments import fc_vs_conv, precision
from jaxae.run import Interrupted

FLAGS = {"source": "synthetic", "limit": 40, "seeds": 2, "studies": ("fc_vs_conv",), "quiet": True}


def values(folder, arm, metric):
    rows = json.loads((folder / "results.json").read_text())
    return np.array([row["values"] for row in rows if (row["arm"], row["metric"]) == (arm, metric)])


def test_differences_are_those_of_two_runs_and_one_goes_on_with_them(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXAE_CACHE", str(tmp_path / "cache"))
    study = fc_vs_conv, {"targets": ("unit",), "arms": ("fc",)}, ("test/mse",)
    monkeypatch.setitem(precision.STUDIES, "fc_vs_conv", study)
    run, stop = fc_vs_conv.main, lambda config: (_ for _ in ()).throw(Interrupted(15, "the study's own command"))
    monkeypatch.setattr(fc_vs_conv, "main", lambda config: (run if config.precision == "float32" else stop)(config))
    folder = tmp_path / "run"
    with pytest.raises(Interrupted, match=r"experiments\.precision .* --resume"):
        precision.main(precision.Config(**FLAGS, out=folder))

    def fail(config):
        raise ae.UsageError("no")

    monkeypatch.setattr(fc_vs_conv, "main", fail)
    before = (folder / "runs/fc_vs_conv-float32/results.json").stat().st_mtime_ns
    with pytest.raises(ae.UsageError, match="no"):
        precision.main(precision.Config(**FLAGS, out=folder, resume=True))
    monkeypatch.setattr(fc_vs_conv, "main", run)
    precision.main(precision.Config(**FLAGS, out=folder, resume=True))
    assert (folder / "runs/fc_vs_conv-float32/results.json").stat().st_mtime_ns == before
    wide, narrow = (
        values(folder / f"runs/fc_vs_conv-{name}", "fc unit", "test/mse") for name in ("float32", "bfloat16")
    )
    assert wide.shape == (1, 2)
    assert (wide != narrow).all()
    np.testing.assert_array_equal(values(folder, "fc_vs_conv: fc unit", "test/mse, bfloat16 - float32"), narrow - wide)
