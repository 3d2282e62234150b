"""The contract of every experiment: it runs from end to end, fills the rows of its claims, and its card is right."""

import dataclasses
import json
import re
import shlex
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from tiny import SMALL

import jaxae as ae
from experiments import tables
from experiments.fc_vs_conv import method as fc_vs_conv
from experiments.tables.sources import source_of
from jaxae import data, keys, train
from jaxae.files import SEAL
from jaxae.findings.storage import from_json, to_json
from jaxae.run import command_line, flags, run, sources, steps, training
from jaxae.run.experiment import find_experiment
from jaxae.run.saved import load_result
from jaxae.train import evaluate

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
RESULTS = sorted(path for path in (EXPERIMENTS / "results").glob("*.json") if not path.stem.startswith("benchmark"))
TINY = {  # flags that make each study small; the digits' studies with some of their arms, each a program to compile
    "bottleneck": {"limit": 40, "code_sizes": (8, 2), "pairs": 3},
    "denoise": {"limit": 36},
    "digit_addition": {
        "limit": 40,
        "batch_size": 20,
        "images": 1,
        "widths": (3, 4, 5),
        "arms": ("adder-course", "generative"),
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
CLASSIFIERS = ("digit_classifier", "photo_classifier")
FEW = 100  # images of every set


def experiment(name: str) -> ae.Experiment:
    return find_experiment(f"experiments.{name}")


def config(name: str, **given: Any) -> Any:
    shared = {"source": "synthetic", "epochs": 1, "seeds": 2, "quiet": True}
    return experiment(name).config(**{**shared, **TINY.get(name, {}), **given})


@pytest.fixture(scope="module", params=sorted(TINY))
def done(request, tmp_path_factory):
    """The experiment, its config, the run directory that it left, and what it trained: studies, keys, data, hparams."""
    name, folder, trained = request.param, tmp_path_factory.mktemp("runs") / request.param, []

    def few(name, split, **where):
        return data.load(name, split, **where).head(FEW)

    def noted(run, study, roots, data, *rest, **options):
        trained.append((study, roots, data, options["hparams"]))
        return training.train_or_restore(run, study, roots, data, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAXAE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        patch.setattr(sources, "load", few)
        patch.setattr(run, "train_or_restore", noted)
        for place, value in SMALL.items():
            patch.setattr(place, value)
        made = config(name, out=folder)
        steps.perform(experiment(name), made)
        yield experiment(name), made, folder, trained


def test_every_claim_has_its_values(done):
    study, made, folder, _ = done
    found = [row for row in study.document(load_result(folder).findings).rows if not row.excluded]
    rows = {(row.arm, row.metric, row.reported): row for row in found}
    for claim in study.claims(made):
        row = rows[claim.arm, claim.metric, claim.reported]
        assert row.n_seeds == (1 if claim.exact else 2), (claim, row)  # a parameter count is one for all seeds
        assert np.isfinite(row.values).all(), row
        assert row.verdict == ("reproduced" if claim.exact else "not comparable"), row
        assert {*claim.explained_by} <= {pair[:2] for pair in rows}, claim


def test_the_report_shows_every_arm_and_figure(done):
    study, made, folder, _ = done
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["status"] == "complete"
    page, text = (folder / "report.html").read_text(), (folder / "report.md").read_text()
    names = [name for arm in study.arms(made) for name in arm.names]
    assert names
    assert all(name in page for name in names)
    pictures = sorted(path.stem for path in (folder / "figures").glob("*.npz"))
    assert len(pictures) > 1
    assert all(f"figures/{name}.png" in text and (folder / "figures" / f"{name}.png").is_file() for name in pictures)
    assert text.index("\n- ") < text.index("## ")  # conclusions first


def test_measured_again_without_training_it_is_the_same_to_the_bit(done, monkeypatch):
    study, _, folder, _ = done
    before = {name: (folder / name).read_bytes() for name in ("findings.json", "results.json", "report.md")}
    found = load_result(folder).findings
    monkeypatch.setattr(training, "_keep", None)  # nothing is trained
    again = steps.measured_again(study, folder, load_result(folder).manifest, None)
    assert again is not None
    assert ae.results.same_findings(again, found)
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_training_and_evaluation_are_lowered_for_accelerators_without_holes_in_images(done):
    for study, roots, images, hparams in done[-1]:
        setting = jax.tree.map(lambda leaf: leaf[0], hparams)

        def both(key, data, study=study, setting=setting):
            state = train.init(study, key, data, setting)
            index = study.one_pass(key, data)[: study.batch_size]
            seen, batch = evaluate.sample(study, key, state, data, jax.numpy.arange(study.batch_size))
            return train.step(study, key, state, data, index, setting), study.objective(seen, batch, setting)

        exported = jax.export.export(jax.jit(both), platforms=["cuda", "tpu"])
        program = exported(roots[0], jax.tree.map(jax.numpy.asarray, images)).mlir_module()
        assert "lhs_dilate" not in program, study.name
        assert "lhs_dilation" not in program, study.name


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_committed_findings_are_said_by_todays_code(path):
    saved = load_result(path)
    said = saved.experiment.document(saved.findings)
    assert said.conclusions.startswith("- ")
    assert not said.figures  # they hold no arrays
    assert {row.arm for row in said.rows}
    names = {name for arm in saved.experiment.arms(saved.findings.config) for name in arm.names}
    assert names <= saved.findings.measures.keys()


@pytest.mark.parametrize(
    ("name", "arm", "other", "flags"),
    [
        ("bottleneck_10_seeds", "code 8", "code 2", {"code_sizes": (2,)}),
        ("unmix", "plain", "skip", {"decoders": ("skip",)}),
    ],
)
def test_without_the_reports_arm_there_is_something_to_say_and_no_line(name, arm, other, flags):
    found = load_result(EXPERIMENTS / "results" / f"{name}.json").findings
    content = json.loads(json.dumps(to_json(found)).replace(arm, other).replace("PCA 8", "PCA 2"))
    content.pop(SEAL)  # of what was measured
    origin = found.origin._replace(config=dataclasses.replace(found.config, **flags))
    study = experiment(name.removesuffix("_10_seeds"))
    document = study.document(from_json(content, origin, Path(name)))
    assert other in document.conclusions
    assert not document.line
    assert all(row.reported is None for row in document.rows)


def test_the_readme_shows_the_committed_results():
    for path, text in tables.pages().items():
        assert path.read_text() == text, "run: python -m experiments.tables"


@pytest.mark.parametrize("name", sorted([*TINY, *CLASSIFIERS]))
def test_studies_built_twice_are_equal_and_compile_once(name):
    made = config(name)
    assert experiment(name).arms(made) == experiment(name).arms(dataclasses.replace(made))


class Seen(Exception):  # noqa: N818  not an error
    """A study that is about to be trained."""


@pytest.mark.parametrize("name", sorted([*TINY, *CLASSIFIERS]))
def test_precision_reaches_the_model(name, tmp_path, monkeypatch):
    def seen(run, study, *rest, **options):
        raise Seen(study.model.dtype)

    monkeypatch.setattr(run, "train_or_restore", seen)
    with pytest.raises(Seen, match="bfloat16"):
        steps.perform(experiment(name), config(name, limit=200, precision="bfloat16", out=tmp_path / "run"))


@pytest.mark.parametrize(
    ("name", "flag", "count"),
    [
        ("bottleneck", "test_limit", 2),
        ("digit_addition", "limit", 1),
        ("digit_addition", "test_limit", 1),
        ("digit_codes", "test_limit", 1),
        ("fc_vs_conv", "test_limit", 2),
        ("digit_classifier", "test_limit", 1),
        ("photo_classifier", "test_limit", 1),
    ],
)
def test_a_limit_that_leaves_too_few_images_of_a_class_is_refused_before_training(
    name, flag, count, tmp_path, monkeypatch
):
    monkeypatch.setattr(run, "train_or_restore", lambda *_, **__: pytest.fail("it is trained"))
    split, few = "train" if flag == "limit" else "test", "no" if count == 1 else f"fewer than {count}"

    def refused(limit):
        with pytest.raises(ae.UsageError) as error:
            steps.perform(experiment(name), config(name, out=tmp_path / "run", **{flag: limit}))
        given, said = f"--{flag.replace('_', '-')} {limit}", str(error.value)
        assert said.startswith(f"{given} leaves {few} {split} images of some class, and {name} needs {count} of each; ")
        assert not (tmp_path / "run").exists()
        return int(said.removesuffix(" or more").split()[-1])

    enough = refused(5)
    assert refused(enough - 1) == enough
    images = data.load("cifar10" if name == "photo_classifier" else "mnist", split, source="synthetic")
    assert np.bincount(images.label[:enough], minlength=10).min() == count


def test_bfloat16_is_close_to_float32_and_not_the_reports_setting():
    images = data.load("mnist", "train", source="synthetic").head(60)
    losses = {}
    for precision in ("float32", "bfloat16"):
        made = fc_vs_conv.Config(precision=precision, epochs=1)
        study = fc_vs_conv.study("fc", "standardised", made)
        trained = train.fit(study, keys.root(0)[None], images, hparams={"learning_rate": np.ones(1, np.float32)})
        assert {leaf.dtype for leaf in jax.tree.leaves(trained.state.params)} == {np.dtype(np.float32)}
        losses[precision] = trained.train["loss"]
        assert ("--precision bfloat16" in flags.words_of(made)) == (precision == "bfloat16")
    np.testing.assert_allclose(losses["bfloat16"], losses["float32"], rtol=0.02)
    assert (losses["bfloat16"] != losses["float32"]).any()


def test_every_study_is_here():
    studies = {path.name for path in EXPERIMENTS.iterdir() if "def claims(" in text_of(path / "method.py")}
    assert studies == {*TINY}


def text_of(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


@pytest.mark.parametrize("name", sorted(TINY))
def test_the_card_says_source_expected_and_how_to_run(name):
    study = experiment(name)
    card = dict(re.findall(r"^(Source|Expected|Run) +(.*)$", study.card or "", re.MULTILINE))
    assert source_of(study.card)
    assert card["Expected"].startswith(f"experiments/results/{name}.json ")
    words = shlex.split(card["Run"])
    assert tuple(words[:3]) == study.program
    assert isinstance(command_line.parsed(study, words[3:]), study.config)
