"""What is read on the way between digits, from readings and labels whose answers are known; what flags refuse."""

from typing import Any

import numpy as np
import pytest

import jaxae as ae
from experiments import bottleneck
from experiments.bottleneck import author, measures, method
from experiments.bottleneck.measures import roughness
from experiments.bottleneck.method import Config
from experiments.bottleneck.paths import DIFFERENT, SAME, jump, pairs, reading_of
from jaxae import keys
from jaxae.errors import UsageError
from jaxae.models.weights.files import save_safetensors
from jaxae.run.run import Run

SCORED = {"train/mse": 0.0278423411, "test/mse": 0.0279554740, "living": 5}  # by PyTorch, in doubles


def seen(*paths: str) -> np.ndarray:
    """f64[10, n, 10]: 0.7 for the digit that is named at each of the ten points of a path, 0.3 for a 0."""
    digits = np.array([list(map(int, path)) for path in paths]).T
    return 0.7 * np.eye(10)[digits] + 0.3 * np.eye(10)[0]


def test_read():
    paths = {
        "1111177777": (1, 7),  # as it should be
        "1111499777": (1, 7),  # through a 4 and a 9: one detour
        "1177744477": (1, 7),
        "1111477774": (1, 7),  # a detour, and an end that failed: left out
        "2222222222": (2, 2),
    }
    found = reading_of(seen(*paths), np.array(list(paths.values())))
    assert found.ends == pytest.approx(10)
    assert found.detours == pytest.approx(50)
    expected = np.full((3, 10), 30.0)  # the 0 is another digit everywhere
    expected[0] = 70 * np.array([4, 4, 3, 3, 2, 1, 1, 1, 1, 1]) / 4
    expected[1] = 70 * np.array([1, 1, 2, 2, 2, 2, 2, 3, 4, 4]) / 4  # both ends of the last are the start's digit too
    expected[2] += 70 * np.array([0, 0, 0, 0, 1, 2, 2, 1, 0, 0]) / 4
    np.testing.assert_allclose(found.probability, expected)


def test_without_a_path_whose_ends_are_right_there_is_nothing_to_read():
    found = reading_of(seen("1111177777", "1111177777"), np.array([(1, 3), (4, 7)]))
    assert found.ends == 50
    assert np.isnan(found.detours)
    assert np.isnan(found.probability).all()


def test_the_largest_step_of_a_path_is_a_multiple_of_its_mean_one():
    even, uneven, still = np.arange(4.0), np.array([0.0, 1.0, 1.0, 4.0]), np.zeros(4)
    ways = np.stack([even, uneven, still], 1).reshape(4, 3, 1, 1, 1)
    assert jump(ways) == pytest.approx((1 + 3 / (4 / 3)) / 2)
    assert np.isnan(jump(ways[:, 2:]))


def test_a_pixel_is_rough_by_its_distance_from_its_neighbours():
    image = np.zeros((1, 3, 4, 1))
    image[0, 1, 1] = 1.0
    assert roughness(image) == pytest.approx((1 + 1 / 4) / 2)  # the pixel, and the one beside it


def test_pairs():
    label = np.arange(100) % 10
    drawn = pairs(keys.root(0), label, 40)
    for kind, alike in ((SAME, True), (DIFFERENT, False)):
        assert drawn[kind].shape == (40, 2)
        first, second = drawn[kind].T
        assert ((label[first] == label[second]) == alike).all()
        assert (first != second).all()
        assert len(np.unique(drawn[kind], axis=0)) > 30


@pytest.mark.parametrize("flags", [{"pairs": 0}, {"pairs": 10_001}, {"noise": 0.0}, {"code_sizes": (8, 785)}])
def test_flags_that_are_refused(flags):
    with pytest.raises(UsageError, match="give "):
        Config(**flags)


@pytest.mark.real
def test_the_authors_network_scores_what_his_plot_ends_with(real_data, published, tmp_path):
    config = Config(
        data_dir=real_data / "tfds", author_weights=published("report-002"), out=tmp_path / "run", quiet=True
    )
    with Run(bottleneck.EXPERIMENT, config) as run:
        digits, test = run.data("mnist", "train"), run.data("mnist", "test")
        scored = measures.scored(method.authors(run), digits, test)
        assert [entry["role"] for entry in run.manifest["files"]] == ["the author's network"]
    assert scored["train/mse"] == pytest.approx(author.LOSSES[-1], rel=0.01)  # the plot's are means on the way
    assert scored == pytest.approx(SCORED, rel=1e-5)


def test_the_authors_network_is_his_layer_by_layer(tmp_path):
    with pytest.raises(UsageError, match=r"no file .*MLP\.8\.pth; name the folder"):
        author.variables(tmp_path)
    sizes = {"fc1": (392, 784), "fc2": (8, 392), "fc3": (392, 8), "fc4": (784, 392)}
    draw = np.random.default_rng(0).normal
    tensors = {f"{name}.weight": draw(0, 0.1, size).astype(np.float32) for name, size in sizes.items()}
    tensors |= {f"{name}.bias": draw(0, 0.1, size[0]).astype(np.float32) for name, size in sizes.items()}
    save_safetensors(author.file(tmp_path), tensors)
    image = draw(0.5, 0.1, (3, 28, 28, 1)).astype(np.float32)
    ours: Any = ae.models.MLPAutoencoder().apply(author.variables(tmp_path), image)
    x = image.reshape(3, 784)
    for name in sizes:
        x = x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]
        x = np.maximum(x, 0) if name != "fc4" else 1 / (1 + np.exp(-x))
    np.testing.assert_allclose(np.asarray(ours.image).reshape(3, 784), x, rtol=1e-4, atol=1e-6)


def test_the_last_loss_is_claimed_of_as_many_epochs_as_the_author_plotted():
    assert len(author.LOSSES) == Config().epochs
    assert [claim.metric for claim in method.claims(Config())] == ["train/loss/first", "train/loss/last"]
    assert [claim.metric for claim in method.claims(Config(epochs=5))] == ["train/loss/first"]
    with pytest.raises(UsageError, match=r"is of MNIST, not of \./photos; leave it out"):
        Config(dataset="./photos", author_weights="there")
