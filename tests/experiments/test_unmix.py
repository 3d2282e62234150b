"""The study `unmix`: its loss, the formula's error, its claims, and the contracts of training for its model."""

import dataclasses
import functools
import itertools
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from tiny import assert_same_bits, lane, roots

import jaxae as ae
from experiments import unmix
from experiments.unmix import errors, measures, method, ways
from jaxae.models import Output, resnet
from jaxae.train import checkpoint
from jaxae.train.lanes import Lanes


def given(digit: float, photo: float, made_digit: float, made_photo: float) -> tuple[Output, ae.Batch]:
    """One-coloured images in [-1, 1]: what a model makes, and the batch that it sees."""
    image = lambda value: jnp.full((2, 32, 32, 3), value)  # noqa: E731
    target = jnp.stack([image(digit), image(photo)], 1)
    outputs = Output(image=jnp.stack([image(made_digit), image(made_photo)], 1))
    return outputs, ae.Batch(inputs=image((digit + photo) / 2), target=target)


def test_the_loss_adds_both_errors_and_the_weighted_distance_of_their_mean_from_the_input():
    total, parts = method.loss(*given(-1.0, 0.5, -0.5, 0.6), {"consistency": 10.0})
    np.testing.assert_allclose(parts["both"], 0.25 + 0.01, rtol=1e-5)
    np.testing.assert_allclose(total, 0.25 + 0.01 + 10 * 0.3**2, rtol=1e-5)


def test_the_photo_by_subtraction_has_the_error_of_the_digit():
    scores = method.scores(*given(-1.0, 0.5, -0.8, 0.6))
    np.testing.assert_allclose(scores["digit mse"], 0.1**2, rtol=1e-4)  # of unit images
    np.testing.assert_allclose(scores[f"{method.FORMULA} mse"], 0.1**2, rtol=1e-4)
    np.testing.assert_allclose(scores["photo mse"], 0.05**2, rtol=1e-4)
    step = scores["photo psnr, range 255"] - scores["photo psnr"]
    np.testing.assert_allclose(step, 48.1308, rtol=1e-5)


def test_only_arms_as_the_report_has_them_are_held_against_its_numbers():
    config = unmix.Config(pretrained=("none", "cifar"), decoders=("plain", "skip"), times=(1, 5))
    assert {claim.arm for claim in method.claims(config)} == {"plain", "plain from CIFAR-10"}
    assert not method.claims(unmix.Config(consistency=(1.0,)))


def neither(lanes: int) -> dict[str, np.ndarray]:
    """The report's hparams, for so many lanes."""
    return {name: np.full(lanes, value, np.float32) for name, value in measures.NEITHER.items()}


