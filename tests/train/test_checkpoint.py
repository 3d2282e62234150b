"""What a checkpoint refuses, and what users read from it. (Bitwise resume: test_train, test_run.)"""

import json
import shutil
from typing import Any

import numpy as np
import pytest
from tiny import DATA, HELD_OUT, Tiny, assert_same_bits, lane, roots, study

from jaxae import checkpoint, train
from jaxae.errors import UsageError


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    *_, done = train.progress(study(), roots(2), DATA, train.Plan(3), validation=HELD_OUT)
    checkpoint.save(run / "checkpoints" / "tiny", done)
    return run, done


def begin(count=2, **changes):
    return train.begin(study(**changes), roots(count), DATA, train.Plan(3), validate=True)


def test_variables_are_those_of_the_lane_as_apply_takes_them(saved):
    run, done = saved
    best = checkpoint.variables(run, "tiny", lane=1, which="best")
    assert_same_bits(best, {"params": lane(done.best.params, 1), "batch_stats": lane(done.best.batch_stats, 1)})
    outputs: Any = Tiny().apply(best, DATA)
    assert outputs.image.shape == DATA.shape


def test_nothing_saved_is_none(tmp_path):
    assert checkpoint.restore(tmp_path / "none", begin()) is None


def test_another_shape_or_dtype_is_refused_and_named(saved):
    folder = saved[0] / "checkpoints" / "tiny"
    with pytest.raises(UsageError, match=r"\(2, 4\).*at state/.*needs.*\(3, 4\)"):
        checkpoint.restore(folder, begin(count=3))
    wrong = begin()
    wrong = wrong._replace(best_loss=np.asarray(wrong.best_loss, np.float16))
    with pytest.raises(UsageError, match=r"best_loss.*float16"):
        checkpoint.restore(folder, wrong)


def test_a_checkpoint_without_a_best_model_can_not_give_one(tmp_path):
    checkpoint.save(tmp_path / "tiny", train.begin(study(), roots(2), DATA, train.Plan(3)))
    with pytest.raises(UsageError, match=r"has nothing at .*and this run needs"):
        checkpoint.restore(tmp_path / "tiny", begin())


def test_damage_is_one_sentence(saved, tmp_path):
    folder = tmp_path / "tiny"
    shutil.copytree(saved[0] / "checkpoints" / "tiny", folder)
    for path in folder.rglob("*"):
        if path.is_file() and "state" in path.parts and path.suffix not in (".json",):
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UsageError, match="damaged"):
        checkpoint.restore(folder, begin())


def test_an_array_without_its_fingerprint_is_noticed_and_training_goes_on_from_the_step_before(tmp_path):
    folder, plan = tmp_path / "checkpoints" / "tiny", train.Plan(3, chunk=2)
    for now in train.progress(study(), roots(2), DATA, plan, validation=HELD_OUT):
        checkpoint.save(folder, now)
        if int(now.done) == 8:
            break
    recorded = folder / "8" / "sha256" / "metadata"  # by which any change of an array is noticed
    digests = json.loads(recorded.read_text())
    recorded.write_text(json.dumps({**digests, "state/params/Dense_0/kernel": "0" * 64}))
    for read in (lambda: checkpoint.variables(tmp_path, "tiny"), lambda: checkpoint.gather([(folder, 0)], tmp_path)):
        with pytest.raises(
            UsageError, match=r"damaged after step 8 .*step 6 is sound: .*--resume .*step=6\) gives that"
        ):
            read()
    assert checkpoint.variables(tmp_path, "tiny", step=6)["params"].keys() == {"Dense_0", "Dense_1", "BatchNorm_0"}
    with pytest.warns(UserWarning, match="damaged after step 8 .*step 6 is sound, and taken in its place"):
        start = checkpoint.restore(folder, begin())
    for gone_on in train.progress(study(), roots(2), DATA, plan, validation=HELD_OUT, start=start):
        checkpoint.save(folder, gone_on)
    *_, whole = train.progress(study(), roots(2), DATA, plan, validation=HELD_OUT)
    assert_same_bits(gone_on, whole)
    assert (folder / "8.damaged1").is_dir()


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    folder = tmp_path_factory.mktemp("twice") / "checkpoints" / "tiny"
    for now in train.progress(study(), roots(2), DATA, train.Plan(3, chunk=2), validation=HELD_OUT):
        checkpoint.save(folder, now)
        if int(now.done) == 4:
            break
    return folder.parents[1]


def damaged(twice, tmp_path, place, content):
    """The run with a file of step 4 written anew, or None: gone."""
    run = shutil.copytree(twice, tmp_path / "run")
    path = run / "checkpoints" / "tiny" / place
    if content is not None:
        path.write_text(content)
    elif path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    return run


@pytest.mark.parametrize(
    ("place", "content", "words"),
    [
        ("4/state", None, "its state is gone"),
        ("4/best", None, "its best is gone"),
        ("4/record", None, "its record is gone"),
        ("4/sha256", None, "its sha256 is gone"),
        ("4/sha256/metadata", "[]", "fingerprints can't be read"),
        ("4/sha256/metadata", "null", "fingerprints can't be read"),
        ("4/sha256/metadata", "{}", "the SHA-256 of best/"),
        ("4/best/_METADATA", "[1]", ""),
        ("4/_CHECKPOINT_METADATA", "[1]", ""),
        ("4/_CHECKPOINT_METADATA", None, "its _CHECKPOINT_METADATA is gone"),
    ],
)
def test_whatever_is_lost_of_a_step_is_said_with_the_step_that_is_sound(twice, tmp_path, capfd, place, content, words):
    run = damaged(twice, tmp_path, place, content)
    with pytest.raises(UsageError, match=rf"damaged after step 4 \(.*{words}.*\); step 2 is sound: ") as raised:
        checkpoint.variables(run, "tiny", which="best")
    assert "\n" not in str(raised.value)
    assert capfd.readouterr() == ("", "")


