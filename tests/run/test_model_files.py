"""Trained models on disk: saved, loaded, exported, and refused where they aren't what was written."""

import dataclasses
import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from prepared import edit, refused
from quick import at, perform

import jaxae as ae
from jaxae.__main__ import main
from jaxae.errors import Notice, UsageError
from jaxae.files import digest_of, sealed, write_json
from jaxae.models import cards
from jaxae.models.weights.files import save_safetensors
from jaxae.run import export, model_files
from jaxae.transforms import MNIST, SIGNED, UNIT, standardise, to_scale, to_signed, to_unit

SMALL = (4, 8, 1)
MODELS = {
    "mlp": ae.models.MLPAutoencoder(hidden=(5,), code_size=3, image_shape=SMALL),
    "conv": ae.models.ConvAutoencoder(widths=(2, 3), image_shape=SMALL, upsampling="bilinear"),
    "denoise": ae.models.DenoiseAutoencoder(widths=(2, 2), batch_norm=True, image_shape=(9, 8, 3)),
    "addition": ae.models.AdditionModel(3, variational=True, hidden=(4,), widths=(2, 2, 2), image_shape=(8, 8, 1)),
    "classifier": ae.models.DigitClassifier(classes=3, image_shape=(8, 8, 1)),
}


def fitted(name, scale=SIGNED):
    model, draw = MODELS[name], np.random.default_rng(0)
    variables = jax.tree.map(lambda leaf: draw.uniform(0.1, 1, leaf.shape).astype("f4"), cards.shapes_of(model))
    return ae.Fitted(name, model, variables, scale)


def images(model, count=3):
    return np.random.default_rng(1).integers(0, 256, (count, *model.image_shape), np.uint8)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return perform(at(tmp_path_factory.mktemp("runs") / "done"))


@pytest.mark.parametrize("name", MODELS)
def test_a_model_exported_and_loaded_gives_the_same_bits_for_every_batch_size(name, tmp_path):
    one = fitted(name)
    folder = ae.export(one, tmp_path / "model")
    again = ae.load(folder)
    assert (again.name, again.scale) == (one.name, one.scale)
    assert again.model == one.model
    for what in one.programs:
        program = ae.load_program(folder, what)
        for count in (1, 3) if what == "reconstruct" else (3,):
            given = images(one.model, count)
            given = one.encode(given) if what == "decode" else given
            tiny.assert_same_bits(getattr(one, what)(given), getattr(again, what)(given))
            tiny.assert_same_bits(getattr(one, what)(given), program(given))


def test_one_program_is_for_cpu_cuda_and_tpu(tmp_path):
    from jax import export as jax_export

    folder = ae.export(fitted("conv"), tmp_path / "model")
    exported = jax_export.deserialize(bytearray((folder / "encode.stablehlo").read_bytes()))
    assert exported.platforms == ("cpu", "cuda", "tpu")


@pytest.mark.parametrize("name", ["mlp", "denoise", "addition"])
def test_what_a_model_does_not_take_is_a_sentence(name, tmp_path):
    one = fitted(name)
    stored = images(one.model)
    code = np.asarray(one.encode(stored))
    for method in (one.encode, one.reconstruct):
        refused("values up to 2[0-9.]*: divide by 255", method, stored.astype("f4"))
        refused("the mean of these is -5: bring them there", method, 0.0 * stored - 5)
        refused("takes images of shape", method, stored[:, 1:])
        refused("as stored, or floats in .* got int32", method, stored.astype("i4"))
        refused("there is no image in uint8.0", method, stored[:0])
        refused("Dataset is no array of images; give the array, such as .image", method, ae.data.from_arrays(stored))
    refused("decodes codes float32.b, .*; got float32.3, .*: give that shape", one.decode, code[..., 1:])
    refused("give that shape, b from 1 up", one.decode, code[0])
    tiny.assert_same_bits(one.decode(np.ones(code.shape, int)), one.decode(np.ones(code.shape, "f4")))
    folder = ae.export(one, tmp_path / "model")
    encode, decode = (ae.load_program(folder, what) for what in ("encode", "decode"))
    assert repr(encode) == f"Program('encode' of {name!r}: takes uint8[b, {', '.join(map(str, stored.shape[1:]))}])"
    refused("'encode' of .* takes uint8.b, .*; got float32.*: convert them first", encode, stored.astype("f4"))
    refused("takes uint8.b, .*: give that shape", encode, stored[:, 1:])
    refused("takes float32.b, .*: give that shape", decode, code[..., 1:])


