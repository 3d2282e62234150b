"""What a run costs is said before it starts, and what goes on while it runs."""

import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny

import jaxae as ae
from experiments import bottleneck, digit_addition, precision
from jaxae.__main__ import main
from jaxae.run import cost, terminal
from jaxae.run.command_line import parsed

SAVED = {
    "config": {"code_sizes": [2, 8], "epochs": 10, "seeds": 2},
    "device": {"platform": "cpu", "kind": "EPYC", "cores": 2},
    "data": [{"split": "train", "n": 60_000}],
    "arms": {"code 2": {"wall_seconds": 100.0}, "code 8": {"wall_seconds": 300.0}},
    "wall_seconds": 450.0,
}


@pytest.fixture
def experiment(tmp_path):
    (tmp_path / "saved.json").write_text(json.dumps({"manifest": SAVED}))
    return dataclasses.replace(bottleneck.EXPERIMENT, measured=tmp_path / "saved.json")


def test_the_cost_goes_with_epochs_seeds_and_images(experiment):
    def seconds(**flags):
        found = cost.cost_of(experiment, bottleneck.Config(**flags))
        assert found is not None
        return found.seconds

    assert seconds(code_sizes=(2, 8), epochs=10, seeds=2) == pytest.approx(450)
    assert seconds(code_sizes=(8,), epochs=20, seeds=4) == pytest.approx(4 * 300 + 50)
    assert seconds(code_sizes=(8,), epochs=10, seeds=2, limit=6000) == pytest.approx(30 + 2.5)
    assert seconds(code_sizes=(4,), epochs=10, seeds=2) == pytest.approx(200 + 25)  # the mean of those known
    assert seconds(code_sizes=(8,), epochs=10, seeds=1) == pytest.approx(150 + 12.5)
    made = digit_addition.Config(arms=("generative-natural", "generative-course"))  # one has more pairs than images
    natural, course = cost.weights_of(digit_addition.EXPERIMENT, made).values()
    assert course / natural == pytest.approx(321_802 / 60_000)


def test_of_results_with_the_same_flags_the_quickest_that_tells_of_all_studies_counts(experiment):
    module = experiment.program[-1]
    for name, arms, flags in (
        ("quick", {"code 8": {"wall_seconds": 30.0}}, {"code_sizes": [8]}),
        ("slow", {"code 8": {"wall_seconds": 900.0}}, {"code_sizes": [8]}),
        ("other", {"code 8": {"wall_seconds": 3.0}}, {"code_sizes": [8], "batch_size": 4096}),
        ("gpu", {"code 8": {"wall_seconds": 2.0}}, {"code_sizes": [8]}),
    ):
        made = SAVED | {"module": module, "arms": arms, "config": SAVED["config"] | flags, "wall_seconds": 1.0}
        made |= {"device": {"platform": "gpu", "kind": "H200"}} if name == "gpu" else {}
        experiment.measured.with_name(f"bottleneck_{name}.json").write_text(json.dumps({"manifest": made}))
    found = cost.cost_of(experiment, bottleneck.Config(code_sizes=(8,), epochs=10, seeds=2))
    both = cost.cost_of(experiment, bottleneck.Config(code_sizes=(2, 8), epochs=10, seeds=2))
    assert found is not None
    assert both is not None
    assert (found.source, found.studies) == ("bottleneck_quick.json", {"code 8": 30.0})
    assert (both.source, sum(both.studies.values())) == ("saved.json", 400.0)


def test_what_is_not_training_is_the_median_by_lane_of_the_studys_results(experiment):
    def result(wall, **changes):
        return {"manifest": SAVED | {"module": experiment.program[-1], "wall_seconds": wall} | changes}

    beside = {"_long": result(4400.0), "_short": result(402.0), "_of_jobs": result(300.0)}  # the last tells nothing
    for name, content in (beside | {"_foreign": result(9e9, module="mine")}).items():
        experiment.measured.with_name(f"bottleneck{name}.json").write_text(json.dumps(content))
    for name, text in {"_list": "[]", "_notes": '{"manifest": 1}', "_torn": "{"}.items():
        experiment.measured.with_name(f"bottleneck{name}.json").write_text(text)
    found = cost.cost_of(experiment, bottleneck.Config(code_sizes=(2, 8), epochs=10, seeds=4))
    assert found is not None
    assert found.seconds - sum(found.studies.values()) == pytest.approx(50 / 4 * 8)


def test_a_day_is_warned_of_and_nothing_known_is_nothing_said(experiment):
    long = cost.words_of_cost(cost.cost_of(experiment, bottleneck.Config(epochs=10_000)))
    assert long.startswith("about 125 h on 2 cores of EPYC, where saved.json was measured: a day or more")
    assert cost.cost_of(experiment, bottleneck.Config(dataset="./photos")) is None
    assert cost.cost_of(experiment, bottleneck.Config(source="synthetic")) is None
    assert cost.words_of_cost(cost.cost_of(dataclasses.replace(experiment, measured=None), bottleneck.Config())) == ""


