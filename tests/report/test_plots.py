"""Figures: saved and drawn again without a difference, and refused in one sentence where they don't fit together."""

import os
import subprocess
import sys
from dataclasses import replace
from io import BytesIO

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from PIL import Image

from jaxae import results
from jaxae.errors import UsageError
from jaxae.report import plots
from jaxae.report.look import colour_of, variant_of

EPOCHS = np.arange(1, 6)
LOSSES = np.stack([1 / EPOCHS, 1.1 / EPOCHS, 1.3 / EPOCHS]).astype(np.float32)
DIGITS = np.linspace(0, 1, 14 * 6 * 6, dtype=np.float32).reshape(14, 6, 6, 1)
COLOURED = np.broadcast_to(DIGITS, (14, 6, 6, 3))


def figures():
    stopped = LOSSES.copy()
    stopped[0, 3:], stopped[:, 4] = np.nan, np.nan
    lines = (
        plots.Line("train", jnp.asarray(EPOCHS), jnp.asarray(LOSSES), "fc"),
        plots.Line("validation", EPOCHS / 2, stopped, "fc", style="dashed"),
        plots.Line("train", EPOCHS[:1], LOSSES[:1, :1], "conv $_x$", colour=4),
    )
    marks = (("floor", 0.1), ("reported", np.float32(0.11)), plots.Mark("reported, step 100", 0.5, 1.5, "fc"))
    normal = np.random.default_rng(0).normal(size=(2, 200))
    return {
        "curves": plots.Curves("A loss falls.", "epoch", "loss", lines, marks, log=True, note="Seed 0 stopped."),
        "images": plots.Images(
            "Digits.", [("original", DIGITS), ("colour", COLOURED)], [str(i) for i in range(14)],
            low=-1.0, captions=((), ["28.1 dB"] * 14), columns=7,
        ),
        "histogram": plots.Histogram("Scores.", "PSNR in dB", "images", (("fc", normal[0]), ("conv", normal[1])), 12),
        "bars": plots.Bars("Sums.", "sum", "share", ("0", "1"), (("all", np.ones((3, 2))), ("balanced", [0.4, 0.6]))),
        "scatter": plots.Scatter("Codes.", "1", "2", normal.T, np.arange(200) % 3, ("zero", "one", "two")),
    }  # fmt: skip


@pytest.mark.parametrize("kind", figures())
def test_saved_and_drawn_again(kind, tmp_path):
    figure = figures()[kind]
    picture = plots.save(figure, tmp_path / "figures", kind)
    assert picture == tmp_path / "figures" / f"{kind}.png"
    again = plots.load(picture.with_suffix(".npz"))
    assert type(again) is type(figure)
    assert (again.title, again.note) == (figure.title, figure.note)
    second = plots.save(again, tmp_path, kind)
    assert second.read_bytes() == picture.read_bytes()
    assert second.with_suffix(".npz").read_bytes() == picture.with_suffix(".npz").read_bytes()
    assert set(Image.open(BytesIO(second.read_bytes())).info) == {"dpi"}


def test_values_survive(tmp_path):
    figure = figures()["curves"]
    plots.save(figure, tmp_path, "curves")
    again = plots.load(tmp_path / "curves.npz")
    np.testing.assert_array_equal(again.lines[0].values, LOSSES)
    assert again.lines[0].values.dtype == np.float32
    assert [line.label for line in again.lines] == ["train", "validation", "train"]
    assert again.references[1] == ("reported", pytest.approx(0.11))
    assert plots.Mark(*again.references[2]) == figure.references[2]


def test_interval_is_the_one_of_the_tables():
    from jaxae.findings.statistics import interval_by_point as interval

    values = np.array([[1.0, 1.0, np.nan], [2.0, np.nan, np.nan], [4.0, np.inf, np.nan]])
    mean, low, high = interval(values)
    np.testing.assert_array_equal(mean, [7 / 3, 1, np.nan])
    assert (low[0], high[0]) == pytest.approx(results.interval([1, 2, 4]))
    assert np.isnan(low[1:]).all()