@pytest.mark.parametrize("given", [3, None, b"model"])
def test_what_is_no_path_and_no_model_is_a_sentence(given):
    for call in ae.load, ae.load_program, ae.data.from_folder, lambda path: ae.save(fitted("mlp"), path):
        refused("is no path; give a text, or a pathlib.Path", call, given)
    refused("is no trained model; give what ae.train.fit or ae.load gives", ae.save, given, "model")
    refused("is no model to export", ae.export, given, "model")


def test_a_model_is_shown_in_a_line():
    assert repr(fitted("mlp")) == "Fitted('mlp': MLPAutoencoder, images [4, 8, 1], 395 parameters)"


def test_scales_are_bitwise_the_studies_own():
    stored = jnp.arange(256, dtype=jnp.uint8)
    tiny.assert_same_bits(to_scale(stored, UNIT), to_unit(stored))
    tiny.assert_same_bits(to_scale(stored, SIGNED), to_signed(stored))
    tiny.assert_same_bits(to_scale(stored, MNIST), standardise(to_unit(stored), *MNIST))


def test_what_a_run_trained_is_what_is_loaded_and_exported(run, tmp_path, capsys):
    """Against the scores that the run wrote, which its own code measured."""
    test = ae.data.synthetic.digits("test")
    for seed in (0, 1):
        one = ae.load(run, "fc standardised", lane=seed)
        assert one.scale == MNIST
        shown = one.outputs(test.image).image
        np.testing.assert_allclose(
            ae.metrics.psnr(shown, to_unit(jnp.asarray(test.image))),
            np.load(run / "scores.npz")["fc standardised/psnr"][seed],
            rtol=1e-5,
        )
    main(["export", str(run), "fc standardised", "--seed", "1", "--out", str(tmp_path / "model")])
    assert capsys.readouterr().out.strip() == str(tmp_path / "model")
    tiny.assert_same_bits(ae.load(tmp_path / "model").variables["params"], one.variables["params"])
    assert json.loads((tmp_path / "model" / "card.json").read_text())["run"]["seed"] == 1


def test_a_run_that_has_not_ended_says_how_it_goes_on_where_it_has_no_arm_yet(run):
    made = json.loads((run / "manifest.json").read_text())
    for arms, choice in (
        ({}, "no trained arm 'fc'; choose another run"),
        (made["arms"], "choose from 'fc standardised'"),
    ):
        with pytest.raises(UsageError, match=rf"{choice}.*, or add its --data-dir, .*: .* --out \S+ --resume$"):
            model_files.arm_of({**made, "arms": arms, "status": "interrupted"}, run, "fc")
    with pytest.raises(UsageError, match=r"'$"):  # a whole run has no more
        model_files.arm_of(made, run, "fc")


class Own(ae.models.MLPAutoencoder):
    """A model that isn't jaxae's."""


