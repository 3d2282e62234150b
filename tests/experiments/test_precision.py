"""precision: its differences are those of the runs it made, and it goes on with those that were interrupted."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

import jaxae as ae
from experiments import fc_vs_conv, precision
from experiments.precision import method, words
from jaxae.findings.storage import load_findings
from jaxae.run import planning
from jaxae.run.merging import merge_runs
from jaxae.run.run import Run
from jaxae.run.saved import load_result
from jaxae.run.signals import Interrupted
from jaxae.run.steps import perform, report_again

COMMITTED = Path(precision.__file__).parents[1] / "results"
FLAGS = {"source": "synthetic", "limit": 40, "seeds": 2, "studies": ("fc_vs_conv",), "quiet": True}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Sets what the only study, of fc alone, trains: by a function in place of its `train`."""
    monkeypatch.setenv("JAXAE_CACHE", str(tmp_path / "cache"))

    def trained_by(train):
        experiment = dataclasses.replace(fc_vs_conv.EXPERIMENT, train=train)
        part = method.Part(experiment, {"targets": ("unit",), "arms": ("fc",)}, ("test/mse",))
        monkeypatch.setitem(method.STUDIES, "fc_vs_conv", part)

    return trained_by


def perform_in(folder, **more):
    return perform(precision.EXPERIMENT, precision.Config(**FLAGS, **more, out=folder))


def values(folder, arm, metric):
    return load_result(folder).findings.measures[arm][metric]


def test_differences_are_those_of_two_runs_and_one_goes_on_with_them(study, tmp_path):
    def interrupted(run):
        if run.config.precision == "float32":
            return fc_vs_conv.EXPERIMENT.train(run)
        raise Interrupted(15, "the study's own command")

    folder = tmp_path / "run"
    study(interrupted)
    with pytest.raises(Interrupted, match=r"experiments\.precision .* --resume"):
        perform_in(folder)
    study(fc_vs_conv.EXPERIMENT.train)
    before = (folder / "runs/fc_vs_conv-float32/results.json").stat().st_mtime_ns
    perform_in(folder, resume=True)
    assert (folder / "runs/fc_vs_conv-float32/results.json").stat().st_mtime_ns == before
    wide, narrow = (values(folder / "runs" / f"fc_vs_conv-{p}", "fc unit", "test/mse") for p in ("float32", "bfloat16"))
    assert wide.shape == (2,)
    assert (wide != narrow).all()
    metric = "test/mse, bfloat16 - float32"
    np.testing.assert_array_equal(values(folder, "fc_vs_conv: fc unit", metric), narrow - wide)
    rows = json.loads((folder / "results.json").read_text())
    assert [(row["arm"], row["metric"]) for row in rows] == [("fc_vs_conv: fc unit", metric)]
    line = re.search(r"\| fc_vs_conv \| fc unit \| `test/mse` \|(.*)", (folder / "report.md").read_text())
    assert line
    assert "—" not in line[1]


def test_a_report_reads_the_inner_runs_and_trains_none(study, tmp_path):
    study(fc_vs_conv.EXPERIMENT.train)
    folder = perform_in(tmp_path / "run")
    before = (folder / "findings.json").read_bytes()
    (folder / "findings.json").write_bytes(
        before.replace(b'"untrained": {}', b'"untrained": {"it": "is not measured"}')
    )

    def refuse(run):
        raise AssertionError("it trains")

    study(refuse)
    report_again(folder)
    assert (folder / "findings.json").read_bytes() == before
    inner = folder / "runs/fc_vs_conv-bfloat16"
    inner.rename(tmp_path / "elsewhere")
    config = precision.Config(**FLAGS, out=folder)
    with (
        pytest.raises(ae.UsageError, match=r"fc_vs_conv-bfloat16 holds no complete run, .* train it with: \S*python"),
        Run(precision.EXPERIMENT, config, training=False) as run,
    ):
        method.train(run)


def test_means_in_words_are_rounded_to_their_uncertainty():
    said = ("19.17 ± 2.8", "12.69 ± 13", "18.97 ± 81", "0.1341 ± 0.0066", "0.5, 0.6", "3 ± 0")
    assert [words.to_uncertainty(each) for each in said] == [
        "19.2 ± 2.8", "13 ± 13", "20 ± 80", "0.134 ± 0.007", "0.5, 0.6", "3 ± 0",
    ]  # fmt: skip


def test_a_signal_in_the_last_moments_of_a_study_stops_the_whole(study, tmp_path):
    def late(run):
        trained = fc_vs_conv.EXPERIMENT.train(run)
        run.stop.number = 15
        return trained

    study(late)
    with pytest.raises(Interrupted, match=r"experiments\.precision"):
        perform_in(tmp_path / "run")
    assert not (tmp_path / "run/runs/fc_vs_conv-bfloat16").exists()


