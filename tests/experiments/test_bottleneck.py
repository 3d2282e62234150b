"""What is read on the way between digits, from readings and labels whose answers are known; what flags refuse."""

import numpy as np
import pytest

from experiments.bottleneck.method import Config
from experiments.bottleneck.paths import DIFFERENT, SAME, pairs, reading_of
from jaxae import keys
from jaxae.errors import UsageError


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