def test_what_fit_gives_is_saved_with_its_lane_and_state(tmp_path):
    study = dataclasses.replace(tiny.study(), model=tiny.Wide(), batch=tiny.noiseless)
    trained = ae.train.fit(study, tiny.roots(2), tiny.DATA, validation=tiny.HELD_OUT, epochs=1)
    refused("doesn't say what its model's images are", ae.save, trained, tmp_path / "a")
    refused("2 lanes, so no lane 2", ae.save, trained, tmp_path / "a", lane=2, scale=UNIT)
    refused("no 'best' state", ae.save, dataclasses.replace(trained, best=None), tmp_path / "a", which="best")
    for scale in "unit", (0.5, 0.0), (0.5, float("nan")), (True, 1.0), (0.5, np.ones(3)):
        refused("which is none; give ae.transforms.UNIT", ae.save, trained, tmp_path / "a", scale=scale)
        refused("which is none; give", ae.save, dataclasses.replace(fitted("mlp"), scale=scale), tmp_path / "a")
    refused("one model with its own scale; leave out", ae.save, fitted("mlp"), tmp_path / "a", scale=UNIT)
    folder = ae.save(trained, tmp_path / "a", lane=1, which="best", scale=UNIT)
    refused("exists and is not overwritten", ae.save, trained, folder, scale=UNIT)
    refused("isn't jaxae's own", ae.load, folder)
    again = ae.load(folder, model=tiny.Wide())
    assert trained.best is not None
    tiny.assert_same_bits(again.variables["params"], tiny.lane(trained.best.params, 1))
    refused("has no encode", again.encode, np.zeros((1, 3), np.uint8))
    other = ae.load(folder, model=tiny.Tiny())
    refused("Tiny doesn't fit .*For parameter .kernel.*; give ae.load.* model=.*", other.outputs, np.ones((1, 3), "u1"))
    refused("Wide doesn't fit .* images of the size", again.outputs, np.ones((1, 4), "u1"))


def test_a_walk_has_its_ends_and_a_variational_model_draws():
    one = fitted("addition", UNIT)
    start, end = images(one.model, 2), images(one.model, 4)[2:]
    walked = one.interpolate(start, end, [0.0, 0.5, 1.0])
    assert walked.shape == (3, 2, 8, 8, 1)
    np.testing.assert_allclose(walked[0], one.reconstruct(start), atol=1e-6)
    np.testing.assert_allclose(walked[-1], one.reconstruct(end), atol=1e-6)
    drawn = one.sample(ae.keys.root(0), 5)
    np.testing.assert_array_equal(drawn, one.decode(jax.random.normal(ae.keys.root(0), (5, 3))))
    mlp, image = fitted("mlp"), np.zeros((1, 1, 1, 3), np.uint8)
    refused("no variational autoencoder, whose encode would give an ae.models", mlp.sample, ae.keys.root(0), 5)
    refused("0 is no key", mlp.sample, 0, 5)
    refused("can't draw 2.5 images; ask for a whole number", mlp.sample, ae.keys.root(0), 2.5)
    refused("str is no array of weights; give numbers", mlp.interpolate, image, image, "half")


def test_what_is_not_as_it_was_written_is_refused(tmp_path):
    whole = ae.export(fitted("mlp"), tmp_path / "whole")

    def damaged(file, change):
        folder = shutil.copytree(whole, tmp_path / f"{file} {len([*tmp_path.iterdir()])}")
        change(folder / file)
        return folder

    def cut(path):
        path.write_bytes(path.read_bytes()[:-1])

    refused("damaged, or not the file", ae.load, damaged("model.safetensors", cut))
    refused("damaged, or not the file", ae.load_program, damaged("encode.stablehlo", cut), "encode")
    refused("can.t be read .No such file", ae.load, damaged("model.safetensors", lambda path: path.unlink()))
    refused("is not JSON", ae.load, damaged("card.json", lambda path: path.write_text("{")))
    refused(
        "not what was written", ae.load, damaged("card.json", lambda path: edit(path, lambda c: c.update(name="b")))
    )
    refused("no program 'add'", ae.load_program, whole, "add")
    refused("holds no run", ae.load, tmp_path)
    refused("holds no exported model; name the folder", ae.load_program, tmp_path / "absent", "encode")
    refused("needs \\(3,\\)", ae.load, whole, model=ae.models.MLPAutoencoder((5,), 3, image_shape=(1, 1, 3)))
    wrong = ae.models.MLPAutoencoder((5,), "3")  # type: ignore[arg-type]
    refused("code_size='3'; give a whole number, such as 8.; give the model", ae.load, whole, model=wrong)
    refused("model is of type int; give a Flax module", ae.load, whole, model=3)
    refused("has nothing at params/decoder/Dense_2", ae.load, whole, model=Own((5, 4), 3, image_shape=(1, 1, 3)))