def test_a_study_that_does_not_train_in_a_precision_is_named_and_its_data_refused_otherwise(study, tmp_path, capsys):
    def refuse(run):
        raise ae.UsageError("seed 0: a loss that is not finite") from cause

    study(refuse)
    cause = None
    with pytest.raises(ae.UsageError, match="fc_vs_conv in float32: seed 0"):
        perform_in(tmp_path / "refused")
    cause = ae.train.NonFiniteLossError.__new__(ae.train.NonFiniteLossError)
    folder = perform_in(tmp_path / "named")
    found = load_findings(folder, load_result(folder).findings.origin)
    assert found.facts["untrained"].keys() == {"fc_vs_conv in float32", "fc_vs_conv in bfloat16"}
    said = precision.say(found).conclusions
    assert said.startswith("- fc_vs_conv in float32 can't be trained: seed 0: a loss that is not finite.")
    before = (folder / "findings.json").read_bytes()
    report_again(folder)
    assert (folder / "findings.json").read_bytes() == before
    assert "not measured again" not in capsys.readouterr().out


def test_runs_that_left_a_study_out_are_merged_with_the_reason(study, tmp_path, monkeypatch):
    def refuse(run):
        raise ae.UsageError("a loss that is not finite") from ae.train.NonFiniteLossError.__new__(
            ae.train.NonFiniteLossError
        )

    study(refuse)
    monkeypatch.setitem(method.STUDIES, "bottleneck", method.STUDIES["fc_vs_conv"])
    one = perform_in(tmp_path / "one")
    later = perform(precision.EXPERIMENT, precision.Config(**FLAGS, seed=2, out=tmp_path / "later"))
    other = {**FLAGS, "studies": ("bottleneck",)}
    other = perform(precision.EXPERIMENT, precision.Config(**other, out=tmp_path / "other"))
    for second, studies in ((later, ["fc_vs_conv"]), (other, ["fc_vs_conv", "bottleneck"])):
        merged = merge_runs([one, second], tmp_path / f"merged with {second.name}")
        why = load_result(merged.parent if merged.is_file() else merged).findings.facts["untrained"]
        assert {*why} == {f"{name} in {kind}" for name in studies for kind in ("float32", "bfloat16")}


@pytest.mark.slow
def test_jobs_of_studies_and_of_seeds_are_merged_to_the_run_of_all(study, tmp_path, monkeypatch):
    study(fc_vs_conv.EXPERIMENT.train)
    other = method.STUDIES["fc_vs_conv"]._replace(flags={"targets": ("standardised",), "arms": ("fc",)})
    monkeypatch.setitem(method.STUDIES, "bottleneck", other)
    given = {**FLAGS, "seeds": 4, "studies": ("fc_vs_conv", "bottleneck")}
    whole = perform(precision.EXPERIMENT, precision.Config(**given, out=tmp_path / "whole"))
    folders = [tmp_path / f"job{number}" for number in (1, 2, 3)]
    jobs = [
        planning.job(precision.EXPERIMENT, precision.Config(**given, out=folder, job=f"{number}/3"))
        for number, folder in enumerate(folders, 1)
    ]
    assert sorted(job.config.seeds for job in jobs) == [2, 2, 4]
    for job in jobs:
        perform(precision.EXPERIMENT, job.config, job=job.note)
    with pytest.raises(ae.UsageError, match=r"of 3 jobs, job 3 is missing; .* --job 3/3$"):
        merge_runs(folders[:2], tmp_path / "merged")
    merge_runs(folders, tmp_path / "merged")
    for name in ("findings.json", "results.json", "report.md"):
        assert (tmp_path / "merged" / name).read_bytes() == (whole / name).read_bytes(), name


def test_studies_are_trained_in_either_precision_and_in_the_batches_asked_for():
    config = precision.Config(studies=("fc_vs_conv", "unmix"), batch_size=4)
    for name in config.studies:
        given = [method.config_of(config, name, kind) for kind in config.both]
        assert [(each.precision, each.batch_size) for each in given] == [("float32", 4), ("bfloat16", 4)]


def test_a_study_that_images_can_not_be_read_for_is_refused_before_any_is_trained():
    with pytest.raises(ae.UsageError, match=r"digit_addition can't be trained so; .* --studies fc_vs_conv bottleneck"):
        precision.Config(stream=True)
    assert precision.Config(stream=True, studies=("fc_vs_conv",)).stream


@pytest.mark.parametrize("name", method.STUDIES)
def test_every_measure_is_one_of_the_study(name):
    found = load_result(COMMITTED / f"{name}.json").findings
    assert {*method.STUDIES[name].measures} <= {metric for of in found.measures.values() for metric in of}