def test_the_seeds_of_a_single_point_have_an_error_bar_as_long_as_their_interval():
    from jaxae.report.drawing import draw_curves

    curves = plots.Curves("", "epoch", "loss", (plots.Line("train", [1], [[1.0], [2.0], [4.0]]),))
    bars = draw_curves(curves, titled=False).axes[0].collections
    ((ends,),) = [bar.get_segments() for bar in bars if isinstance(bar, LineCollection)]
    assert np.asarray(ends)[:, 1] == pytest.approx(results.interval([1, 2, 4]))


def test_a_single_point_shows_every_seed_and_a_panel_without_values_says_so():
    lines = (plots.Line("train", [1], LOSSES[:, :1], "one epoch"), plots.Line("train", EPOCHS, LOSSES * np.nan, "none"))
    shown, empty = plots.draw(plots.Curves("A loss.", "epoch", "loss", lines)).axes
    points = [line for line in shown.lines if line.get_marker() == "."]
    assert sorted(float(np.ravel(line.get_ydata())[0]) for line in points) == sorted(LOSSES[:, 0].tolist())
    assert [text.get_text() for text in (*shown.texts, *empty.texts)] == ["no values"]


def test_pixels_are_whole_and_on_one_scale():
    """Every pixel of an image is a square of one gray; integers count as 255ths."""
    image = np.array([[0, 51], [102, 255]], np.uint8).reshape(1, 2, 2, 1)
    figure = plots.Images("", (("", image), ("", image.astype(np.float32) / 255)), low=0.0, high=0.8)
    pixels = np.asarray(Image.open(BytesIO(plots.png(figure))).convert("L"))
    values, counts = np.unique(pixels, return_counts=True)
    shown = dict(zip(values.tolist(), counts.tolist(), strict=True))
    assert shown[0] == shown[64] == shown[128] == 2 * 75 * 75
    assert shown.keys() == {0, 64, 128, 204, 255}  # 204: the hairline around each image


def test_twenty_images_wrap_into_two_blocks():
    from jaxae.report.mosaic import lay_out

    rows = [(label, np.zeros((20, 28, 28, 3), np.float32)) for label in ("original", "fc", "conv")]
    plan = lay_out(plots.Images("", rows), rows, titled=False)
    assert (plan.columns, plan.zoom) == (10, 4)
    assert plan.corner(0, 10)[0] == plan.corner(0, 0)[0]
    assert plan.corner(0, 10)[1] > plan.corner(2, 0)[1] + plan.tile[0]
    assert plan.width <= 1500


def test_the_legend_is_below_the_axes():
    drawn = plots.draw(figures()["curves"])
    drawn.draw_without_rendering()
    boxes = [ax.get_tightbbox() for ax in drawn.axes]
    assert boxes
    assert all(box and box.y0 >= drawn.legends[0].get_window_extent().y1 for box in boxes)


def test_bands_that_a_log_axis_has_no_room_for_are_cut_at_its_lower_end_and_the_legend_says_so():
    wide = np.array([[1.0, 0.8], [0.1, 0.5], [0.5, 0.6]])
    narrow = np.array([[1.0, 0.8], [0.98, 0.79], [0.99, 0.8]])
    for values, log, cut in ((wide, True, True), (narrow, True, False), (wide, False, False)):
        drawn = plots.draw(plots.Curves("", "epoch", "loss", [plots.Line("a", [1, 2], values)], log=log))
        words = [text.get_text() for text in drawn.legends[0].get_texts()]
        assert any("cut at the lower end of the axis" in word for word in words) == cut
        band = np.asarray(drawn.axes[0].collections[0].get_paths()[0].vertices)[:, 1]
        assert (drawn.axes[0].get_ylim()[0] == pytest.approx(0.05)) == cut
        assert (band.min() == pytest.approx(0.05)) == cut  # half of 0.1, the lowest value drawn


