"""The last steps done again: measured and said from checkpoints, said from what was saved, checked."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from quick import EXPERIMENT, at, perform, read, same

import jaxae as ae
from jaxae import __main__ as tool
from jaxae.errors import UsageError
from jaxae.findings.storage import load_arrays, save_arrays
from jaxae.run import check, manifest
from jaxae.run.experiment import find_experiment
from jaxae.run.run import Run
from jaxae.run.saved import load_result
from jaxae.run.steps import report_again


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return perform(at(tmp_path_factory.mktemp("runs") / "done"))


def copy(done, tmp_path):
    return Path(shutil.copytree(done, tmp_path / "copy"))


@pytest.mark.parametrize("lost", ["nothing", "scores", "checkpoints", "findings.json"])
def test_a_run_is_measured_and_said_again_without_training(done, tmp_path, lost, capsys):
    folder = copy(done, tmp_path)
    if lost.endswith(".json"):
        (folder / lost).write_text("{")
    elif lost != "nothing":
        shutil.rmtree(folder / lost)
    for name in ("report.md", "report.html", "results.json", "figures/loss_curves.png"):
        (folder / name).unlink()
    report_again(folder)
    assert same(folder, done)
    assert read(folder, "manifest.json") == read(done, "manifest.json")
    assert ("no checkpoint of the trained 'fc standardised'" in capsys.readouterr().out) == (lost == "checkpoints")


def test_scores_are_measured_again_and_by_what_is_written_down(done, tmp_path, monkeypatch):
    folder = copy(done, tmp_path)
    (path,) = (folder / "scores").iterdir()
    scores = load_arrays(path)[""]
    save_arrays(path, {"": {name: values + 1 for name, values in scores.items()}})
    made = read(folder, "manifest.json")
    monkeypatch.setattr(manifest, "_commit", lambda: "another")
    report_again(folder)
    assert same(folder, done) is False  # the page names the commit
    assert (folder / "findings.json").read_bytes() == (done / "findings.json").read_bytes()
    np.testing.assert_array_equal(load_arrays(path)[""]["mse"], scores["mse"])
    now = read(folder, "manifest.json")
    assert (now["git_commit"], now["measured"]["git_commit"]) == (made["git_commit"], "another")
    assert "commit `another`" in (folder / "report.md").read_text()
    assert not check.same_code(now, {**now, "git_commit": "another"})
    monkeypatch.undo()
    report_again(folder)
    assert read(folder, "manifest.json") == made


def test_a_complete_run_stays_complete_when_going_on_is_refused(done, tmp_path):
    folder = copy(done, tmp_path)
    made = read(folder, "manifest.json")
    config = dataclasses.replace(at(folder), resume=True)
    with pytest.raises(UsageError, match="no such data"), Run(EXPERIMENT, config):
        raise UsageError("no such data")
    assert read(folder, "manifest.json") == made


def test_a_run_made_before_a_flag_came_is_gone_on_with_where_the_flag_has_its_default(done, tmp_path):
    folder = copy(done, tmp_path)
    made = read(folder, "manifest.json")
    del made["config"]["precision"]
    (folder / "manifest.json").write_text(json.dumps(made))
    with Run(EXPERIMENT, at(folder, resume=True)) as run:
        assert run.before is not None
    with (
        pytest.raises(UsageError, match="has --precision float32, not bfloat16; resume it with: "),
        Run(EXPERIMENT, at(folder, resume=True, precision="bfloat16")),
    ):
        pass


def test_findings_are_read_back_equal(done):
    found = load_result(done).findings
    assert ae.results.same_findings(found, load_result(done).findings)
    assert found.arrays["fc standardised"]["reconstructions"].dtype == np.float32
    changed = {**found.measures, "fc standardised": {**found.measures["fc standardised"], "test/mse": np.zeros(2)}}
    assert not ae.results.same_findings(found, ae.Findings(**{**vars(found), "measures": changed}))


def test_a_run_that_has_not_ended_and_a_folder_without_one_are_refused(done, tmp_path):
    folder = copy(done, tmp_path)
    (folder / "manifest.json").write_text(json.dumps({**read(done, "manifest.json"), "status": "interrupted"}))
    with pytest.raises(UsageError, match=r"has not finished .*'interrupted'.*: .*python.* -m .*--out .*copy --resume$"):
        report_again(folder)
    with pytest.raises(UsageError, match="holds no run"):
        report_again(tmp_path)


def test_files_choose_no_code(tmp_path):
    with pytest.raises(UsageError, match="isn't one of jaxae's own; name its file with --experiment"):
        find_experiment("os")
    with pytest.raises(UsageError, match=r"'experiments\.nowhere' can't be imported"):
        find_experiment("experiments.nowhere")
    with pytest.raises(UsageError, match=r"'experiments\.tables' has no EXPERIMENT"):
        find_experiment("experiments.tables")
    mine = tmp_path / "mine.py"
    mine.write_text("from experiments.fc_vs_conv import EXPERIMENT\n")
    assert find_experiment("experiments.fc_vs_conv", str(mine)) == EXPERIMENT
    found = find_experiment("../mine.py", str(mine))  # as the manifest of a run of `python ../mine.py` names it
    assert (found.program, found.name, found.arms) == (("python", "../mine.py"), "mine", EXPERIMENT.arms)


def test_saving_overwrites_nothing_but_results(done, tmp_path):
    note = tmp_path / "note.txt"
    note.write_text("precious")
    with pytest.raises(SystemExit):
        tool.main(["report", str(done), "--saved", "--save", str(note)])
    assert note.read_text() == "precious"


def test_a_saved_result_holds_when_run_again_and_a_forged_one_does_not(done, tmp_path, capsys, monkeypatch):
    saved = tmp_path / "saved.json"
    tool.main(["report", str(done), "--saved", "--save", str(saved)])
    tool.main(["check", str(saved), "--out", str(tmp_path / "again")])
    assert re.search(
        r"^report: .*again.report\.html\ncompared bitwise: 0 differences", capsys.readouterr().out, re.MULTILINE
    )
    tool.main(["check", str(saved), "--seeds", "1"])
    assert "compared bitwise, the first 1 of 2 seeds: 0 differences" in capsys.readouterr().out
    monkeypatch.setattr(manifest, "_commit", lambda: "this")
    content = json.loads(saved.read_text())
    for values in content["findings"]["measures"]["fc standardised"].values():
        if isinstance(values, list):
            values[:] = [value * (1 + 1e-12) for value in values]
    saved.write_text(json.dumps(content))
    with pytest.raises(UsageError, match="is not what was written, by its SHA-256"):
        check.check(saved, tmp_path / "forged")
    del content["findings"]["sha256"]  # as results of earlier versions are
    for commit, words in (("this", r"bitwise: [1-9]"), ("other", r"interval \(other code: [1-9].*: 0 diff")):
        content["manifest"]["git_commit"] = commit
        saved.write_text(json.dumps(content))
        how, problems = check.check(saved, tmp_path / commit)
        assert re.search(words, f"{how}: {len(problems)} differences"), how


def test_the_first_seeds_alone_are_compared_in_every_measure_of_theirs(done, tmp_path):
    found = load_result(done).findings

    def changed(first, second):
        measures = {"fc standardised": {"m": np.array([1.0, 2.0, 3.0]), "shared": np.array(7.0)}}
        mine = {"fc standardised": {"m": np.array([first, second]), "shared": np.array(8.0)}}
        return (dataclasses.replace(found, measures=of) for of in (measures, mine))

    assert check.of_first_seeds(*changed(1.0, 2.0), bitwise=True) == []
    assert len(check.of_first_seeds(*changed(1.0, 2.0 + 1e-12), bitwise=True)) == 1
    assert check.of_first_seeds(*changed(1.0, 6.9), bitwise=False) == []  # 2 + 4.968 is the end of the interval
    assert len(check.of_first_seeds(*changed(7.0, np.nan), bitwise=False)) == 2
    missing = dataclasses.replace(found, measures={})
    assert len(check.of_first_seeds(found, missing, bitwise=True)) > 5
    for seeds in (0, 3):
        with pytest.raises(UsageError, match=rf"--seeds is {seeds} and .* has 2; choose one from 1 to 2"):
            check.check(done, tmp_path / "out", seeds=seeds)


@pytest.mark.parametrize(
    ("was", "now", "strange"),
    [
        ([2.0], [2.001], []),  # one seed has no interval: within a thousandth
        ([2.0], [2.003], ["2.003 in place of 2.0"]),
        ([np.inf, 2.0], [np.inf], []),
        ([np.nan, 2.0], [2.0], ["2.0 in place of nan"]),
        ([np.nan, 1.0, 2.0, 3.0], [2.5, np.nan], []),  # the finite ones have one
        ([np.nan, 1.0, 2.0, 3.0], [9.0, np.inf], ["9.0 is not from", "inf is not from"]),
    ],
)
def test_measures_without_an_interval_are_compared_too(done, was, now, strange):
    found = load_result(done).findings
    both = (dataclasses.replace(found, measures={"fc": {"m": np.array(values)}}) for values in (was, now))
    problems = check.of_first_seeds(*both, bitwise=False)
    assert len(problems) == len(strange)
    assert all(words in problem for words, problem in zip(strange, problems, strict=True))


def test_rows_are_compared_bitwise_or_by_interval(done):
    rows = [row for row in load_result(done).findings.rows() if row.n_seeds > 1]
    near, far = (
        [ae.results.measured(row.arm, row.metric, change(np.array(row.values))) for row in rows]
        for change in (lambda values: values * (1 + 1e-12), lambda values: values + 900)
    )
    assert len(check.differences(near, rows, bitwise=True)) == len(check.differences(far, rows, bitwise=False)) > 5
    assert check.differences(near, rows, bitwise=False) == []
    assert check.differences(rows, rows[:-1], bitwise=True) == [f"{rows[-1].arm}, {rows[-1].metric}: no such row now"]
    made = read(done, "manifest.json")
    assert check.other_platform({**made, "matmul_precision": "bfloat16"}, made) == [
        ("matmul precision", "bfloat16", "float32")
    ]


def test_nothing_to_check_is_refused(done, tmp_path):
    saved = tmp_path / "saved.json"
    tool.main(["report", str(done), "--saved", "--save", str(saved)])
    content = json.loads(saved.read_text())
    content["findings"] = {**content["findings"], "measures": {}, "differences": []}
    del content["findings"]["sha256"]
    saved.write_text(json.dumps(content))
    for seeds in (None, 1):
        with pytest.raises(UsageError, match="holds no measures, so there is nothing to check"):
            check.check(saved, tmp_path / "out", seeds=seeds)


def test_other_data_is_refused_before_it_is_trained_on(done, tmp_path):
    saved = tmp_path / "saved.json"
    tool.main(["report", str(done), "--saved", "--save", str(saved)])
    content = json.loads(saved.read_text())
    content["manifest"]["data"][0]["sha256"] = "0" * 64
    saved.write_text(json.dumps(content))
    with pytest.raises(UsageError, match=r"saved\.json had .* SHA-256 0000"):
        check.check(saved, tmp_path / "out")
    assert not (tmp_path / "out").exists()  # nothing was trained
