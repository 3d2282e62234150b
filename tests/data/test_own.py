"""Images of one's own: arrays and folders become a Dataset, or are refused in a sentence that names what is wrong."""

import errno
import re
import shutil
import struct
import warnings
import zlib

import jax
import numpy as np
import pytest
from PIL import Image
from prepared import refused

import jaxae as ae
from jaxae.data import from_arrays, from_folder
from jaxae.errors import Notice
from jaxae.run.command_line import with_errors


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


def grey(value, height=4, width=6):
    return np.full((height, width), value)


def ten(folder):
    for place in range(10):
        write(folder / f"{place}.png", grey(place))


def test_arrays_become_a_dataset_with_a_fingerprint():
    image = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    made = from_arrays(image, [1, 0], classes=("cat", "dog"))
    np.testing.assert_array_equal(made.image[..., 0], image)
    assert (made.label.tolist(), made.classes, made.source) == ([1, 0], ("cat", "dog"), "own")
    assert made.fingerprint == ae.data.fingerprint(image[..., None], np.array([1, 0], np.int32))
    assert from_arrays(image).label.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("image", "label", "match"),
    [
        (np.zeros((2, 3, 4)), None, "float64.* is no stack of stored images"),
        (np.zeros((0, 3, 4), np.uint8), None, "no stack of stored images"),
        (np.zeros((2, 3, 4), np.uint8), [0], "one whole number for each of 2"),
        (np.zeros((2, 3, 4), np.uint8), [0, -1], "labels from -1 to 0"),
        (np.zeros((2, 3, 8, 8), np.uint8), None, "channels first; move them last"),
        (np.zeros((8, 8, 3), np.uint8), None, "one picture in colours, or many grey"),
    ],
)
def test_arrays_that_are_no_images_are_refused(image, label, match):
    refused(match, from_arrays, image, label)


def test_a_folder_of_classes_is_read_in_the_order_of_its_names_and_every_tenth_image_is_for_testing(tmp_path):
    for place in range(11):
        write(tmp_path / ("b" if place % 2 else "a") / f"{place:02}.png", grey(place))
    (tmp_path / "a" / "notes.txt").write_text("no image")
    made = from_folder(tmp_path)
    order = [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9]
    train = [value for place, value in enumerate(order) if place != 9]
    assert from_folder(tmp_path, "train").image[:, 0, 0, 0].tolist() == train
    assert from_folder(tmp_path, "test").image[:, 0, 0, 0].tolist() == [7]
    assert made.image.shape == (11, 4, 6, 1)
    assert (made.classes, made.name, made.source) == (("a", "b"), tmp_path.name, "folder")
    assert from_folder(tmp_path, "train[-1:]").label.tolist() == [1]


def test_folders_train_and_test_are_the_splits_and_one_colour_image_makes_all_rgb(tmp_path):
    write(tmp_path / "train" / "1.png", grey(9))
    colour = np.zeros((4, 6, 3))
    colour[..., 2] = 200
    write(tmp_path / "test" / "1.PNG", colour)
    with pytest.warns(Notice, match="grey pictures that are read as RGB, as others are: 1$"):
        assert from_folder(tmp_path, "train").image[0, 0, 0].tolist() == [9, 9, 9]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L"])
def test_transparency_that_is_left_out_is_said(tmp_path, mode):
    for place in range(10):
        picture = Image.fromarray(np.full((4, 6, 4), 9, np.uint8)).convert(mode)
        picture.save(tmp_path / f"{place}.png", transparency={"P": bytes(range(256)), "L": 0}.get(mode))
    with pytest.warns(Notice, match="pictures whose alpha channel is left out: 10$"):
        assert (from_folder(tmp_path, "test").image == 9).all()


def test_a_set_is_shown_in_a_line(tmp_path):
    ten(tmp_path)
    made = from_folder(tmp_path, "train")
    shown = f"Dataset({tmp_path.name} train: 9 images of 4x6x1, 1 class, SHA-256 {made.fingerprint[:12]})"
    assert repr(made) == shown
    jax.jit(lambda traced: [repr(traced), traced.image][1])(made)


