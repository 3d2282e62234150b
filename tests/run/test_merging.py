"""Runs that are parts of one, put together to the bits of one run of all; and what is no part of it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from quick import at, perform, read, same

import jaxae as ae
from jaxae.errors import UsageError
from jaxae.files import DRAFT
from jaxae.run import manifest
from jaxae.run.merging import merge_runs
from jaxae.run.saved import load_result
from jaxae.run.steps import report_again
from jaxae.train import checkpoint
from jaxae.train.trained import Trained

BOTH = {"targets": ("unit", "standardised"), "limit": 40}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Runs of two seeds together, of each seed, and of the arms one by one."""
    folder = tmp_path_factory.mktemp("parts")
    made = {"whole": {}, "first": {"seeds": 1}, "rest": {"seed": 1, "seeds": 1}}
    made |= {targets: {"targets": (targets,)} for targets in BOTH["targets"]}
    return {name: perform(at(folder / name, **{**BOTH, **changes})) for name, changes in made.items()}


def test_parts_made_before_and_after_a_flag_came_are_merged(parts, tmp_path):
    first = Path(shutil.copytree(parts["first"], tmp_path / "first"))
    made = read(first, "manifest.json")
    del made["config"]["precision"]
    (first / "manifest.json").write_text(json.dumps({**made, "peak_memory_gib": 0.1}))
    merge_runs([first, parts["rest"]], tmp_path / "merged")
    merged, rest = read(tmp_path / "merged", "manifest.json"), read(parts["rest"], "manifest.json")
    assert merged["config"]["precision"] == "float32"
    assert merged["peak_memory_gib"] == rest["peak_memory_gib"] > 0.1


@pytest.mark.parametrize("names", [("rest", "first"), ("unit", "standardised")])
def test_merged_runs_equal_one_run_of_all(parts, names, tmp_path):
    out = tmp_path / "merged"
    merge_runs([parts[name] for name in names], out)
    assert same(out, parts["whole"])
    assert ae.results.same_findings(*(load_result(path).findings for path in (out, parts["whole"])))
    again = ae.checkpoint.variables(out, "fc standardised", lane=1)
    alone = ae.checkpoint.variables(parts["whole"], "fc standardised", lane=1)
    one, other = (found["params"]["encoder"]["Dense_0"]["kernel"] for found in (again, alone))
    np.testing.assert_array_equal(one, other)
    report_again(out)
    assert same(out, parts["whole"])
    with pytest.raises(UsageError, match=r"is not overwritten; choose another --out$"):  # it has no --resume
        merge_runs([parts[name] for name in names], out)


@pytest.mark.parametrize(("code", "again"), [("known", 0), ("other", 2), ("known+changes", 2)])
def test_merging_scores_what_other_code_has_scored(parts, code, again, tmp_path, monkeypatch):
    copies = [Path(shutil.copytree(parts[name], tmp_path / name)) for name in BOTH["targets"]]
    for copy in copies:
        made = read(copy, "manifest.json") | {"git_commit": code if "+" in code else "known"}
        (copy / "manifest.json").write_text(json.dumps(made))
    monkeypatch.setattr(manifest, "_commit", lambda: code)
    asked, evaluate = [], Trained.evaluate
    monkeypatch.setattr(Trained, "evaluate", lambda arm, *rest: asked.append(arm.name) or evaluate(arm, *rest))
    merge_runs(copies, tmp_path / "merged")
    assert read(tmp_path / "merged", "results.json") == read(parts["whole"], "results.json")
    assert len(asked) == again


