"""fc_vs_conv: what its report's author published, the readings of his numbers, and the share of seeds that live."""

import dataclasses

import numpy as np
import pytest

import jaxae as ae
from experiments import fc_vs_conv
from experiments.fc_vs_conv import author, method
from jaxae.models.weights.files import save_safetensors
from jaxae.run.run import Run


@pytest.mark.real
def test_the_authors_weights_score_what_he_printed(real_data, tmp_path):
    config = method.Config(
        data_dir=real_data / "tfds", author_weights=str(real_data / "report-004"), out=tmp_path / "run", quiet=True
    )
    with Run(fc_vs_conv.EXPERIMENT, config) as run:
        scored = author.test_losses(run)
        assert {entry["role"] for entry in run.manifest["files"]} == {"the author's fc", "the author's conv"}
    assert scored == pytest.approx(method.REPORTED, abs=1e-6)


def test_weights_that_are_not_the_authors_are_refused(tmp_path):
    config = method.Config(author_weights=str(tmp_path))
    with pytest.raises(ae.UsageError, match=r"no file .*fc_best\.pth; name the folder"):
        author.files(config)
    other = tmp_path / "fc_best.safetensors"
    save_safetensors(other, {"a": np.zeros(3, np.float32)})
    with pytest.raises(ae.UsageError, match=r"has no fcEncoder1\.weight; give the weights that the report's author"):
        author.variables("fc", other)


def test_the_authors_reading_is_held_first_and_nearest_upsampling_named():
    first = next(claim for claim in method.claims(method.Config()) if claim.reported == method.REPORTED["conv"])
    assert (first.arm, first.metric) == ("conv standardised", method.LOWEST)
    nearest = method.claims(dataclasses.replace(method.Config(), upsampling="nearest"))
    named = {claim.arm.split()[0] for claim in nearest if claim.reading.endswith("but nearest upsampling")}
    assert named == {"conv"}
    studies = [method.study("conv", "unit", method.Config(upsampling=mode)) for mode in ("bilinear", "nearest")]
    assert studies[0] != studies[1]


def test_the_log_has_the_printed_numbers_as_its_lowest_test_losses():
    for name, printed in method.REPORTED.items():
        assert min(author.LOG[name]["validation"]) == round(printed, 4)


def test_the_share_of_seeds_that_live_has_its_exact_interval():
    low, high = ae.results.share_interval(1, 3)
    assert (low, high) == pytest.approx((0.00840, 0.90570), abs=1e-5)  # 1 - 0.975^(1/3); by symmetry with two of three
    assert ae.results.share_interval(0, 5) == (0.0, pytest.approx(1 - 0.025 ** (1 / 5)))
    assert ae.results.share_interval(5, 5) == (pytest.approx(0.025 ** (1 / 5)), 1.0)