def test_memory_is_told_where_the_result_noted_it_and_what_was_not_measured_is_said(experiment):
    def told():
        found = cost.cost_of(experiment, bottleneck.Config(code_sizes=(2, 8), epochs=10, seeds=2))
        assert found is not None
        return cost.words_of_cost(found), cost.unmeasured(found)

    assert told() == (
        "about 8 min on 2 cores of EPYC, where saved.json was measured",
        " Not measured: memory, hours on a GPU.",
    )
    experiment.measured.write_text(json.dumps({"manifest": SAVED | {"peak_memory_gib": 0.61}}))
    with_memory = "about 8 min and 0.6 GiB of memory on 2 cores of EPYC, where saved.json was measured"
    assert told() == (with_memory, " Not measured: hours on a GPU.")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system doesn't tell it")
def test_the_peak_of_memory_is_the_runs_own_not_that_of_what_started_it():
    held = bytearray(700 * 2**20)
    script = "from jaxae.run.manifest import peak_memory; print(peak_memory())"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert 0 < float(told.stdout) < len(held) / 2**30 - 0.1


def test_a_cost_says_what_it_was_measured_with_and_seeds_limits_and_epochs_are_no_other_flags(experiment):
    found = cost.cost_of(experiment, bottleneck.Config(seeds=5, epochs=3, limit=500, test_limit=20, batch_size=64))
    assert found is not None
    assert (found.seeds, found.others) == (2, ("--batch-size 2048",))


def test_jobs_are_cut_by_the_saved_result_whatever_the_images(experiment):
    plain = bottleneck.Config(code_sizes=(2, 8), epochs=5)
    synthetic, own = dataclasses.replace(plain, source="synthetic"), dataclasses.replace(plain, dataset="./photos")
    for config in plain, synthetic, own:
        found = cost.weights_of(experiment, config)
        assert found == {"code 2": pytest.approx(25), "code 8": pytest.approx(75)}
    unknown = dataclasses.replace(experiment, measured=None)
    assert cost.weights_of(unknown, plain) == {"code 2": 5, "code 8": 5}


def test_runs_within_one_cost_what_they_cost_together_on_one_machine(monkeypatch):
    config = precision.Config()
    with monkeypatch.context() as patched:
        patched.setattr(cost, "machine_of", lambda made: (made["started"],))  # each was measured elsewhere
        assert cost.cost_of(precision.EXPERIMENT, config) is None
    found = cost.cost_of(precision.EXPERIMENT, config)
    assert found is not None
    each = [cost.cost_of(*own) for own in precision.EXPERIMENT.inside(config).values()]
    assert found.seconds == pytest.approx(sum(one.seconds for one in each if one is not None))


def test_a_result_is_read_for_the_help_alone(experiment, monkeypatch):
    monkeypatch.setattr("jaxae.run.cost.load_json", lambda *_: pytest.fail("it is read"))
    parsed(experiment, ["--code-sizes", "3"])


def test_the_help_begins_with_the_studys_own_flags_and_what_they_cost(experiment, capsys):
    with pytest.raises(SystemExit):
        parsed(experiment, ["-h"])
    said = capsys.readouterr().out
    assert said.index("--code-sizes") < said.index("--seeds")
    assert "Cost      with the defaults about " in said
    assert type(parsed(experiment, ["--code-sizes", "3"])) is bottleneck.Config


def test_a_fresh_machine_is_told_what_there_is_to_prepare(tmp_path, capsys):
    main(["data", "list", "--data-dir", str(tmp_path / "none")])
    said = capsys.readouterr().out
    assert all(f"data prepare {name} --data-dir" in said for name in ae.data.PREPARABLE)


def test_work_that_takes_long_says_so(monkeypatch):
    said: list[str] = []
    with terminal.Working("reading", said.append, first=0.01):
        while len(said) < 2:
            time.sleep(0.01)
    assert said[:2] == ["reading", "reading: 0 s so far"]
    with terminal.Working("compiling", said.append, at_once=False):
        said.clear()
    assert said == []


def test_fit_shows_every_epoch_when_asked():
    said: list[str] = []
    ae.train.fit(tiny.study(), tiny.roots(2), tiny.DATA, validation=tiny.HELD_OUT, epochs=2, show=said.append)
    assert [line.partition(",")[0] for line in said] == ["tiny: epoch 1/2", "tiny: epoch 2/2"]
    assert "lowest validation loss" in said[1]
