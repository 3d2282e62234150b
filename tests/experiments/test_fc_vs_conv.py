"""fc_vs_conv: what its report's author published, the readings of his numbers, and the share of seeds that live."""

import dataclasses

import numpy as np
import pytest

import jaxae as ae
from experiments import author_weights, fc_vs_conv, result
from experiments.fc_vs_conv import author, measures, method
from jaxae.models.weights.files import save_safetensors
from jaxae.run.run import Run
from jaxae.run.saved import load_result


@pytest.mark.real
def test_the_authors_weights_score_what_he_printed(real_data, published, tmp_path):
    config = method.Config(
        data_dir=real_data / "tfds", author_weights=published("report-004"), out=tmp_path / "run", quiet=True
    )
    with Run(fc_vs_conv.EXPERIMENT, config) as run:
        scored = measures.losses_of(method.authors(run), run.data("mnist", "test"))
        assert {entry["role"] for entry in run.manifest["files"]} == {"the author's fc", "the author's conv"}
    assert scored == pytest.approx(method.REPORTED, abs=1e-6)


def test_weights_that_are_not_the_authors_are_refused(tmp_path):
    with pytest.raises(ae.UsageError, match=r"no file .*fc_best\.pth; name the folder"):
        author.variables(tmp_path, "fc")
    save_safetensors(tmp_path / "fc_best.pth", {"a": np.zeros(3, np.float32)})
    with pytest.raises(ae.UsageError, match=r"has no fcEncoder1\.weight; give the weights that the report's author"):
        author.variables(tmp_path, "fc")
    begun = method.Config(source="synthetic", author_weights=str(tmp_path), out=tmp_path / "run", quiet=True)
    with Run(fc_vs_conv.EXPERIMENT, begun) as run, pytest.raises(ae.UsageError, match=r"has no fcEncoder1"):
        method.train(run)
    assert not run.history  # before anything is trained


def test_the_authors_networks_are_those_of_his_code_whatever_the_run_trains(tmp_path):
    tensors = {
        f"conv{part}{number}.{kind}": np.ones(shape[:1] if kind == "bias" else shape, np.float32)
        for part, shapes in {
            "Encoder": [(32, 1, 3, 3), (64, 32, 3, 3)],
            "Decoder": [(64, 64, 3, 3), (32, 64, 3, 3), (1, 32, 3, 3)],
        }.items()
        for number, shape in enumerate(shapes, 1)
        for kind in ("weight", "bias")
    }
    save_safetensors(tmp_path / "conv_best.pth", tensors)
    config = method.Config(
        source="synthetic", arms=("conv",), upsampling="nearest", precision="bfloat16", author_weights=str(tmp_path),
        out=tmp_path / "run", quiet=True,
    )  # fmt: skip
    with Run(fc_vs_conv.EXPERIMENT, config) as run:
        study, _ = method.authors(run)["conv"]
        assert (study.model.upsampling, study.model.dtype) == ("bilinear", np.float32)
        save_safetensors(tmp_path / "conv_best.pth", tensors | {"convDecoder3.bias": np.ones(2, np.float32)})
        with pytest.raises(ae.UsageError, match="of shape"):
            method.authors(run)


def test_the_authors_reading_is_held_first_and_nearest_upsampling_named():
    first = next(claim for claim in method.claims(method.Config()) if claim.reported == method.REPORTED["conv"])
    assert (first.arm, first.metric) == ("conv standardised", method.LOWEST)
    nearest = method.claims(dataclasses.replace(method.Config(), upsampling="nearest"))
    named = {claim.arm.split()[0] for claim in nearest if claim.reading.endswith("but nearest upsampling")}
    assert named == {"conv"}
    studies = [method.study("conv", "unit", method.Config(upsampling=mode)) for mode in ("bilinear", "nearest")]
    assert studies[0] != studies[1]


def test_what_a_number_is_told_from_does_not_depend_on_what_else_is_trained():
    alone, both = (
        {(claim.metric, claim.reported): claim.rivals for claim in method.claims(config) if "standard" in claim.reading}
        for config in (method.Config(targets=("standardised",)), method.Config())
    )
    assert alone == both
    means = {"train/loss/mean over epochs", "validation/loss/mean over epochs"}
    for (metric, _), rivals in alone.items():
        told_from = {rival.metric for rival in rivals if rival.value is None}
        assert told_from == (means if metric in method.SAME else ({*means, *method.SAME} - {metric}))
        assert [rival.value for rival in rivals if rival.value is not None] != []


def test_an_authors_network_is_a_row_beside_what_he_printed_and_decides_nothing():
    printed = method.REPORTED["fc"]
    near, far = (author_weights.row("fc", "test/loss", printed + off, printed=printed) for off in (3e-7, 2e-6))
    assert (near.verdict, far.verdict) == (ae.results.REPRODUCED, ae.results.DIFFERS)
    assert not near.primary and (near.reason, far.reason) == ("3e-07 apart", "2e-06 apart")
    assert author_weights.row("code 8", "test/mse", 0.0183).reported is None


def test_the_authors_losses_stand_on_the_whole_test_set_alone():
    found = load_result(result("fc_vs_conv_fc_10_seeds")).findings
    rows = {row.arm for row in fc_vs_conv.EXPERIMENT.document(found).rows}
    assert "fc, its author's" in rows
    data = [{**entry, "of": 10_000, "n": 500} if entry["split"] == "test" else entry for entry in found.origin.data]
    cut = dataclasses.replace(found, origin=found.origin._replace(data=tuple(data)))
    said = fc_vs_conv.EXPERIMENT.document(cut)
    assert "fc, its author's" not in {row.arm for row in said.rows}
    assert "author's own" not in said.conclusions and "Of what is printed" not in said.notes


def test_the_log_has_the_printed_numbers_as_its_lowest_test_losses():
    for name, printed in method.REPORTED.items():
        assert min(author.LOG[name]["validation"]) == round(printed, 4)


def test_the_share_of_seeds_that_live_has_its_exact_interval():
    low, high = ae.results.share_interval(1, 3)
    assert (low, high) == pytest.approx((0.00840, 0.90570), abs=1e-5)  # 1 - 0.975^(1/3); by symmetry with two of three
    assert ae.results.share_interval(0, 5) == (0.0, pytest.approx(1 - 0.025 ** (1 / 5)))
    with pytest.raises(ae.UsageError, match="6 of 5 is no share"):
        ae.results.share_interval(6, 5)
    assert ae.results.share_interval(5, 5) == (pytest.approx(0.025 ** (1 / 5)), 1.0)
