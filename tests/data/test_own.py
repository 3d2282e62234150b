"""Images of one's own: arrays and folders become a Dataset, or are refused in a sentence that names what is wrong."""

import numpy as np
import pytest
from PIL import Image
from prepared import refused

import jaxae as ae
from jaxae.data import from_arrays, from_folder


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


def grey(value, height=4, width=6):
    return np.full((height, width), value)


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
    assert from_folder(tmp_path, "train").image[0, 0, 0].tolist() == [9, 9, 9]
    assert from_folder(tmp_path, "test").image[0, 0, 0].tolist() == [0, 0, 200]


def test_several_sizes_are_refused_or_brought_to_the_one_asked_for_without_distortion(tmp_path):
    for place in range(10):
        write(tmp_path / f"{place}.png", grey(place))
    wide = np.zeros((4, 12))
    wide[:, 4:8] = 100  # what a square cut at the centre keeps
    write(tmp_path / "wide.png", wide)
    refused("is 4x6 and .*wide.png is 4x12; give a size", from_folder, tmp_path)
    made = from_folder(tmp_path, "all", size=4)
    assert made.image.shape == (11, 4, 4, 1)
    assert (made.image[9] == 100).all()  # the last for training
    refused("give a side from 1 to 4096", from_folder, tmp_path, size=0)


def test_what_is_no_image_is_named(tmp_path):
    refused("there is no folder", from_folder, tmp_path / "none")
    refused("holds no images for train", from_folder, tmp_path)
    for place in range(10):
        write(tmp_path / f"{place}.png", grey(place))
    whole = (tmp_path / "3.png").read_bytes()
    for content in (b"GIF89a", whole[:45]):
        (tmp_path / "3.png").write_bytes(content)
        refused("3.png is no PNG or JPEG that can be read", from_folder, tmp_path)
    Image.fromarray(np.zeros((4, 6), np.uint16)).save(tmp_path / "3.png")
    refused("3.png has pixels of the kind I;16", from_folder, tmp_path)