@pytest.mark.parametrize("kind", ["curves", "bars"])
def test_intervals_are_cut_at_what_is_possible_and_the_legend_says_so(kind):
    from jaxae.report.bands import within

    percent = np.array([[0.0, 50.0, 100.0], [0.0, 51.0, 100.0], [9.0, 52.0, 70.0]])
    _, low, high = within((0, 100), percent)
    whole = [results.interval(column) or (np.nan, np.nan) for column in percent.T]
    np.testing.assert_allclose(low, [0, whole[1][0], whole[2][0]])
    np.testing.assert_allclose(high, [whole[0][1], whole[1][1], 100])
    line = plots.Line("a", EPOCHS[:3], percent)
    curves, bars = plots.Curves("", "", "", [line]), plots.Bars("", "", "", ("a", "b", "c"), [("a", percent)])
    figure = replace(curves if kind == "curves" else bars, within=(0, 100))
    word = "95% interval of the mean, 3 seeds"
    assert legend(replace(figure, within=()))[-1] == word
    assert legend(figure)[-1] == word + ", cut at 0 and 100"
    assert legend(replace(figure, within=(-100, 200)))[-1] == word


@pytest.mark.parametrize("kind", ["curves", "bars"])
def test_two_seeds_are_drawn_one_by_one_without_an_interval(kind):
    line = plots.Line("a", EPOCHS, LOSSES[:2])
    bars = plots.Bars("", "", "", [*"abcde"], [("a", LOSSES[:2])])
    figure = plots.Curves("", "", "", [line]) if kind == "curves" else bars
    (ax,) = plots.draw(figure).axes
    assert not [one for one in ax.collections if len(one.get_paths()) and np.size(one.get_paths()[0].vertices)]
    seeds = np.stack([np.asarray(one.get_ydata()) for one in ax.lines])
    np.testing.assert_allclose(seeds, LOSSES[:2])
    assert legend(figure)[-1] == "2 seeds, one by one"


def test_lines_and_bars_differ_without_their_colours():
    lines = [plots.Line(name, EPOCHS, LOSSES) for name in "abc"]
    drawn = plots.draw(plots.Curves("", "", "", lines)).legends[0].legend_handles[:3]
    assert len({line.get_marker() for line in drawn}) == 3  # pyright: ignore
    assert len({(colour_of(place), variant_of(place)) for place in range(49)}) == 49  # though there are seven colours
    groups = [(name, np.ones(2)) for name in "abc"]
    bars = plots.draw(plots.Bars("", "", "", ("x", "y"), groups)).axes[0].patches
    assert len({bar.get_hatch() for bar in bars}) == 3


def test_a_category_without_values_says_so():
    groups = [("a", [np.nan, 2.0, 1.0]), ("b", [np.nan, 3.0, np.nan])]
    (ax,) = plots.draw(plots.Bars("", "", "", ("x", "y", "z"), groups)).axes
    assert [(text.get_text(), text.get_position()[0]) for text in ax.texts] == [("no values", 0), ("none", 2.2)]
    assert ax.get_xlim() == (-0.5, 2.5)


def legend(figure):
    return [text.get_text() for text in plots.draw(figure).legends[0].get_texts()]


def test_a_logarithmic_x_axis_has_ticks_where_the_points_are():
    sizes = [2, 4, 8, 16, 32]
    ax = plots.draw(plots.Curves("", "", "", [plots.Line("a", sizes, LOSSES)], log=True, log_x=True)).axes[0]
    assert ax.get_xscale() == "log"
    assert [text.get_text() for text in ax.get_xticklabels()] == [str(size) for size in sizes]
    low, high = ax.get_ylim()
    assert sum(low <= tick <= high for tick in ax.get_yticks()) >= 4


def test_shades_go_from_light_to_dark():
    colours = [[int(shade[i : i + 2], 16) for i in (1, 3, 5)] for shade in plots.shades(5)]
    assert (np.diff(np.sum(colours, axis=1)) < 0).all()
    assert plots.shades(1) == plots.shades(5)[-1:]


