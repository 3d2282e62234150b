"""Images as a page lays them out: their own pixels, in pieces that stand below each other on a narrow screen."""

from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from jaxae.report.figures import Images
from jaxae.report.tiles import tiles_of


def pixels_of(cell):
    with Image.open(BytesIO(b64decode(cell.source.partition(",")[2]))) as image:
        return np.asarray(image)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_strip_holds_the_images_own_pixels_within_a_transparent_margin(channels):
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 9, channels), np.uint8)
    (cell,) = tiles_of(Images("", [("a", images)])).cells
    shown = pixels_of(cell)
    assert shown.shape == (10, 22, channels + 1)
    for place in range(2):
        np.testing.assert_array_equal(shown[1:9, 11 * place + 1 : 11 * place + 10, :channels], images[place])
    assert (shown[..., -1] == 255).sum() == 2 * 8 * 9
    assert set(np.unique(shown[..., -1])) == {0, 255}


def test_lines_are_cut_into_pieces_that_narrow_screens_show_below_each_other():
    rows = [(name, np.zeros((19, 2, 2, 1))) for name in ("original", "output")]
    grid = tiles_of(Images("", rows, captions=([], [f"{i} dB" for i in range(19)])))
    assert (grid.pieces, grid.columns) == (2, 5)
    assert [(cell.wide, cell.narrow, cell.piece, cell.count) for cell in grid.cells] == [
        (1, 1, 0, 5), (2, 2, 0, 5), (1, 3, 1, 5), (2, 4, 1, 5), (3, 5, 0, 5), (4, 6, 0, 5), (3, 7, 1, 4), (4, 8, 1, 4),
    ]  # fmt: skip
    assert [cell.texts[:1] for cell in grid.cells[1::2]] == [["0 dB"], ["5 dB"], ["10 dB"], ["15 dB"]]
    assert [cell.starts for cell in grid.cells[::2]] == ["", "piece", "block piece", "block piece"]


def test_a_map_stays_whole_below_the_labels_of_its_columns():
    rows = [(f"{y}", np.zeros((15, 2, 2, 1))) for y in range(3)]
    grid = tiles_of(Images("", rows, [f"{x}" for x in range(15)], columns=15))
    assert (grid.pieces, grid.columns, [cell.wide for cell in grid.cells]) == (1, 15, [1, 2, 3, 4])
    assert (grid.cells[0].source, len(grid.cells[0].texts), grid.cells[1].label) == ("", 15, "0")
