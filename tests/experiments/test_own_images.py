"""Studies on images of one's own: whatever their size, and held against no report."""

import numpy as np
import pytest
from PIL import Image
from prepared import refused
from quick import read

import jaxae as ae
from experiments import bottleneck, denoise, digit_codes, own_images
from experiments.bottleneck import words
from experiments.denoise import words as denoise_words
from experiments.denoise.method import logged_steps, shown_steps
from experiments.digit_codes import words as codes_words
from jaxae.findings import Origin
from jaxae.run.steps import perform

SHORT = {"seeds": 1, "epochs": 1, "batch_size": 8, "quiet": True}
STUDIES = {
    "bottleneck": (bottleneck, {"code_sizes": (3,)}),
    "denoise": (denoise, {"arms": ("deviation",)}),
    "digit_codes": (digit_codes, {"arms": ("transposed-2-mse",), "widths": (2, 2, 2)}),
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Forty of 20x16 pixels in colour, of two classes."""
    folder, draw = tmp_path_factory.mktemp("own") / "photos", np.random.default_rng(0)
    for place in range(40):
        path = folder / "ab"[place % 2] / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (20, 16, 3), np.uint8)).save(path)
    return folder


@pytest.mark.parametrize("name", STUDIES)
def test_a_folder_of_photos_is_studied_and_held_against_no_report(name, photos, tmp_path):
    study, flags = STUDIES[name]
    folder = perform(study.EXPERIMENT, study.Config(dataset=str(photos), out=tmp_path / "run", **SHORT, **flags))
    assert [row for row in read(folder, "results.json") if row["reported"] is not None] == []
    noted = read(folder, "manifest.json")["data"]
    assert [(entry["name"], entry["n"]) for entry in noted] == [("photos", 36), ("photos", 4)]
    assert noted[1]["sha256"] == ae.data.from_folder(photos, "test").fingerprint
    said = (folder / "report.md").read_text()
    held_out = {"bottleneck": "36 images of photos and", "denoise": "32 images of photos, validated on 4 and",
                "digit_codes": "30 images of photos, validated on 6 and"}  # fmt: skip
    assert f"Trained on {held_out[name]} tested on 4" in said
    assert (
        "**trained with**: batches of 8, 1 epoch\n" in said
        and "in batches of 8 make" in said
        and "which may be too few; try --epochs " in said
    )
    told = said.lower()
    assert (
        said.splitlines()[0].endswith(" photos.") and "report 0" not in told and "digit" not in told.replace(name, "")
    )
    (arm, *_) = read(folder, "history.json")
    assert ae.load(folder, arm).reconstruct(np.zeros((1, 20, 16, 3), np.uint8)).shape == (1, 20, 16, 3)


def test_few_own_images_make_steps_enough_unless_the_flags_say_otherwise():
    def made(count, **flags):
        config = own_images.paced(bottleneck.Config(**flags), count)
        return config.batch_size, config.epochs

    assert made(36, dataset="./photos") == (4, 112)  # 9 steps an epoch
    assert made(360, dataset="./photos") == (16, 50)
    assert made(36, dataset="./photos", batch_size=36) == (36, 1000) and made(36, dataset="./photos", epochs=3) == (
        4,
        3,
    )
    assert made(36, dataset="./photos", batch_size=20, epochs=3) == (20, 3)
    assert made(54, dataset="./photos", batch_size=55, epochs=3) == (54, 3)
    assert "--batch-size 55 is cut to the set" in own_images.pace(bottleneck.Config(dataset="./p", batch_size=55), 54)
    assert made(60_000, dataset="fashion_mnist") == made(36) == (2048, 50)  # enough of them, and a report's


def test_steps_are_told_of_the_batch_that_was_trained_on():
    own, report = denoise.Config(dataset="./photos"), denoise.Config()  # batches of 4, and of 16
    assert [logged_steps(own, 49), shown_steps(own, 49), logged_steps(own, 5)] == [12, 12, 1]
    assert [logged_steps(report, 45_000), shown_steps(report, 45_000)] == [100, 2812]
    assert own_images.trained_with(own, 49) == "batches of 4, 84 epochs"


def test_a_denoiser_is_said_to_make_images_better_or_worse_and_an_autoencoder_has_no_noise():
    def said(**gains):
        psnr, ssim = "test/psnr, 8-bit", "test/ssim, 8-bit"
        gap, seeds = "test - train/mse, signed, in standard errors", len(next(iter(gains.values())))
        measures = {"ae": {psnr: np.full(seeds, 18.02), gap: np.zeros(seeds)}}
        for arm, gain in gains.items():
            given = np.full(seeds, 26.0)
            of = {psnr: given + gain, "test/input psnr, 8-bit": given, f"{psnr} gained": np.array(gain)}
            measures[arm] = {**of, f"{ssim} gained": np.array(gain), gap: np.zeros(seeds)}
        found = ae.Findings(Origin(denoise.Config(dataset="./photos"), tuple(range(seeds)), ()), measures)
        return [line.rpartition(": ")[2] for line in denoise_words.own_scores(found)]

    without = "the output has a PSNR of 18.02 dB; it is given no noise."
    one = "the model makes it better, by 2.000 dB.", "the model makes it worse, by 7.000 dB."
    assert said(up=[2.0], down=[-7.0]) == [*one, without]
    three = "the model makes it better, by 2.00 ± 0.25 dB.", "which 3 seeds don't tell from 0."
    better, unsure = said(up=[2.0, 1.9, 2.1], unsure=[-3.0, 1.0, 1.0])[:-1]
    assert better == three[0] and unsure.endswith(three[1])


def test_the_best_arm_is_said_and_which_overfit():
    arms = {
        "transposed 2 mse": (0.2, 40.0, 9),
        "upsampling 2 mse": (0.19, 0.5, 60),
        "upsampling 7 bce": (0.25, 90.0, 14),
    }
    rise, lowest = "overfitting/rise of the validation loss, %", "validation/epoch of the lowest loss"
    measures = {
        arm: {"test/rmse": [error], rise: [rose], lowest: [at], "validation/epochs trained": [77]}
        for arm, (error, rose, at) in arms.items()
    }
    measures = {arm: {name: np.array(values) for name, values in of.items()} for arm, of in measures.items()}

    def found(*shown):
        config = digit_codes.Config(dataset="./photos")
        return ae.Findings(Origin(config, (0,), ()), {arm: measures[arm] for arm in shown})

    said = codes_words.own_errors(found(*arms))
    assert "upsampling 2 mse has the lowest" in said and ", 0.1900, and upsampling 7 bce the highest, 0.2500;" in said
    ended = "after 77; --patience 10 stops soon after that."
    two = (
        "transposed 2 mse and upsampling 7 bce overfit: their validation losses are lowest after epoch 9 to 14, and end"
    )
    assert codes_words.own_overfitting(found(*arms)) == [f"{two} 40 to 90% higher, {ended}"]
    one = "upsampling 7 bce overfits: its validation loss is lowest after epoch 14, and ends 90% higher"
    assert codes_words.own_overfitting(found("upsampling 7 bce")) == [f"{one}, {ended}"]
    (none,) = codes_words.own_overfitting(found("upsampling 2 mse"))
    assert none == "No arm's validation loss ends more than 1% above its lowest."


def test_seeds_that_show_one_picture_are_said_with_what_to_do_about_them():
    about = {"name": "photos", "source": "folder"}
    data = tuple({**about, "role": f"./photos {split}", "split": split, "n": 36} for split in ("train", "test"))
    origin = Origin(bottleneck.Config(dataset="./photos"), (0, 1, 2), data)
    found = ae.Findings(origin, {}, slow={"code 4": (0,)}, dead={"code 4": (), "code 8": (0, 2)})
    four, eight, came_out, *_ = own_images.document(
        found, 36, measured=["It is so."], revive="do this"
    ).conclusions.splitlines()
    assert four == "- code 4 shows one picture, whatever the image, in 1 of 3 seeds: do this."
    assert (
        eight == "- code 8 shows one picture, whatever the image, in 2 of 3 seeds: do this."
        and came_out == "- It is so."
    )


def test_an_error_is_said_to_lie_on_the_side_of_pca_where_it_does():
    errors = {4: (0.05, 0.051, 0.052), 8: (0.02, 0.021, 0.022), 16: (0.02, 0.03, 0.04)}
    measures = {f"code {size}": {"test/mse": np.array(seeds)} for size, seeds in errors.items()}
    measures |= {f"PCA {size}": {"test/mse": np.array(0.03)} for size in errors}
    found = ae.Findings(Origin(bottleneck.Config(dataset="./photos"), (0, 1, 2), ()), measures)
    said = words.own_errors(found, {size: f"code {size}" for size in errors})
    assert [part.rpartition(", ")[2] for part in said.split("; ")] == [
        "above the 0.03000 of PCA of as many", "below the 0.03000 of PCA of as many",
        "beside the 0.03000 of PCA of as many.",
    ]  # fmt: skip


def test_what_an_architecture_does_not_allow_is_a_sentence(photos, tmp_path):
    def run(study, **flags):
        perform(study.EXPERIMENT, study.Config(dataset=str(photos), out=tmp_path / "run", **SHORT, **flags))

    refused("18x18 are no multiple of 4 pixels", digit_codes.Config, dataset=str(photos), image_size=18)
    refused("images of 5,043 values.* --image-size 36 or less", run, bottleneck, image_size=41)
    refused("8x8, and SSIM's window has 11x11.* --image-size 11 or more", run, denoise, image_size=8)
    refused("the images have 768 values", run, bottleneck, image_size=16, code_sizes=(800,))
    refused("--image-size is for a folder of images; name one, as in --dataset", bottleneck.Config, image_size=8)
    assert not own_images.is_own(bottleneck.Config())