def test_captions_of_a_row_have_one_size_and_a_letter_between_them():
    from jaxae.report.mosaic import lay_out, size, text_width

    rows, texts = [("", np.zeros((8, 28, 28, 3), np.float32))], ("4 read as 9, 99%",) * 7 + ("short",)
    plan = lay_out(plots.Images("", rows, columns=8), rows, titled=False)
    fitted = size(plan, texts)
    assert 4.5 < fitted < 9
    assert text_width(texts[0], fitted) + 0.9 * text_width("n", fitted) <= plan.tile[1] + plan.gap
    drawn = plots.draw(plots.Images("", [("", DIGITS[:8])], captions=[texts], columns=8)).axes[0].texts
    assert len({text.get_fontsize() for text in drawn if text.get_text() in texts}) == 1


def test_users_style_changes_nothing():
    import matplotlib as mpl

    expected = plots.png(figures()["bars"])
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.facecolor": "blue"}):
        assert plots.png(figures()["bars"]) == expected


@pytest.mark.parametrize("backend", ["unknown_here", "svg"])
def test_a_backend_that_the_environment_names_draws_nothing_and_stays_the_users(backend):
    code = (
        "import os; from jaxae.report import plots; "
        "plots.png(plots.Bars('', '', '', ('a',), (('x', [1.0]),))); "
        "import matplotlib; print(os.environ['MPLBACKEND'], matplotlib.rcParams['backend'])"
    )
    environment = {**os.environ, "MPLBACKEND": backend}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == backend
    assert done.stdout.split()[1] == ("svg" if backend == "svg" else "agg")


def test_per_class():
    labels = [3, 0, 3, 0, 0, 3]
    assert plots.per_class(np.zeros((6, 2)), labels, 2).tolist() == [1, 3, 0, 2]
    with pytest.raises(UsageError, match="class 0, 3 has fewer than 4 images"):
        plots.per_class(np.zeros((6, 2)), labels, 4)
    with pytest.raises(UsageError, match="5 images need as many labels"):
        plots.per_class(np.zeros((5, 2)), labels, 1)


def broken():
    good = figures()
    line = good["curves"].lines[0]
    return {
        "a dict is no figure": {},
        "it has no lines": replace(good["curves"], lines=()),
        r"values \[5\]; give \[n\] and \[seeds, n\]": replace(good["curves"], lines=[replace(line, values=EPOCHS)]),
        "reference 'floor' is nan": replace(good["curves"], references=[("floor", float("nan"))]),
        r"its rows have shapes \[\[14, 6, 6, 1\], \[2, 6": replace(
            good["images"], rows=[("a", DIGITS), ("b", DIGITS[:2])]
        ),
        "13 column labels for 14 images": replace(good["images"], column_labels=["x"] * 13),
        "its captions don't match": replace(good["images"], captions=(["x"],)),
        "must be below white": replace(good["images"], low=1.0),
        "group 'a' has shape": replace(good["histogram"], groups=[("a", np.full(3, np.nan))]),
        "give 2 heights": replace(good["bars"], groups=[("a", np.ones((2, 3)))]),
        "it has 2 colours for 1 groups": replace(good["bars"], groups=[("a", np.ones(2))], colours=(0, 1)),
        "name every class": replace(good["scatter"], names=("zero", "one")),
    }


@pytest.mark.parametrize("words", broken())
def test_a_figure_that_does_not_fit(words, tmp_path):
    with pytest.raises(UsageError, match=words):
        plots.save(broken()[words], tmp_path, "figure")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".hidden", "a b"])
def test_names_are_file_names(name, tmp_path):
    with pytest.raises(UsageError, match="is no file name"):
        plots.save(figures()["bars"], tmp_path, name)


def test_files_that_hold_no_figure(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(UsageError, match="does not exist"):
        plots.load(path)
    for content in (b"", b"PK\x03\x04", b"text"):
        path.write_bytes(content)
        with pytest.raises(UsageError, match="holds no figure"):
            plots.load(path)
    np.savez(path, header='{"format": 1, "figure": {"kind": "Pie"}}')
    with pytest.raises(UsageError, match="holds no figure"):
        plots.load(path)
    np.savez(path, header='{"format": 2}')
    with pytest.raises(UsageError, match="figure format 2 is unknown"):
        plots.load(path)
