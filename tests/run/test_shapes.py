"""What is read back from a run's folder has the shape it was written in, or one sentence names the file and field."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from quick import EXPERIMENT, at, perform, read

from jaxae.errors import UsageError
from jaxae.run import manifest, merging
from jaxae.run.steps import report_again


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return perform(at(tmp_path_factory.mktemp("runs") / "done"))


def copy(done, tmp_path):
    return Path(shutil.copytree(done, tmp_path / "copy"))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("manifest.json", "{", "is not JSON"),
        ("manifest.json", '{"format": 1}', "of format 1 and this jaxae reads 2"),
        ("manifest.json", '{"format": 2}', r"manifest\.json: arms is missing; "),
        ("findings.json", "[]", r"findings\.json: it is a list; "),
        ("findings.json", "[" * 99_999, "is not JSON"),
        ("by_seed.npz", "no zip", "can't be read as arrays"),
        ("scores.npz", "", "can't be read as arrays"),
    ],
)
def test_a_spoilt_folder_is_one_sentence_that_names_the_file(done, tmp_path, name, content, words):
    folder = copy(done, tmp_path)
    (folder / name).write_text(content)
    with pytest.raises(UsageError, match=words) as raised:
        report_again(folder, saved=True)
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "place", "content", "words"),
    [
        ("manifest.json", ["seeds"], 3, "seeds is 3"),
        ("manifest.json", ["seeds", 1], True, r"seeds\[1\] is True"),
        ("manifest.json", ["data", 0], "mnist", r"data\[0\] is 'mnist'"),
        ("manifest.json", ["data", 1, "n"], None, r"data\[1\]\.n is None"),
        ("manifest.json", ["jax_settings"], [], "jax_settings is a list"),
        ("manifest.json", ["arms", "fc standardised", "lanes"], "ab", "arms.fc standardised.lanes is 'ab'"),
        (
            "manifest.json",
            ["arms", "fc standardised", "lanes"],
            [0, 99],
            r"\[0, 99\], which is no span of 2 seeds",
        ),
        ("manifest.json", ["arms", "fc standardised", "wall_seconds"], "1", "wall_seconds is '1'"),
        ("findings.json", ["facts"], [], "facts is a list"),
        ("findings.json", ["dead", "fc standardised"], 0, "dead.fc standardised is 0"),
        (
            "findings.json",
            ["measures", "fc standardised", "test/mse"],
            {},
            "measures.fc standardised.test/mse is an obj",
        ),
        ("findings.json", ["measures", "fc standardised", "test/mse"], ["x"], "holds no findings"),
        ("history.json", ["fc standardised"], [], "fc standardised is a list"),
        ("history.json", ["fc standardised", "seeds"], None, "fc standardised.seeds is None"),
        (
            "history.json",
            ["fc standardised", "train", "loss", 1, 0],
            {},
            r"fc standardised.train.loss\[1\]\[0\] is an obj",
        ),
        ("history.json", ["fc standardised", "train", "loss", 1, 0], 0.5, "not what was written, by its SHA-256"),
    ],
)
def test_a_field_that_is_not_what_it_should_be_is_named_with_its_file(done, tmp_path, name, place, content, words):
    folder = copy(done, tmp_path)
    whole = within = read(folder, name)
    for step in place[:-1]:
        within = within[step]
    within[place[-1]] = content
    (folder / name).write_text(json.dumps(whole))
    with pytest.raises(UsageError, match=rf"{name}( holds no|: | is not what).*") as raised:
        made = manifest.load_manifest(folder)
        merging._read_history(merging.Part(folder, made, at(folder)), EXPERIMENT)
        report_again(folder, saved=True)
    assert re.search(words, str(raised.value))
    assert "\n" not in str(raised.value)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "manifest.json")
    with pytest.raises(UsageError, match="is no file, but a pipe or a device; "):
        manifest.load_manifest(tmp_path)