@pytest.fixture(scope="module")
def small():
    """The study with a small network, and pairs of which an epoch of batches of 4 leaves 2 out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resnet, "WIDTHS", (4,))
        patch.setattr(ae.models, "Unmixer", functools.partial(ae.models.Unmixer, widths=(3, 4, 5)))
        pairs = ae.data.pairs(ae.data.synthetic.digits("train[:11]"), ae.data.synthetic.scenes("train[:7]"), count=10)
        yield method.study(ways.Way("skip"), unmix.Config(batch_size=4)), pairs


def test_lanes_chunks_and_a_checkpoint_leave_its_bits_and_statistics_as_they_are(small, tmp_path):
    study, pairs = small
    weights = {"consistency": np.array([0.0, 1.0], np.float32), "steps": np.array([0.0, 4.0], np.float32)}
    plan = ae.train.Plan(2, chunk=1)
    *_, whole = ae.train.progress(study, roots(2), pairs, plan, hparams=weights, how=Lanes("map", 2))
    assert whole.train["both"].shape == (2, 2 * 2)  # 10 pairs are 2 steps of 4
    means = [leaf for path, leaf in jax.tree_util.tree_leaves_with_path(whole.state.batch_stats) if "mean" in str(path)]
    assert all(np.abs(np.asarray(leaf)).max() > 0 for leaf in means)

    alone = {name: value[1:] for name, value in weights.items()}
    for now in ae.train.progress(study, roots(2)[1:], pairs, plan, hparams=alone):
        if int(now.done) == 3:  # in the midst of the second epoch
            checkpoint.save(tmp_path / "unmix", now)
            break
    like = ae.train.begin(study, roots(2)[1:], pairs, plan, hparams=alone)
    start = checkpoint.restore(tmp_path / "unmix", like)
    *_, resumed = ae.train.progress(study, roots(2)[1:], pairs, plan, hparams=alone, start=start)
    for name in ("state", "train"):
        assert_same_bits(lane(getattr(whole, name), 1), lane(getattr(resumed, name), 0))


def test_every_pair_is_scored_and_alike_in_any_batch(small):
    study, pairs = small
    key = ae.keys.root(0)
    state = jax.jit(ae.train.init, static_argnames="study")(study, key, pairs, measures.NEITHER)
    scored = jax.jit(ae.evaluate.scores, static_argnames="study")(study, key, state, pairs)
    two = jax.jit(ae.evaluate.sample, static_argnames="study")(study, key, state, pairs, np.array([9, 2]))
    assert scored["both"].shape == (10,)
    np.testing.assert_allclose(method.scores(*two)["both"], scored["both"][np.array([9, 2])], rtol=1e-5)


def test_a_file_of_weights_becomes_the_encoder_and_is_noted_in_the_manifest(small, tmp_path):
    study, pairs = small
    path = tmp_path / "made.safetensors"
    init = jax.jit(ae.train.init, static_argnames="study")
    made = init(study, ae.keys.root(7), pairs, measures.NEITHER)
    trained = {"params": made.params["encoder"], "batch_stats": made.batch_stats["encoder"]}
    ae.models.weights.save(path, trained)
    with ae.Run(unmix.EXPERIMENT, unmix.Config(quiet=True, out=tmp_path / "run")) as run:
        initial = method.encoder(run, str(path))
    other = init(study, ae.keys.root(8), pairs, measures.NEITHER, initial)
    kept = {name: leaf for name, leaf in trained["params"].items() if name != "fc"}
    assert_same_bits({name: other.params["encoder"][name] for name in kept}, kept)
    assert_same_bits(other.batch_stats["encoder"], trained["batch_stats"])
    assert [entry["role"] for entry in run.manifest["files"]] == ["encoder, made.safetensors"]


def test_the_encoder_starts_in_so_many_stages_and_the_others_are_drawn(tmp_path, monkeypatch):
    blocks = [f"layer{stage}_{block}" for stage in range(1, 5) for block in (0, 1)]
    whole = {"params": dict.fromkeys(["conv1", "bn1", *blocks]), "batch_stats": dict.fromkeys(["bn1", *blocks])}
    monkeypatch.setattr(ae.models.weights, "load", lambda *_: whole)
    (tmp_path / "made.pth").touch()
    config = unmix.Config(quiet=True, out=tmp_path / "run", pretrained=(str(tmp_path / "made.pth"),), stages=3)
    with ae.Run(unmix.EXPERIMENT, config) as run:
        initial: Any = method.encoder(run, *config.pretrained)
    assert initial["params"]["encoder"].keys() == {"conv1", "bn1", *blocks[:6]}
    assert initial["batch_stats"]["encoder"].keys() == {"bn1", *blocks[:6]}
    assert [arm.study.name for arm in unmix.arms(config)] == ["plain from made in 3 of 4 stages"]
    assert {claim.primary for claim in method.claims(config)} == {False}  # or each number would count twice


def test_equal_arms_are_equal_studies_and_the_rate_falls_only_where_an_arm_trains_longer():
    config = unmix.Config(pretrained=("none", "cifar"), times=(1, 4))
    short, again, long, _ = unmix.arms(config, 1280)
    assert short.study == again.study != long.study
    rates = {arm.study.name: arm.settings[""]["steps"] for arm in unmix.arms(config, 1280)}
    assert rates["plain"] == rates["plain from CIFAR-10"] == 0
    assert rates["plain 4 x epochs, cosine"] == rates["plain from CIFAR-10 4 x epochs, cosine"] == 40


def test_first_losses_are_those_of_the_same_seeds_whatever_the_runs(small):
    study, pairs = small
    found = measures.first_losses(study, pairs)
    assert found.keys() == {"[-1, 1]", "[0, 1]"}
    *_, trained = ae.train.progress(study, roots(1), pairs, ae.train.Plan(1), hparams=neither(1))
    np.testing.assert_allclose(found["[-1, 1]"][0], trained.train["both"][0, 0], rtol=1e-5)
    assert len(found["[-1, 1]"]) == len(found["[0, 1]"]) == measures.TRIED
    assert np.mean(found["[0, 1]"]) < np.mean(found["[-1, 1]"])


def test_the_step_below_the_reports_loss_is_nan_for_a_seed_that_never_gets_there(small):
    study, pairs = small
    done = ae.train.fit(study, roots(2), pairs, hparams=neither(2))
    done = dataclasses.replace(done, train={"both": np.array([[1.0, 0.2, 0.3], [1.0, 0.5, 0.4]], np.float32)})
    np.testing.assert_array_equal(measures.losses(done)[measures.BELOW], [2, np.nan])


def test_arms_are_compared_with_the_first_and_with_the_one_without_consistency():
    names = ["plain", "plain consistency 1", "skip", "skip consistency 1"]
    assert measures.rivals(names) == [
        ("plain consistency 1", "plain"), ("skip", "plain"), ("skip consistency 1", "plain"),
        ("skip consistency 1", "skip"),
    ]  # fmt: skip


def found(**flags) -> ae.Findings:
    """What a committed file may hold of one arm: measures that need no arrays, of two seeds; no facts."""
    near = np.array([0.0, 0.002])
    losses = {"first step": 1.1, "last step": 0.14, "last tenth": 0.14, "last": 0.227}
    values = {f"train/both/{name}": value + near for name, value in losses.items()} | {"test/both": 0.15 + near}
    for image, metric in itertools.product(method.IMAGES, method.SCORES):
        right = {"psnr": 20.0, "ssim 7x7": 0.5}[metric] + near
        for split in (f"{method.SAMPLE} test pairs", "test"):
            values |= {f"{split}/{image} {metric}": right, f"{split}/{image} {metric}, range 255": right + 48.1308}
    for image, metric in itertools.product((*method.IMAGES, method.FORMULA), ("psnr", "ssim")):
        values[f"test/{image}, clipped {metric}"] = 0.5 + near
    for metric in ("psnr", "ssim", "psnr, % of pairs", "ssim, % of pairs"):
        values[f"{measures.GAINED} {metric}"] = 3 + near
    config = unmix.Config(**flags)
    return ae.Findings(ae.results.Origin(config, (0, 1), ()), {ways.arm_name(ways.ways(config)[0]): values})


def test_what_is_not_comparable_is_not_judged_in_words_and_what_is_not_at_hand_not_said():
    judged, other = (unmix.say(found(**flags)) for flags in ({"pretrained": ("imagenet",)}, {}))
    assert "where it has 17.09: better for both." in judged.conclusions
    assert (
        "isn't that of our last steps (plain from ImageNet), 0.1400 and 0.1420 in their last tenth."
        in judged.conclusions
    )
    assert "so that its network ended worse than ours" in judged.conclusions
    assert "is no arm of this run: `--pretrained imagenet` tries" in other.conclusions
    part = unmix.say(found(pretrained=("imagenet",), stages=3))
    assert "3 of 4 stages are here (plain from ImageNet in 3 of 4 stages): photos have" in part.conclusions
    assert part.aside[1].startswith("with 3 of the encoder's 4 stages from ImageNet")
    assert "Of the report's start" not in unmix.say(found(pretrained=("cifar",), stages=3)).conclusions
    assert not [row for row in judged.rows if row.reported == method.LAST and row.metric == method.EPOCH_MEAN]
    assert {row.verdict for row in other.rows if row.reported} == {ae.results.NOT_COMPARABLE}
    assert "better at" not in other.conclusions
    assert "where it has" not in other.conclusions
    assert other.conclusions.count("trained in another way") == 2
    assert "Subtraction, 2 * mean - digit, gives better photos" in other.conclusions
    for said in (judged, other):
        assert "first loss" not in said.conclusions
        assert "Without any network" not in said.conclusions
        assert "steps on" not in said.notes
        assert not said.figures


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"pretrained": ("gone.pth",)}, "gone.pth: there is no such file; give none, cifar"),
        ({"pretrained": ("a/x.pth", "b/x.pth")}, "rename one"),
        ({"stages": 3}, "--stages 3 of what. Name it by --pretrained, without none"),
        ({"stages": 5, "pretrained": ("imagenet",)}, "--stages is 5; a ResNet has 4"),
        ({"stages": 0, "pretrained": ("imagenet",)}, "--stages is 0; it must be at least 1"),
        ({"stages": 3, "rungs": ("plain",)}, "without --stages; leave one of them out"),
    ],
)
def test_weights_that_are_not_there_or_have_one_name_and_other_stages_are_refused(flags, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file in ("a/x.pth", "b/x.pth"):
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).touch()
    with pytest.raises(ae.UsageError, match=words):
        ways.refuse_absent(unmix.Config(**flags))  # results are read without the file


def test_rungs_are_arms_of_their_own_and_each_is_what_its_name_says():
    every: Any = tuple(ways.RUNGS)
    config = unmix.Config(rungs=every)
    studies = {arm.study.name: arm.study for arm in unmix.arms(config)}
    assert studies.keys() >= {"plain", "plain 512 features", "plain frozen", "plain from CIFAR-10 frozen"}
    assert len(studies) == len(ways.RUNGS)
    plain = studies.pop("plain")
    assert plain == unmix.arms(unmix.Config())[0].study == studies.pop("plain from CIFAR-10")
    assert all(study != plain for study in studies.values())
    assert {claim.arm for claim in method.claims(config) if claim.primary} == {"plain"}
    assert {claim.arm for claim in method.claims(config)} == {arm.study.name for arm in unmix.arms(config)}
    pairs = ae.data.pairs(ae.data.synthetic.digits("train[:11]"), ae.data.synthetic.scenes("train[:7]"), count=10)
    np.testing.assert_array_equal(studies["plain aligned"].one_pass(ae.keys.root(0), pairs)[:, 1], np.arange(10) % 7)
    with pytest.raises(ae.UsageError, match="without --times; leave one"):
        unmix.Config(rungs=("frozen",), times=(2,))


def test_a_frozen_encoder_stays_as_it_was_but_for_its_new_layer_and_its_statistics(small):
    _, pairs = small
    frozen = method.study(ways.RUNGS["frozen"], unmix.Config(batch_size=4))
    first = ae.train.begin(frozen, roots(1), pairs, ae.train.Plan(1), hparams=neither(1)).state
    last = ae.train.fit(frozen, roots(1), pairs, hparams=neither(1)).state
    before, after = ({**state.params["encoder"]} for state in (first, last))
    assert np.abs(np.asarray(after.pop("fc")["kernel"] - before.pop("fc")["kernel"])).max() > 0
    assert_same_bits(before, after)
    moved = jax.tree.map(lambda a, b: np.abs(np.asarray(a - b)).max(), first.batch_stats, last.batch_stats)
    assert min(jax.tree.leaves(moved)) > 0


def test_scatter_is_the_distance_from_the_mean_of_the_neighbours():
    line = np.arange(12.0)[None] + np.where(np.arange(12) == 6, 5.0, 0.0)
    away, mean = measures.scatter(line, 4)
    np.testing.assert_allclose(away, [[0, 0, -1.25, -1.25, 5, -1.25, -1.25, 0]])
    np.testing.assert_allclose(mean[0, 4], 6)
    noise = np.random.default_rng(0).normal(3 - np.linspace(0, 1, 4000), 0.1)[None]
    np.testing.assert_allclose(measures.scatter(noise, 20)[0].std(), 0.1 * np.sqrt(1 + 1 / 20), rtol=0.03)


def test_what_psnr_and_ssim_imply_of_an_error_is_where_it_lies():
    random = np.random.default_rng(0)
    truth = random.uniform(0.4, 0.6, (1, 32, 32, 3))  # whose windows' means have squares of about 0.25
    shift, fine = np.full_like(truth, 0.1), random.normal(0, 0.1, truth.shape)
    for error in (shift, fine, shift + fine):
        made, wide = truth + error, {"data_range": 255.0, "channel_axis": -1}
        psnr = peak_signal_noise_ratio(truth[0], made[0], data_range=1.0)
        implied = errors.implied_share(psnr, structural_similarity(truth[0], made[0], **wide))
        drawn, true = (jnp.asarray(image, jnp.float32) for image in (made, truth))
        np.testing.assert_allclose(implied, ae.metrics.coarse_share(drawn, true)[0], atol=0.03)
    # by hand, of the report's 14.66 dB: 0.003778 is 0.0342 * (share / 7.0025 + (1 - share) * 49 / 48 / 58.5225)
    assert errors.shares(found(), [])["report"] == pytest.approx(74, abs=0.5)


def test_photos_loss_and_colours_are_said_where_they_were_measured():
    plain = found()
    more = {errors.SCATTER: 2.0, errors.DRAWN: 1.5, errors.FALL: 9.0, errors.KEPT: 80.0, errors.DIRECT: 0.5}
    both = {arm: {**plain.measures["plain"]} | {name: np.full(2, of) for name, of in more.items()} for arm in ARMS}
    names = [name for name in plain.measures["plain"] if re.match("test/(digit|photo) ", name)]
    guess = dict.fromkeys(names, np.float64(12.7)) | {errors.SSIM: np.float64(0.9942)}
    with_curves = dataclasses.replace(plain, measures={**both, method.GUESSES: guess})
    with_curves = dataclasses.replace(with_curves, origin=plain.origin._replace(config=unmix.Config(rungs=RUNGS)))
    said, bare = ({row[0]: row[3] for row in unmix.say(of).tables[-1].rows} for of in (with_curves, plain))
    blur, plots = (next(key for key in said if key.startswith(word)) for word in ("The photos are", "The loss plots"))
    assert "takes away 80% of the mean photo's error in the overall colour" in said[blur]
    assert "wasn't measured" in bare[blur]
    assert "so one can see it fall" in said[plots]
    assert bare[plots].startswith("the curve over the steps isn't in this file")
    conclusions = unmix.say(with_curves).conclusions
    assert (
        "Of 2 trainings, each with something that may explain the report's scores, plain comes nearest" in conclusions
    )
    assert conclusions.count("Our network") == 1


RUNGS = ("plain", "frozen")
ARMS = tuple(ways.arm_name(ways.RUNGS[name]) for name in RUNGS)