def test_several_sizes_are_refused_or_brought_to_the_one_asked_for_without_distortion(tmp_path):
    ten(tmp_path)
    wide = np.zeros((4, 12))
    wide[:, 4:8] = 100  # what a square cut at the centre keeps
    write(tmp_path / "wide.png", wide)
    refused("is 4x6 and .*wide.png is 4x12; give one size, size=32 or .* --image-size 32", from_folder, tmp_path)
    made = from_folder(tmp_path, "all", size=4)
    assert made.image.shape == (11, 4, 4, 1)
    assert (made.image[9] == 100).all()  # the last for training
    for size in 0, (32,), "32", 2.5, (4, "4"), (1, 2, 3):
        told = repr(size).replace("(", r"\(").replace(")", r"\)")
        refused(f"resized to {told}; give a whole number from 1 to 4096, or", from_folder, tmp_path, size=size)
    refused("--source synthetic draws its own images", ae.data.load, str(tmp_path), "train", source="synthetic")


def test_what_is_no_image_is_named(tmp_path):
    refused("there is no folder", from_folder, tmp_path / "none")
    refused("holds no PNG or JPEG files; it takes 10 or more", from_folder, tmp_path)
    write(tmp_path / "0.png", grey(0))
    refused("holds 1 PNG .* none to test with; give 10 or more, or put them into folders train", from_folder, tmp_path)
    ten(tmp_path)
    whole = (tmp_path / "3.png").read_bytes()
    for content in (b"GIF89a", whole[:45]):
        (tmp_path / "3.png").write_bytes(content)
        refused("3.png is no PNG or JPEG that can be read", from_folder, tmp_path)


def test_more_than_8_bits_a_channel_are_refused_of_grey_and_of_colours(tmp_path):
    ten(tmp_path)
    Image.fromarray(np.zeros((4, 6), np.uint16)).save(tmp_path / "3.png")
    refused("3.png has 16 bits a channel", from_folder, tmp_path)
    head = b"IHDR" + struct.pack(">IIBBBBB", 6, 4, 16, 2, 0, 0, 0)  # of colours, which Pillow would take
    whole = (tmp_path / "2.png").read_bytes()
    (tmp_path / "3.png").write_bytes(whole[:12] + head + struct.pack(">I", zlib.crc32(head)) + whole[33:])
    refused("3.png has 16 bits a channel", from_folder, tmp_path)


@pytest.mark.parametrize("lead", ["l -> .", "3.png -> 2.png", "train/2.png -> ../test/2.png"])
def test_a_file_that_a_link_shows_twice_is_in_no_two_splits(tmp_path, lead):
    link, there = lead.split(" -> ")
    ten(tmp_path)
    ten(tmp_path / "test")
    ten(tmp_path / "train") if "/" in lead else shutil.rmtree(tmp_path / "test")
    (tmp_path / link).unlink(missing_ok=True)
    (tmp_path / link).symlink_to(there)
    refused("leads back to|are one file, which might be trained on and tested by", from_folder, tmp_path)


def test_pictures_that_are_left_out_are_counted_and_the_command_line_says_so(tmp_path, capsys):
    for place in ("train", "test/a", "val", "test/a/deep"):
        ten(tmp_path / place)
    (tmp_path / "train" / "0.webp").touch()
    (tmp_path / "train" / "gone.png").symlink_to("nowhere")
    (tmp_path / "train" / ".hidden.png").touch()
    with pytest.warns(Notice, match=r"pictures are left out \(21 \.png, 1 \.webp\); .* in train and test,"):
        assert len(from_folder(tmp_path)) == 20
    with warnings.catch_warnings(action="always"):
        with_errors(lambda: from_folder(tmp_path))
    assert re.fullmatch(r"note: .*: pictures are left out .*\n", capsys.readouterr().err)


@pytest.mark.parametrize("place", ["train", "train/a"])
def test_a_folder_to_train_on_without_one_to_test_with_is_no_class(tmp_path, place):
    ten(tmp_path / place)
    refused("has a folder train and no test; add that one, or name .*/train", from_folder, tmp_path)


def test_a_folder_that_is_named_without_its_dot_is_said_to_want_one(tmp_path, monkeypatch):
    ten(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    refused(r"for the folder of images write \./photos", ae.data.load, "photos", "train", data_dir=tmp_path)


def test_what_is_closed_or_too_large_is_not_called_damaged(tmp_path, monkeypatch):
    ten(tmp_path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)  # each has 24, of which Pillow would warn
    assert len(from_folder(tmp_path)) == 10
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    refused(r"0.png is too large \(.*24 pixels.*20 pixels\); scale it down", from_folder, tmp_path)

    def closed(path, **options):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Image, "open", closed)  # a test may run as root, to whom nothing is closed
    refused(r"0.png can't be read \(Permission denied\)", from_folder, tmp_path)
    refused("there is no folder ~nobody-of-this-name", from_folder, "~nobody-of-this-name/photos")