def test_a_file_is_no_step_and_an_empty_folder_is_a_damaged_one(twice, tmp_path):
    run = damaged(twice, tmp_path, "999", "")
    checkpoint.variables(run, "tiny")
    (run / "checkpoints" / "tiny" / "99").mkdir()
    with pytest.raises(UsageError, match=r"damaged after step 99 .*; step 4 is sound: "):
        checkpoint.variables(run, "tiny")


def test_a_checkpoint_from_before_fingerprints_is_read(twice, tmp_path):
    run = damaged(twice, tmp_path, "4/sha256", None)
    noted = run / "checkpoints" / "tiny" / "4" / "_CHECKPOINT_METADATA"
    content = json.loads(noted.read_text())
    del content["item_handlers"]["sha256"]
    noted.write_text(json.dumps(content))
    assert_same_bits(checkpoint.variables(run, "tiny"), checkpoint.variables(twice, "tiny"))


TRAINED = {"parameters": 1, "trained_as": "tiny", "lanes": [0, 2], "scored": "state"}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"lanes": None}, r"manifest\.json: arms.tiny.lanes is None"),
        ({"lanes": [-1, 1]}, r"arms.tiny.lanes is \[-1, 1\], which is no span"),
        ({"trained_as": 5}, "arms.tiny.trained_as is 5"),
        ({"lanes": [1, 3]}, "has 2 lanes, and its run's manifest.json finds an arm in lane 2"),
    ],
)
def test_a_manifest_that_finds_no_lanes_is_one_sentence(saved, tmp_path, entry, words):
    run = shutil.copytree(saved[0], tmp_path / "run")
    (run / "manifest.json").write_text(json.dumps({"arms": {"tiny": TRAINED | entry}}))
    with pytest.raises(UsageError, match=words):
        checkpoint.variables(run, "tiny", lane=1)


def test_a_name_finds_no_other_arms_checkpoint(saved, tmp_path):
    shutil.copytree(saved[0] / "checkpoints" / "tiny", tmp_path / "checkpoints" / "lr_0.1")
    (tmp_path / "manifest.json").write_text('{"arms": {"lr 0.1": {}}}')
    checkpoint.variables(tmp_path, "lr 0.1")
    for other in ("lr/0.1", "LR 0.1", "lr_0.1"):
        with pytest.raises(UsageError, match=r"has no arm .*it has lr 0\.1"):
            checkpoint.variables(tmp_path, other)
    for name in ("", "..", "a" * 201):
        with pytest.raises(UsageError, match="is no folder's"):
            checkpoint.file_name(name)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"arm": "other"}, "no checkpoint of 'other'; it has tiny"),
        ({"lane": 2}, "no lane 2; choose 0 to 1"),
        ({"which": "latest"}, "choose one of state, best"),
    ],
)
def test_what_is_not_there_is_named(saved, arguments, words):
    with pytest.raises(UsageError, match=words):
        checkpoint.variables(saved[0], **{"arm": "tiny", **arguments})


def test_without_validation_there_is_no_best_state_to_save_and_none_to_read(saved, tmp_path):
    *_, done = train.progress(study(), roots(2), DATA, train.Plan(3))
    checkpoint.save(tmp_path / "checkpoints" / "tiny", done)
    with pytest.raises(UsageError, match="trained without validation, so it has no best state; take 'state'"):
        checkpoint.variables(tmp_path, "tiny", which="best")
    like = train.begin(study(), roots(2), DATA, train.Plan(3))
    again = checkpoint.restore(tmp_path / "checkpoints" / "tiny", like)
    assert again is not None
    assert again.best is None
    assert_same_bits(again.state, done.state)
    assert size(tmp_path) < size(saved[0])


def size(run):
    return sum(path.stat().st_size for path in (run / "checkpoints").rglob("*") if path.is_file())


def test_gathered_lanes_go_on_as_they_would_have_alone(tmp_path):
    plan = train.Plan(3, chunk=2)
    for number, part in enumerate((roots(2)[:1], roots(2)[1:])):
        for now in train.progress(study(), part, DATA, plan, validation=HELD_OUT):
            if int(now.done) == 4:
                checkpoint.save(tmp_path / str(number), now)
                break
    checkpoint.gather([(tmp_path / "0", 0), (tmp_path / "1", 0)], tmp_path / "all")
    like = train.begin(study(), roots(2), DATA, plan, validate=True)
    start = checkpoint.restore(tmp_path / "all", like)
    *_, gone_on = train.progress(study(), roots(2), DATA, plan, validation=HELD_OUT, start=start)
    *_, whole = train.progress(study(), roots(2), DATA, plan, validation=HELD_OUT)
    for name in ("state", "best", "train", "validation"):
        assert_same_bits(getattr(gone_on, name), getattr(whole, name))
