"""Findings: put together, saved and read back equal, concatenated over seeds; departures; what is refused."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from tiny import DATA, HELD_OUT, roots, study

import jaxae as ae
from experiments.fc_vs_conv import method as fc_vs_conv
from experiments.unmix import method as unmix
from jaxae import train
from jaxae.errors import UsageError
from jaxae.findings import Claim, Departure, Findings, Origin, collect, same_findings
from jaxae.findings.departures import departures
from jaxae.findings.merging import concatenated
from jaxae.findings.storage import load_arrays, load_findings, save_arrays, save_findings
from jaxae.report.numbers import reproduced, without

DATASET = {"role": "train", "name": "mnist", "split": "train", "source": "tfds", "n": 60_000}


def origin(*seeds: int, **flags: Any) -> Origin:
    return Origin(ae.Flags(seed=seeds[0], seeds=len(seeds), **flags), seeds, (DATASET,))


def made(*seeds: int, dead: tuple[int, ...] = (), slow: tuple[int, ...] = ()) -> Findings:
    """Findings in which every number says of which seed it is."""
    by = np.array(seeds, np.float64)
    still = tuple(seed for seed in seeds if seed in slow)
    living = [seed for seed in seeds if seed not in dead] or list(seeds)
    shown = ([seed for seed in living if seed not in slow] or living)[0]
    return Findings(
        origin(*seeds),
        {
            "a": {
                "m": by + 0.5,
                "odd": np.where(by == 1, np.inf, np.where(by == 2, np.nan, by)),
                "shared": np.array(3.0),
            },
            "b": {"m": 2 * by},
        },
        {"a": tuple(seed for seed in seeds if seed in dead), "b": ()},
        (ae.results.Difference("a", "b", "m", 0.5 - by),),
        {"n": 7, "words": ["x"]},
        {"a": {"curve": by[:, None] * np.arange(3.0)}},
        {"a": {"picture": np.array([shown], np.float32)}},
        {"a": {"score": (by[:, None] + np.arange(4)).astype(np.float32)}},
        dict.fromkeys("ab", still) if still else {},
    )


def test_saved_findings_are_read_back_equal(tmp_path):
    found = made(0, 1, 2, dead=(1,), slow=(0, 2))
    save_findings(tmp_path, found)
    assert same_findings(load_findings(tmp_path, found.origin), found)
    for others in (made(0, 1, 2, dead=(1,)), made(0, 1, 2, slow=(0, 2))):
        assert not same_findings(found, others)


def test_an_array_without_its_fingerprint_is_refused(tmp_path):
    path = tmp_path / "scores.npz"
    save_arrays(path, {"a": {"m": np.zeros(2)}, "b": {"m": np.zeros(2)}})
    np.savez(path, **{**np.load(path), "b/m": np.array([0.0, 5e-324])})  # the least of changes
    with pytest.raises(UsageError, match=r"scores\.npz can't be read .*the SHA-256 of b/m is not the one recorded"):
        load_arrays(path)


def test_a_flipped_bit_of_stored_arrays_is_a_sentence_or_no_change(tmp_path):
    path, array = tmp_path / "scores.npz", np.arange(300.0)
    save_arrays(path, {"a": {"b": array}})
    content, refused = path.read_bytes(), 0
    for place in range(0, len(content), 5):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            np.testing.assert_array_equal(load_arrays(path)["a"]["b"], array)
        except UsageError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("slow", [(), (0,), (0, 1), (0, 1, 2)])
@pytest.mark.parametrize("dead", [(), (0,), (0, 1), (0, 1, 2)])
def test_concatenated_seeds_are_those_of_one_run(dead, slow):
    parts = [made(0, dead=dead, slow=slow), made(1, 2, dead=dead, slow=slow)]
    assert same_findings(concatenated(parts, origin(0, 1, 2)), made(0, 1, 2, dead=dead, slow=slow))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"facts": {"n": 8}}, "different facts"),
        ({"differences": ()}, "different differences"),
        ({"measures": {"a": {"m": np.zeros(1)}}}, "different measures"),
        ({"by_seed": {}}, "different arrays"),
        (
            {"measures": {**made(1).measures, "a": {**made(1).measures["a"], "shared": np.array(4.0)}}},
            "a, shared differs",
        ),
    ],
)
def test_what_seeds_should_share_must_be_the_same(changes, words):
    with pytest.raises(UsageError, match=words):
        concatenated([made(0), dataclasses.replace(made(1), **changes)], origin(0, 1))


def test_dead_seeds_are_left_out_of_what_is_said_of_the_living():
    found = made(4, 5, 6, dead=(4,))
    assert found.living("a").tolist() == [False, True, True]
    assert found.living("b").all()
    assert found.values("a", "m").tolist() == [5.5, 6.5]
    assert found.values("a", "shared").tolist() == [3]
    assert found.difference("a", "b", "m").tolist() == [-4.5, -5.5]
    assert (found.shown("a"), found.shown("b")) == (1, 0)
    slow = dataclasses.replace(found, slow={"a": (5,)})
    assert (slow.shown("a"), slow.living("a").tolist()) == (
        2,
        [False, True, True],
    )  # pictures of one that draws several
    assert made(4, 5, dead=(4, 5)).living("a").all()  # where that would leave none


def test_rows_hold_claims_then_other_measures_then_differences():
    rows = made(0, 1, 2, dead=(1,)).rows([Claim("a", "m", 1.5, "Results")])
    assert [(row.arm, row.metric, row.n_seeds, row.excluded) for row in rows] == [
        ("a", "m", 3, ()), ("a", "m", 2, (1,)), ("a", "odd", 3, ()), ("a", "odd", 2, (1,)), ("a", "shared", 1, ()),
        ("b", "m", 3, ()), ("a", "seeds that died", 1, ()), ("a - b", "m", 3, ()), ("a - b", "m", 2, (1,)),
    ]  # fmt: skip


def test_seeds_that_show_one_picture_too_early_to_be_dead_are_named_and_counted():
    rows = made(0, 1, 2, slow=(0, 2)).rows()
    _, row = (row for row in rows if row.metric == "seeds that show one picture so far")  # of a, and of b
    assert (row.arm, row.mean) == ("b", 2)
    assert row.reading == "seeds 0, 2: too short a training to call that dead, so nothing is left out"
    other, less = (next(row for row in rows if (row.arm, row.metric) == (arm, "m")) for arm in ("b", "a - b"))
    assert (other.n_seeds, other.slow, other.mean, less.ci95) == (3, (0, 2), None, None)  # two outcomes have no mean
    assert (reproduced(less), without(less)) == (
        "0.5000, -0.5000 and -1.500", "one picture so far: seeds 0, 2"
    )  # fmt: skip
    claimed, *_ = made(0, 1, 2, slow=(0, 2)).rows([Claim("a", "m", 1.5, "Results")])
    assert (claimed.verdict, claimed.mean) == ("not comparable", None)
    assert claimed.reason.startswith("with one picture so far of seeds 0, 2: two outcomes")
    one_outcome = next(row for row in made(0, 1, slow=(0, 1)).rows() if (row.arm, row.metric) == ("b", "m"))
    assert (one_outcome.mean, one_outcome.slow) == (1.0, ())


def test_a_seed_that_died_in_one_arm_and_is_slow_in_the_other_is_left_out_once():
    found = dataclasses.replace(made(0, 1, 2, 3, dead=(0,)), slow={"b": (0,)})
    less = [row for row in found.rows() if (row.arm, row.metric) == ("a - b", "m")]
    assert [(row.excluded, row.slow, row.mean) for row in less] == [((), (), None), ((0,), (), -1.5)]


def test_a_claim_on_what_was_not_measured_is_refused_where_its_arm_ran():
    with pytest.raises(UsageError, match="the claim on 'a' is of 'n', which was not measured; name one of m, odd"):
        made(0).rows([Claim("a", "n", 1.0, "Results")])
    (row, *_) = made(0).rows([Claim("c", "n", 1.0, "Results")])
    assert row.reason == "not part of this run"


def test_findings_of_trained_arms_hold_their_curves_scores_and_means():
    done = train.fit(study(), roots(2), DATA, validation=HELD_OUT)
    scored = dataclasses.replace(done, scores=done.evaluate(HELD_OUT), alive=np.array([True, False]))
    more = {"tiny": {"l1": np.ones((2, 7), np.float32)}}
    found = collect(
        origin(0, 1), [scored], {"x": {"m": np.ones(2)}}, differences=[("tiny", "x", "m2")][:0], scores=more
    )
    np.testing.assert_array_equal(found.measures["tiny"]["train/loss/last"], done.epochs["loss"][:, -1])
    np.testing.assert_allclose(found.measures["tiny"]["test/mse"], scored.scores["mse"].mean(1), rtol=1e-6)
    assert found.measures["tiny"]["test/l1"].tolist() == [1, 1]
    assert found.measures["tiny"]["parameters"].shape == ()
    assert found.by_seed["tiny"]["validation/loss"].shape == (2, 3)
    assert found.dead == {"tiny": (1,)}


@pytest.mark.parametrize(
    ("measures", "by_seed", "words"),
    [
        ({"a": {"m": np.ones(3)}}, {}, r"a, m: \(3,\) values for 2 seeds; give one for each"),
        ({}, {"a": {"c": np.ones((3, 2))}}, r"a, c: an array of shape \(3, 2\) for 2 seeds; lead with them"),
    ],
)
def test_what_is_not_one_for_each_seed_is_refused(measures, by_seed, words):
    with pytest.raises(UsageError, match=words):
        collect(origin(0, 1), [], measures, by_seed=by_seed)


def test_a_measure_has_one_value():
    with pytest.raises(UsageError, match="a, m is measured twice"):
        ae.results.combined({"a": {"m": np.ones(1)}}, {"a": {"m": np.ones(1)}})


def test_arrays_keep_any_name_but_not_two_that_read_alike(tmp_path):
    arrays = {"lr 0.1/x": {"a, b: ü": np.arange(3)}, "": {"é": np.ones(1, np.float32)}}
    save_arrays(tmp_path / "a.npz", arrays)
    again = load_arrays(tmp_path / "a.npz")
    assert {arm: [*of] for arm, of in again.items()} == {arm: [*of] for arm, of in arrays.items()}
    with pytest.raises(UsageError, match="would have one name"):
        save_arrays(tmp_path / "b.npz", {"a/b": {"c": np.ones(1)}, "a": {"b/c": np.ones(1)}})


def test_a_run_is_judged_where_it_takes_the_reports_steps():
    """One rule: fewer images at hand are listed, and bar nothing; a limit shortens the epochs, and bars."""
    photos = {**DATASET, "name": "cifar10", "n": 5_438}
    there = departures(ae.Flags(), (photos, {**photos, "split": "test", "n": 1_017}))
    assert [departure.bars for departure in there] == [False, False]
    assert "trained on the 5,438 of cifar10's 50,000 images" in there[0].words
    cut = {**photos, "split": "train[:5438]", "of": 50_000}
    rates = departures(fc_vs_conv.Config(upsampling="nearest", learning_rates=(0.5, 0.1)), ())
    words = "with upsampling nearest in place of bilinear", "with learning rates 0.5, 0.1 in place of 1.0"
    assert rates == tuple(Departure(told, False) for told in words)
    (start,) = departures(unmix.Config(), ())  # its default isn't what the report did
    assert start == Departure("pretrained none in place of imagenet", True)
    assert departures(unmix.Config(pretrained=("imagenet",)), ()) == ()
    assert departures(ae.Flags(limit=5_438), (cut,)) == (
        Departure("5,438 of the 50,000 training images at hand", True),
    )
    changed = ae.Flags(source="synthetic", epochs=2, precision="bfloat16")
    assert [departure.words for departure in departures(changed, ())] == [
        "synthetic data", "epochs 2 in place of 10", "precision bfloat16 in place of float32",
    ]  # fmt: skip
    lossy = {**photos, "source": ae.data.AS_JPEG, "n": 50_000}
    assert departures(ae.Flags(), (lossy, lossy)) == (Departure("cifar10 re-encoded as JPEG", True),)
