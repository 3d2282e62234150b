"""A study cut into jobs for several machines: what each is, how alike in length, and together one run of all."""

import dataclasses
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from typing import Any

import jax
import pytest
from quick import EXPERIMENT, QUICK, ROOT, SAME, at, perform, read

import jaxae as ae
from experiments.fc_vs_conv.method import Config
from experiments.unmix.method import Config as Unmix
from jaxae.errors import UsageError
from jaxae.run import command_line, flags, manifest, planning, steps
from jaxae.run.experiment import find_experiment
from jaxae.run.jobs import pieces
from jaxae.run.merging import merge_runs
from jaxae.run.saved import load_result

KILLED = """
import os, sys
sys.path.append("tests")
from jaxae.run.command_line import cli
from jaxae.train import checkpoint
from quick import EXPERIMENT

save = checkpoint.save
checkpoint.save = lambda *given: (save(*given), os.kill(os.getpid(), 9))  # once the first is saved
cli(EXPERIMENT)
"""


def trained(config):
    """The names and seeds that a run trains."""
    arms = EXPERIMENT.arms(config)
    names = [name for arm in arms for name in arm.names]
    return [*itertools.product(names, range(config.seed, config.seed + config.seeds))]


@pytest.mark.parametrize("count", range(1, 13))
def test_jobs_together_are_the_run_of_all_each_training_once(count):
    whole = Config(seeds=3, seed=5, learning_rates=(1.0, 0.1))
    jobs = pieces(EXPERIMENT, whole, count, {arm.study.name: 1.0 for arm in EXPERIMENT.arms(whole)})
    assert len(jobs) == count
    assert sorted(place for job in jobs for place in trained(job)) == sorted(trained(whole))
    if 24 % count == 0:
        assert {len(trained(job)) for job in jobs} == {24 // count}


def test_jobs_are_as_alike_as_measurements_say_they_are():
    whole = Config(seeds=4, targets=("unit",))
    one, *others = pieces(EXPERIMENT, whole, 5, {"fc unit": 1.0, "conv unit": 4.0})
    assert (one.arms, one.seeds) == (("fc",), 4)
    assert [(job.arms, job.seed, job.seeds) for job in others] == [(("conv",), seed, 1) for seed in range(4)]


@pytest.mark.parametrize(
    ("name", "given", "most"),
    [
        ("denoise", {}, 9),
        ("denoise", {"improvements": ("rate", "sgd")}, 3),  # they come with an arm, which would be trained twice
        ("digit_codes", {}, 36),
        ("digit_addition", {"table": True}, 3),
        ("unmix", {"decoders": ("plain", "skip"), "consistency": (0.0, 1.0)}, 12),
        ("precision", {"seeds": 5}, 12),  # of two seeds at least
    ],
)
def test_every_study_is_cut_where_merge_can_join_it(name, given, most):
    study = find_experiment(f"experiments.{name}")
    whole = study.config(**given)
    with pytest.raises(UsageError, match=rf"can be cut into {most} jobs at most, .* and {most + 1} were asked for"):
        pieces(study, whole, most + 1, dict.fromkeys(study.trainings(whole), 1.0))
    assert len(pieces(study, whole, most, dict.fromkeys(study.trainings(whole), 1.0))) == most


def test_jobs_of_which_one_was_killed_are_merged_to_the_bits_of_one_run(tmp_path):
    perform(at(tmp_path / "whole", seeds=3, limit=40))
    folders = [tmp_path / f"job{number}" for number in (1, 2, 3)]
    configs = [at(folder, seeds=3, limit=40, job=f"{number}/3") for number, folder in enumerate(folders, 1)]
    words = flags.words_of(configs[1], local=("job", "quiet", "out")).split()
    alike = {**os.environ, "JAX_NUM_CPU_DEVICES": str(jax.device_count())}  # as many threads of XLA's as here
    command = [sys.executable, "-c", KILLED, *words]
    killed = subprocess.run(command, cwd=ROOT, env=alike, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    for config in (configs[2], configs[0]):
        job = planning.job(EXPERIMENT, config)
        steps.perform(EXPERIMENT, job.config, job=job.note)
    with pytest.raises(UsageError, match="is running; add its --data-dir, if it had one, and go on with: "):
        merge_runs(folders, tmp_path / "merged")
    with pytest.raises(UsageError, match=r"of 3 jobs, job 2 is missing; .* --job 2/3$"):
        merge_runs([folders[0], folders[2]], tmp_path / "merged")
    with pytest.raises(UsageError, match=r"of 3 jobs, jobs 1 and 2 are missing; .* --job 1/3$"):
        merge_runs([folders[2]], tmp_path / "merged")
    resumed = dataclasses.replace(planning.job(EXPERIMENT, configs[1]).config, resume=True)
    steps.perform(EXPERIMENT, resumed)  # as merge says it, by its own flags
    merge_runs(folders, tmp_path / "merged")
    for name in SAME:
        assert (tmp_path / "merged" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert ae.results.same_findings(*(load_result(tmp_path / name).findings for name in ("merged", "whole")))
    assert read(folders[1], "manifest.json")["job"]["number"] == 2
    assert "job" not in read(tmp_path / "merged", "manifest.json")


def test_a_manifest_says_which_job_it_is_of_from_the_first(tmp_path):
    def train(run):
        assert read(run.folder, "manifest.json")["job"]["of"] == 2
        raise UsageError("seen")

    job = planning.job(EXPERIMENT, at(tmp_path / "run", job="1/2"))
    with pytest.raises(UsageError, match=r"^seen$"):
        steps.perform(dataclasses.replace(EXPERIMENT, train=train), job.config, job=job.note)


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"number": "1", "of": 2, "config": {}}, r"job\.number is '1'"),
        ({"number": 1, "of": 10**12, "config": {}}, "it is job 1 of 1000000000000; take the run from a sound copy"),
        ({"number": 0, "of": 2, "config": {}}, "it is job 0 of 2"),
    ],
)
def test_a_note_of_a_job_that_is_none_is_refused(job, words, tmp_path):
    made = manifest.new_manifest(EXPERIMENT, QUICK)
    with pytest.raises(UsageError, match=words):
        manifest.known_manifest(made | {"job": job}, tmp_path)


