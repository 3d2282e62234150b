"""The contract of every experiment: it runs from end to end, fills the rows of its claims, and its card is right."""

import functools
import importlib
import inspect
import json
import re
import shlex
from pathlib import Path

import jax
import numpy as np
import pytest

from experiments import benchmark_jax, digit_classifier, fc_vs_conv
from jaxae import Run, data, flags, keys, models, program, train

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
TINY = {  # flags that make each study small; the digits' studies with some of their arms, each a program to compile
    "bottleneck": {"limit": 40, "code_sizes": (8, 2), "pairs": 3},
    "denoise": {"limit": 36},
    "digit_addition": {
        "limit": 40,
        "batch_size": 20,
        "images": 1,
        "widths": (3, 4, 5),
        "arms": ("generative",),
    },
    "digit_codes": {
        "limit": 24,
        "batch_size": 20,
        "widths": (3, 4, 5),
        "arms": ("transposed-2-mse", "transposed-2-bce"),
    },
    "fc_vs_conv": {"limit": 20},
    "unmix": {"limit": 16, "batch_size": 8, "consistency": (0.0, 1.0)},
}
FEW = 100  # images of every set
SMALL = {  # the studies' own ResNet takes minutes to compile
    "jaxae.models.resnet.WIDTHS": (4,),
    "jaxae.models.Unmixer": functools.partial(models.Unmixer, widths=(4, 4, 4)),
}


@pytest.fixture(scope="module", params=sorted(TINY))
def done(request, tmp_path_factory):
    """The module of a study, its config, and the run directory that it left."""
    module = importlib.import_module(f"experiments.{request.param}")
    folder = tmp_path_factory.mktemp("runs") / request.param
    shared = {"source": "synthetic", "epochs": 1, "seeds": 2, "quiet": True, "out": folder}
    config = module.Config(**{**shared, **TINY[request.param]})
    whole = data.load

    def few(name, split, **where):
        return whole(name, split, **where).head(FEW)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAXAE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        patch.setattr(data, "load", few)
        for name, value in SMALL.items():
            patch.setattr(name, value)
        module.main(config)
    return module, config, folder


class Seen(Exception):  # noqa: N818  not an error
    """A study that is about to be trained."""


@pytest.mark.parametrize("name", sorted([*TINY, "digit_classifier", "photo_classifier"]))
def test_precision_reaches_the_model(name, tmp_path, monkeypatch):
    def seen(run, study, *rest):
        raise Seen(study.model.dtype)

    monkeypatch.setattr(Run, "_fit", seen)
    monkeypatch.setattr(digit_classifier, "judge", lambda *given: {})  # it reads in float32
    module = importlib.import_module(f"experiments.{name}")
    folder = tmp_path / "run"
    with pytest.raises(Seen, match="bfloat16"):
        module.main(module.Config(source="synthetic", limit=200, precision="bfloat16", quiet=True, out=folder))


def test_bfloat16_is_close_to_float32_and_not_the_reports_setting():
    images = data.load("mnist", "train", source="synthetic").head(60)
    losses = {}
    for precision in ("float32", "bfloat16"):
        config = fc_vs_conv.Config(precision=precision, epochs=1)
        study = fc_vs_conv.study("fc", "standardised", config)
        done = train.fit(study, keys.root(0)[None], images, hparams={"learning_rate": np.ones(1, np.float32)})
        assert {leaf.dtype for leaf in jax.tree.leaves(done.state.params)} == {np.dtype(np.float32)}
        losses[precision] = done.train["loss"]
    np.testing.assert_allclose(losses["bfloat16"], losses["float32"], rtol=0.02)
    assert (losses["bfloat16"] != losses["float32"]).any()
    assert "--precision bfloat16" in flags.command(config)
    assert "precision bfloat16 in place of float32" in flags.deviations(config, {})


def read(folder, name):
    return json.loads((folder / name).read_text())


def test_every_study_is_here():
    studies = {path.stem for path in EXPERIMENTS.glob("*.py") if "\ndef claims(" in path.read_text()}
    assert studies == set(TINY)


def test_every_claim_has_its_values(done):
    module, config, folder = done
    found = [row for row in read(folder, "results.json") if not row["excluded"]]
    rows = {(row["arm"], row["metric"], row["reported"]): row for row in found}
    for claim in module.claims(config):
        row = rows[claim.arm, claim.metric, claim.reported]
        assert row["n_seeds"] == (1 if claim.exact else 2), (claim, row)  # a parameter count is one for all seeds
        assert np.isfinite(row["values"]).all(), row
        assert row["verdict"] == ("reproduced" if claim.exact else "not comparable"), row
        named = {pair[:2] for pair in rows}
        assert set(claim.explained_by) <= named, claim


def test_the_report_shows_every_arm_and_figure(done):
    module, config, folder = done
    manifest = read(folder, "manifest.json")
    assert manifest["status"] == "complete"
    page, text = (folder / "report.html").read_text(), (folder / "report.md").read_text()
    assert all(arm in page for arm in manifest["arms"])
    assert {claim.arm for claim in module.claims(config)} <= {row["arm"] for row in read(folder, "results.json")}
    pictures = sorted(path.stem for path in (folder / "figures").glob("*.npz"))
    assert len(pictures) > 1
    assert all(f"figures/{name}.png" in text and (folder / "figures" / f"{name}.png").is_file() for name in pictures)


@pytest.mark.parametrize("name", sorted(TINY))
def test_the_card_says_source_expected_and_how_to_run(name):
    module = importlib.import_module(f"experiments.{name}")
    card = dict(re.findall(r"^(Source|Expected|Run) +(.*)$", inspect.getdoc(module) or "", re.MULTILINE))
    assert re.match(r"\d{3}_[0-9a-f]{16}\.txt: ", card["Source"])
    assert card["Expected"].startswith(f"experiments/results/{name}.json ")
    words = shlex.split(card["Run"])
    assert words[:3] == ["python", "-m", f"experiments.{name}"]
    assert isinstance(program.parse(module.Config, words[3:]), module.Config)


@pytest.mark.parametrize("name", sorted(benchmark_jax.ARMS))
def test_devices_can_share_batches_where_the_loss_of_an_example_is_its_own(name, monkeypatch):
    """What `indivisible` can't see, of every study: no example of a batch bears on another's loss."""
    for place, small in SMALL.items():
        monkeypatch.setattr(place, small)
    asked = benchmark_jax.Question("exchange", name, batch=4, source="synthetic", images=100)
    arm, key = benchmark_jax.ARMS[name][0](asked), keys.root(0)
    assert bool(train.indivisible(arm.study, key, arm.data, 2, arm.hparams)) == (name == "unmix")
    if name == "unmix":
        return

    @jax.jit
    def losses(data):
        state = train.init(arm.study, key, data, arm.hparams)
        batch = arm.study.batch(key, data, jax.numpy.arange(4))
        parts = [batch, *(jax.tree.map(lambda leaf, cut=cut: leaf[cut], batch) for cut in (slice(2), slice(2, 4)))]
        outputs = [arm.study.model.apply({"params": state.params}, part.inputs, train=True) for part in parts]
        return [arm.study.loss(out, part, arm.hparams)[0] for out, part in zip(outputs, parts, strict=True)]

    whole, *halves = losses(jax.tree.map(jax.numpy.asarray, arm.data))
    np.testing.assert_allclose(whole, np.concatenate(halves), rtol=1e-5)
