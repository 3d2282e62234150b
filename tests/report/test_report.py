"""The report: complete, self-contained, nothing of what it shows taken for markup, the same bytes each time."""

import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from reports import ROWS, document, findings, manifest
from rich.console import Console

import jaxae as ae
from jaxae.errors import UsageError
from jaxae.findings import REPRODUCED, Departure, likelihood_ratio, measured
from jaxae.report import drawing
from jaxae.report.console import console
from jaxae.report.curves import loss_curves
from jaxae.report.document import Document, Table
from jaxae.report.page import markdown_table, section, write_report
from jaxae.report.tables import claims_table, differences_table, measures_table, readings_table
from jaxae.report.words import words

VERDICTS = ("reproduced", "differs", "explained", "not comparable")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a report, and how many figures were drawn for it."""
    folder, drawn = tmp_path_factory.mktemp("run"), []
    with pytest.MonkeyPatch.context() as patch:
        whole = drawing.draw
        patch.setattr(drawing, "draw", lambda *given, **more: drawn.append(given) or whole(*given, **more))
        assert write_report(folder, manifest(), document(), ()) == folder / "report.html"
    return folder, len(drawn)


def text_of(folder: Path, name: str) -> str:
    return re.sub(r"base64,[^\"]*", "", (folder / name).read_text())


def test_every_figure_is_drawn_once_and_lies_beside_the_pages(finished):
    folder, drawn = finished
    assert drawn == 2
    names = {path.name for path in (folder / "figures").iterdir()}
    assert names == {f"{name}.{kind}" for name in ("loss_curves", "reconstructions") for kind in ("npz", "png")}
    assert re.findall(r"figures/(\w+)\.png", text_of(folder, "report.md")) == ["reconstructions", "loss_curves"]


def test_another_timing_gives_the_same_bytes_and_figures_that_went_are_removed(finished, tmp_path):
    ae.plots.save(document().figures["reconstructions"], tmp_path / "figures", "old")
    for name in ("figures/mine.txt", "figures/mine.png"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "figures/folder").mkdir()
    later = manifest(started="2040-01-01T00:00:00", wall_seconds=1.0)
    write_report(tmp_path, later, document(), ())
    for name in ("report.md", "report.html", "figures/loss_curves.png", "figures/reconstructions.npz"):
        assert (tmp_path / name).read_bytes() == (finished[0] / name).read_bytes(), name
    kept = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"mine.txt", "mine.png", "folder"} <= kept
    assert not {"old.png", "old.npz"} & kept


def test_a_report_is_written_whole_or_not_at_all(finished, tmp_path):
    with pytest.raises(UsageError):
        write_report(tmp_path, manifest(), document(figures={**document().figures, "spoilt": {}}), ())
    assert list(tmp_path.iterdir()) == []


def test_the_report_says_nothing_about_time_or_place(finished):
    for name in ("report.md", "report.html"):
        text = text_of(finished[0], name)
        assert not [word for word in ("2031", "77.25", "31.5", "91234", str(finished[0])) if word in text]


def test_the_page_needs_nothing_else(finished):
    html = (finished[0] / "report.html").read_text().replace("http://www.w3.org/2000/svg", "a name")
    assert html.count("data:image/png;base64,") == html.count("<img") == 3
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!data:)|<link|@import|url\(|https?://", html)
    assert "Two &lt;digits>. A note." in text_of(finished[0], "report.md")


@pytest.mark.parametrize("name", ["report.md", "report.html"])
def test_everything_is_in_it_conclusions_first(finished, name):
    text = text_of(finished[0], name)
    expected = (
        *VERDICTS, "0.498816", "468,368", "74,498", "without dead seed 2", "conv - fc", "Results, 2",
        "python -m experiments.fc_vs_conv --seeds 3 --standardise", "9f" * 32, "60,000", "be25b44", "threefry2x32",
        "No model can pass the floor", "conv: seed 2 died", "conv: seed 1 stopped at epoch 8", "0.49882 ±", "Own table",
    )  # fmt: skip
    assert [word for word in expected if word not in text] == []
    assert "SYNTHETIC" not in text
    assert "departs" not in text
    places = [
        text.index(word)
        for word in ("One finding.", "plain SGD", "Figure 1.", "0.498816", "Figure 2.", "Own table", "No model can")
    ]
    assert places == sorted(places)


def test_banners_and_what_is_judged_all_the_same(tmp_path):
    data = [{**entry, "source": "synthetic"} for entry in manifest()["data"]]
    barred = (Departure("2,000 of 60,000 training images", True),)
    write_report(tmp_path, manifest(data=data, status="running"), document(figures={}), barred)
    expected = ("SYNTHETIC DATA", "status is 'running'", "departs from the report's settings", "2,000 of 60,000")
    for name in ("report.md", "report.html"):
        text = text_of(tmp_path, name).replace("&#39;", "'")
        assert [word for word in expected if word not in text] == []
    listed = (Departure("trained on 5,438 of 50,000 images", False),)
    assert "Judged, though trained on 5,438 of 50,000" in section("x", manifest(), document(), listed)


EVIL = "<script>alert(1)</script> ![x](http://a.b/c.png) [y](http://a.b) | `z`"


def test_nothing_that_is_shown_is_taken_for_markup(tmp_path):
    template = tmp_path / "words.md"
    template.write_text("- Of {{ arm }}.\n---\n{{ arm }}\n")
    said = words(template, arm=EVIL)
    row = measured(EVIL, EVIL, [1.0, 2.0], reported=1.0, reading=EVIL, source=EVIL, verdict="differs", reason=EVIL)
    table = Table(EVIL, ((EVIL, "text"),), [[EVIL]], said.notes)
    shown = Document(said.conclusions, (row, replace(row, reported=None)), (table,), {}, said.notes)
    made = manifest(title=EVIL, summary=EVIL, command=EVIL, config={"x": EVIL}, arms={EVIL: {"parameters": 1}})
    write_report(tmp_path, made, shown, (Departure(EVIL, True),))
    html, text = text_of(tmp_path, "report.html"), text_of(tmp_path, "report.md") + section(EVIL, made, shown, ())
    assert set(re.findall("<script[^>]*>", html)) == {"<script>"}  # the page's own
    assert "alert(1)</script" not in html
    assert not re.search(r"<(img|a)\b", html)
    assert "<script" not in re.sub(r"(`+) .*? \1", "", text)  # but as code
    cells = {
        len(re.findall(r"(?<!\\)\|", re.sub(r"`[^`|]*`", "", line))) for line in markdown_table(table).splitlines()
    }
    assert cells == {2}


def test_columns_are_of_known_kinds_and_rows_as_long():
    with pytest.raises(UsageError, match="'Arm' of 'T' is of kind 'x\"y'; take one of text, code"):
        Table("T", (("Arm", 'x"y'),), [])
    with pytest.raises(UsageError, match="'T' has 1 columns and a row of 2 cells"):
        Table("T", (("Arm", "text"),), [["a", "b"]])


def test_tables_of_rows():
    lines = markdown_table(claims_table(ROWS)).splitlines()
    assert lines[0] == "| Arm | Measure | Reported | Ours | n | Verdict | Why | Reading | Source |"
    assert lines[1] == "| --- | --- | ---: | ---: | ---: | --- | --- | --- | --- |"
    assert len(lines) == 2 + sum(row.reported is not None for row in ROWS)
    assert r"in [0, 1]: a \| sum | Results, 1 |" in lines[3]
    every, alive = differences_table(ROWS).rows
    assert (every[0], alive[0]) == ("conv - fc (with dead seed 2)", "conv - fc (without dead seed 2)")
    assert alive[2] == "-0.02273"  # of both seeds
    assert "±" not in every[2]  # the living and the dead have no mean
    assert not [row for row in measures_table(ROWS).rows if " - " in row[0]]
    other = replace(ROWS[1], primary=False, reading="another")
    assert [row[-2] for row in readings_table([*ROWS, other]).rows] == ["another"]
    assert len(claims_table([*ROWS, other]).rows) == len(claims_table(ROWS).rows)
    alike = [replace(row, verdict="not comparable", reason="synthetic data") for row in ROWS]
    shared = claims_table(alike)
    assert shared.note == "All 7 numbers tried in the deciding reading: not comparable, synthetic data."
    assert {row[6] for row in shared.rows} == {""}


def test_readings_that_are_judged_have_a_likelihood_ratio():
    def row(metric, values, **fields):
        return measured("a", metric, values, reported=4.2, verdict=REPRODUCED, **fields)

    first, second = [4.0, 4.3, 4.4], [1.0, 3.0, 8.0]
    rows = [row("m", first), row("k", first), row("m", second, primary=False), row("k", second[:1], primary=False)]
    table = readings_table(rows)
    times = likelihood_ratio(4.2, second, first)
    assert [column for column, _ in table.columns][5:8] == ["Verdict", "Likelier", "Why"]
    assert [cells[6] for cells in table.rows] == [f"{times:.2g}", ""]  # beside the same measure, and none of one seed
    assert 0 < times < 1 and "Likelier" in table.note


# ---- curves


def test_of_two_seeds_whose_intervals_are_not_shown_none_is_counted():
    notes = []
    for values in ([1.0, 1.1], [1.0, 1.1, 0.9]):
        rows = [measured("a - b", metric, values) for metric in "mn"]
        notes.append("leave out 0" in differences_table(rows).note)
    assert notes == [False, True]


def test_losses_stand_where_they_were_measured_and_the_dead_are_left_out():
    curves = loss_curves(findings())
    assert curves is not None
    lines = {(line.panel, line.label): line for line in curves.lines}
    assert [*lines["fc", "train"].x] == [epoch + 0.5 for epoch in range(10)]  # a mean over the epoch
    assert [*lines["conv (seed 2 died)", "validation"].x] == [2.5, 5, 7.5, 10]
    assert lines["conv (seed 2 died)", "train"].values.shape == (2, 10)
    assert curves.note.endswith("conv: seed 2 died and is left out of the mean; conv: seed 1 stopped at epoch 8.")
    assert loss_curves(replace(findings(), arrays={}, by_seed={})) is None
    late = loss_curves(
        replace(findings(), slow={"fc": (1,), "conv": (0, 1)})
    )  # no seed of conv learns, so none is mixed
    assert late is not None
    assert late.note.endswith("Means are also of seeds that show one picture so far: fc, seed 1.")
    point = {"fc": {"train/loss": np.ones((3, 1))}}
    assert loss_curves(replace(findings(), by_seed=point)) is None  # points alone are no curves


# ---- the terminal


@pytest.mark.parametrize("width", [80, 100])
def test_terminal(width):
    out = Console(file=StringIO(), width=width)
    barred = (Departure("2,000 of 60,000 training images", True),)
    out.print(console(document(rows=(*ROWS, measured("[red]", "[bold]x", [1.0]))), manifest(), barred))
    text = out.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    expected = (
        *VERDICTS,
        "2,000 of 60,000 training images",
        "468,368",
        "0.49882 ±",
        "one bias too many",
        "[red]",
        "[bold]x",
    )
    assert [word for word in expected if word not in text] == []