def test_a_card_that_lacks_a_field_and_names_that_lie_in_others_are_refused(tmp_path):
    folder = ae.save(fitted("mlp"), tmp_path / "model")
    whole = json.loads((folder / "card.json").read_text())

    def load_with(**changes):
        card = {**whole, **changes}
        write_json(folder / "card.json", sealed({name: value for name, value in card.items() if value is not None}))
        ae.load(folder)

    refused("name is missing; copy the folder again", load_with, name=None)
    refused("name is 3", load_with, name=3)
    refused(r"files\.model\.safetensors is 3", load_with, files={"model.safetensors": 3})
    for names in ("a", "a/b"), ("a/b", "a"):
        save_safetensors(folder / "model.safetensors", dict.fromkeys(names, np.zeros(1, np.float32)))
        refused(
            "has tensors a and a/b", load_with, files={"model.safetensors": digest_of(folder / "model.safetensors")}
        )


def test_what_an_export_would_drop_or_write_over_is_refused(tmp_path, run):
    for name in ("name", "files", "platforms", "sha256"):
        refused(f"the card says '{name}' of itself", ae.export, fitted("mlp"), tmp_path / "model", **{name: "mine"})
    saved, out = ae.save(fitted("mlp"), tmp_path / "saved"), tmp_path / "out"
    for given in {"seed": 0}, {"which": "best"}, {"given": "mine.py"}, {"arm": "a"}:
        refused(
            "leave out the arm, --seed, --which",
            export.export_run,
            saved,
            out=out,
            **{"arm": "", "seed": None, **given},
        )
    assert not out.exists()


def test_a_seed_that_shows_one_picture_is_said_where_it_is_exported(run, tmp_path):
    whole = shutil.copytree(run, tmp_path / "run")
    found = json.loads((whole / "findings.json").read_text())
    found = {name: value for name, value in found.items() if name != "sha256"} | {"dead": {"fc standardised": [0]}}
    write_json(whole / "findings.json", sealed(found))
    with pytest.warns(Notice, match="seed 0 of 'fc standardised' shows one picture"):
        export.export_run(whole, "", tmp_path / "out", seed=0)
    (whole / "findings.json").unlink()
    export.export_run(whole, "", tmp_path / "again", seed=0)  # and says nothing


def test_a_study_that_is_named_is_found_without_an_arm(run, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(export, "_own_study", lambda made, arm, given: asked.append(arm))
    export.export_run(run, "", tmp_path / "out", seed=None, given="mine.py")
    assert asked == ["fc standardised"]


@pytest.mark.parametrize(
    "card",
    [
        {"class": "os.system"}, {"class": "MLPAutoencoder", "hidden": [10**9]}, [],
        {"class": "MLPAutoencoder", "code_activation": "eval"}, {"class": "MLPAutoencoder", "parent": None},
        {"class": "ConvAutoencoder", "dtype": "object"}, {"class": "Unmixer", "skip": 1},
    ],
)  # fmt: skip
def test_a_card_names_models_of_the_table_alone(card):
    refused("describes none of jaxae's models|has no ", cards.rebuilt, card)


def test_a_program_that_calls_more_than_stablehlo_is_not_run(tmp_path):
    from jax import export as jax_export

    def factored(tensors, image):
        return jnp.linalg.cholesky(image)

    one = fitted("mlp")
    foreign = jax_export.export(jax.jit(factored), platforms=["cpu"])({}, jnp.eye(2))
    content = bytes(foreign.serialize())
    model_files.write_model(tmp_path / "model", one, {f"encode{export.ENDING}": content})
    refused("which no model of jaxae does", ae.load_program, tmp_path / "model", "encode")