def planned(tmp_path, monkeypatch, capsys, *words):
    """What a plan of synthetic digits says, by a result of them in which conv takes four times as long as fc."""
    monkeypatch.chdir(tmp_path)
    made = manifest.new_manifest(EXPERIMENT, Config(source="synthetic", limit=1000, targets=("unit",), seeds=2))
    told = {
        "arms": {"fc unit": {"wall_seconds": 1000.0}, "conv unit": {"wall_seconds": 4000.0}},
        "wall_seconds": 5400.0,
    }
    data = [{"role": "mnist train", "split": "train", "n": 1000, "of": 60_000}]
    (tmp_path / "saved.json").write_text(json.dumps({"manifest": {**made, **told, "data": data}}))
    study = dataclasses.replace(EXPERIMENT, measured=tmp_path / "saved.json")
    command_line.cli(study, ["--source", "synthetic", "--limit", "1000", "--targets", "unit", "--plan", *words])
    assert [*tmp_path.iterdir()] == [tmp_path / "saved.json"]
    return capsys.readouterr().out


def test_a_plan_trains_nothing_and_says_what_would_be_trained(tmp_path, monkeypatch, capsys):
    said = planned(tmp_path, monkeypatch, capsys, "--epochs", "20", "--seeds", "4", "--batch-size", "30", "--jobs", "3")
    assert re.search(r"\nconv unit +4 +20 +33 +79,200 +4\.4 h", said), said  # four times 4,000 s
    assert "In all, with measuring, about 5.8 h" in said  # 4 x 5,000 s, and 100 s a lane that are not training
    assert "; measured with 2 seeds at once, --batch-size 10." in said
    assert re.findall(r"\n(\d/3) +(\d to \d) +(\w+) ", said) == [
        ("1/3", "0 to 3", "fc"), ("2/3", "0 to 1", "conv"), ("3/3", "2 to 3", "conv")
    ]  # fmt: skip