@pytest.mark.parametrize(
    ("names", "changes", "words"),
    [
        (("first", "whole"), {}, "both have seed 0 of 'fc unit'; leave one of them out"),
        (
            ("first", "rest"),
            {"seeds": [2], "config": {"seed": 2}},
            "no run has seed 1; add one, made with",
        ),
        (("first", "first"), {}, "name two runs or more, each once"),
        (("unit", "rest"), {}, "both have seed 1 of 'fc unit'"),
        (("unit", "standardised"), {"seeds": [0], "config": {"seeds": 1}}, "no run has seed 1 of 'fc standardised'"),
        (("first", "rest"), {"config": {"epochs": 3}}, "have --epochs 2 and 3; merge runs of equal flags"),
        (("first", "rest"), {"git_commit": "other"}, r"made by the commits .*other; merge runs of the same code"),
        (
            ("first", "rest"),
            {"versions": {"jax": "0.9.9"}},
            r"made with jax .* and 0\.9\.9; merge runs of one platform",
        ),
        (
            ("first", "rest"),
            {"device": {"threads": 64}},
            r"made with XLA threads \d+ and 64; merge runs of one platform",
        ),
        (("first", "rest"), {"versions": {"jaxae": "9"}}, r"by the versions of jaxae .* and 9; merge runs of the same"),
        (("first", "rest"), {"measured": {"git_commit": "x"}}, "were measured again by different code"),
        (("first", "rest"), {"data": [{"sha256": "0" * 64}]}, "SHA-256 0000"),
        (("first", "rest"), {"status": "interrupted"}, "is interrupted; add .* go on with: .*python.* -m"),
    ],
)
def test_what_is_no_part_of_one_run_is_refused(parts, names, changes, words, tmp_path):
    folders = [Path(shutil.copytree(parts[name], tmp_path / f"{i}-{name}")) for i, name in enumerate(names)]
    folders = folders if names[0] != names[1] else folders[:1] * 2
    made = read(folders[-1], "manifest.json")
    for name, change in changes.items():
        old = made.get(name)
        made[name] = old | change if isinstance(old, dict) else [{**old[0], **change[0]}] if name == "data" else change
    for entry in (entry for entry in made["arms"].values() if "lanes" in entry):  # of as many as there are seeds
        entry["lanes"] = [entry["lanes"][0], entry["lanes"][0] + len(made["seeds"])]
    (folders[-1] / "manifest.json").write_text(json.dumps(made))
    with pytest.raises(UsageError, match=words):
        merge_runs(folders, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_merged_run_has_the_sources_of_all_its_parts(parts, tmp_path):
    own = {"unit": {"a": "1", "b": "2"}, "standardised": {"b": "2", "c": "3"}}
    for name, pretrained in own.items():
        folder = Path(shutil.copytree(parts[name], tmp_path / name))
        file = {"role": f"weights of {name}", "name": "w", "bytes": 1, "sha256": "0"}
        made = read(folder, "manifest.json") | {"pretrained": pretrained, "files": [file]}
        (folder / "manifest.json").write_text(json.dumps(made))
    merge_runs([tmp_path / name for name in own], tmp_path / "out")
    made = read(tmp_path / "out", "manifest.json")
    assert made["pretrained"] == {"a": "1", "b": "2", "c": "3"}
    assert {file["role"] for file in made["files"]} == {f"weights of {name}" for name in own}
    (tmp_path / "unit" / "manifest.json").write_text(
        json.dumps(read(tmp_path / "unit", "manifest.json") | {"pretrained": {"b": "other"}})
    )
    with pytest.raises(UsageError, match="used another pretrained 'b' each"):
        merge_runs([tmp_path / name for name in own], tmp_path / "again")


def test_a_merge_is_no_run_before_all_is_gathered(parts, tmp_path, monkeypatch):
    gather, out, seen = checkpoint.gather, tmp_path / "out", []

    def look(*arguments):
        seen.append([path.name for path in out.glob("*") if not path.name.endswith(DRAFT)])
        return gather(*arguments)

    monkeypatch.setattr(checkpoint, "gather", look)
    merge_runs([parts["first"], parts["rest"]], out)
    assert {*map(tuple, seen)} == {(".lock",)}
    assert read(out, "manifest.json")["status"] == "complete"


def test_parts_without_checkpoints_are_refused_and_leave_nothing(parts, tmp_path):
    first = Path(shutil.copytree(parts["first"], tmp_path / "first"))
    shutil.rmtree(first / "checkpoints")
    with pytest.raises(UsageError, match="holds no checkpoint, so its run can't be merged"):
        merge_runs([first, parts["rest"]], tmp_path / "out")
    assert not (tmp_path / "out").exists()