def test_the_plan_of_a_job_is_of_that_job(tmp_path, monkeypatch, capsys):
    said = planned(tmp_path, monkeypatch, capsys, "--seeds", "4", "--job", "2/3")
    assert "--seeds 4" in said and "--job 2/3\n1 arm, 2 seeds from 0" in said, said
    assert "conv unit" in said and "fc unit" not in said


def test_a_plan_downloads_nothing(tmp_path, monkeypatch):
    unmix = find_experiment("experiments.unmix")
    monkeypatch.setattr("jaxae.models.weights.imagenet", lambda: pytest.fail("it downloads"))
    planning.show(unmix, Unmix(source="synthetic", pretrained=("imagenet",), quiet=True))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"job": "3"}, "--job is 3; give its number, from 1 up, and how many there are, such as 3/8"),
        ({"job": "0/4"}, "--job is 0/4"),
        ({"job": "5/4"}, "--job is 5/4"),
        ({"jobs": 4}, "--jobs 4 is for --plan alone; train one of them with --job 1/4"),
    ],
)
def test_what_is_no_job_is_refused(changes, words, tmp_path):
    with pytest.raises(UsageError, match=words):
        planning.job(EXPERIMENT, dataclasses.replace(QUICK, out=tmp_path / "run", **changes))


def test_a_study_that_trains_nothing_is_neither_cut_nor_planned():
    idle = dataclasses.replace(EXPERIMENT, arms=lambda config: [])
    with pytest.raises(UsageError, match="has no arms of its own, so it can't be cut into jobs"):
        planning.job(idle, dataclasses.replace(QUICK, job="1/2"))
    with pytest.raises(UsageError, match="has no arms of its own, so there is nothing to plan"):
        planning.show(idle, dataclasses.replace(QUICK, plan=True))


def test_a_plan_of_runs_within_a_run_is_of_all_of_them(capsys):
    precision: Any = find_experiment("experiments.precision")
    whole = precision.config(studies=("fc_vs_conv",), source="synthetic", limit=400, jobs=1, plan=True)
    planning.show(precision, whole)
    said = capsys.readouterr().out
    for kind in ("float32", "bfloat16"):
        assert re.search(rf"\nfc_vs_conv-{kind}: .*3 +1 +40 +1,200 ", said), said
    assert re.search(r"\n1/1 +0 to 2 ", said), said


def test_a_study_that_trains_on_what_it_trained_can_not_be_planned():
    def train(run):
        (first,) = run.train(EXPERIMENT.arms(run.config)[0], run.data("mnist", "train")).values()
        return first.variables()

    with pytest.raises(UsageError, match="'fc standardised' is used while the study trains, so it can't be planned"):
        planning.show(dataclasses.replace(EXPERIMENT, train=train), QUICK)


def test_a_plan_refuses_to_stream_what_can_not_be():
    def train(run):
        study = EXPERIMENT.arms(run.config)[0].study
        imageless = dataclasses.replace(
            study, batch=lambda key, data, index: ae.Batch(data.label[index], data.label[index])
        )
        return run.train(imageless, run.data("mnist", "train"))

    with pytest.raises(UsageError, match=r"its batches take no stored images.*; leave out --stream$"):
        planning.show(dataclasses.replace(EXPERIMENT, train=train), dataclasses.replace(QUICK, stream=True))
    with pytest.raises(UsageError, match=r"--stream: digit_addition takes two images for each pair.*; leave it out"):
        find_experiment("experiments.digit_addition").config(stream=True)


@pytest.mark.parametrize("name", ["denoise", "bottleneck", "digit_codes", "digit_addition", "unmix"])
def test_a_plan_needs_no_data_at_hand(name, tmp_path, capsys):
    study = find_experiment(f"experiments.{name}")
    planning.show(study, study.config(data_dir=tmp_path, quiet=True))
    said = " ".join(capsys.readouterr().out.split())
    assert re.search(r"Not prepared here, and counted with all its official images: (mnist|cifar10)", said)
    assert " cores of " in said  # of the committed result
