"""The parts of the page: what its script is given, what may run, the drawings of intervals, what stands once."""

import html
import json
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
from reports import DIGITS, ROWS, document, findings, manifest

from jaxae.errors import UsageError
from jaxae.findings import Departure, measured
from jaxae.report import key_pictures, live, plots
from jaxae.report.document import Document, Section
from jaxae.report.figures import Images
from jaxae.report.page import section, write_report
from jaxae.report.ranking import best_to_worst, ranked, ranked_figure
from jaxae.report.strips import strips
from jaxae.report.tables import claims_table

VALUES = np.array([[1.0, 2.0], [2.0, np.nan], [4.0, 6.0]])


def told(figure):
    return json.loads(live.curves_json(figure))


def test_the_script_is_given_what_the_tables_say():
    line = plots.Line("<b>", [0.5, 1.5], VALUES, "fc", colour=2, style="dashed")
    whole = plots.Curves(
        "", "epoch", "loss", [line, replace(line, values=VALUES[:2])], [("reported", 0.3)], within=(0, 5)
    )
    assert "<" not in live.curves_json(whole)
    three, two = told(whole)["lines"]
    assert (three["label"], three["x"], three["mean"]) == ("<b>", [0.5, 1.5], [2.3333, 4.0])
    assert three["seeds"] == [[1.0, 2.0], [2.0, None], [4.0, 6.0]]
    low, high = (2.3333 + side * 4.302653 * np.std([1, 2, 4], ddof=1) / 3**0.5 for side in (-1, 1))
    assert low < 0
    assert (three["low"], three["high"][0]) == ([0.0, None], pytest.approx(min(high, 5)))
    assert three["high"][1] is None  # two of the seeds are there
    assert (two["few"], "low" in two, len(two["seeds"])) == (True, False, 2)
    assert told(whole)["marks"][0] == {
        "label": "reported", "y": 0.3, "x": None, "panel": None, "colour": None, "dash": "5 3",
    }  # fmt: skip


def test_seeds_of_large_figures_stay_out_of_the_page(monkeypatch):
    monkeypatch.setattr(live, "MOST", 5)
    large = told(plots.Curves("", "", "", [plots.Line("a", [1, 2], VALUES)]))
    assert (large["seeds"], "seeds" in large["lines"][0], large["lines"][0]["mean"]) == (0, False, [2.3333, 4.0])


def test_the_page_lets_its_own_scripts_run_and_nothing_load(tmp_path):
    sections = (Section("Made by code", "<p>&copy; <b>by hand</b></p>", "let x = 1 < 2;", "In words."),)
    page = write_report(tmp_path, manifest(), document(sections=sections), ()).read_text()
    policy = html.unescape(re.findall(r'Content-Security-Policy" content="([^"]*)"', page)[0])
    scripts = re.findall("<script>(.*?)</script>", page, re.DOTALL)
    assert scripts[1] == "let x = 1 < 2;"
    hashes = [f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts]
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {' '.join(hashes)};" in policy
    assert "<p>&copy; <b>by hand</b></p>" in page
    assert page.index("Reported against reproduced") < page.index("by hand") < page.index("Figure 2.")
    assert "### Made by code\n\nIn words." in (tmp_path / "report.md").read_text()


def test_the_conclusion_stands_right_below_the_title_whatever_sets_the_run_apart(tmp_path):
    made = manifest(status="interrupted", data=[{**manifest()["data"][0], "source": "synthetic"}])
    write_report(tmp_path, made, document(), (Departure("two epochs", bars=True),))
    page, text = ((tmp_path / name).read_text() for name in ("report.html", "report.md"))
    badges = re.findall('<span class="badge ([^"]*)">([^<]*)</span>', page.partition('class="found')[0])
    marked = [
        ("alarm", "synthetic data"),
        ("alarm", "not ended: interrupted"),
        ("notice", "not the report&#39;s settings"),
    ]
    assert badges == [*marked, ("", "3 seeds"), ("", "CPU")]
    assert (
        page.index("One finding.") < page.index("SYNTHETIC DATA:") < page.index("<li>two epochs") < page.index("<img")
    )
    assert text.index("3 seeds · CPU") < text.index("One finding.") < text.index("SYNTHETIC DATA:")


def test_the_key_picture_stands_first(tmp_path):
    names = [re.findall(r"figures/(\w+)\.png", written(tmp_path, key=key)) for key in ("", "loss_curves", "gone")]
    assert [found[0] for found in names] == ["reconstructions", "loss_curves", "reconstructions"]


def written(folder, **changes):
    write_report(folder, manifest(), document(**changes), ())
    return (folder / "report.md").read_text()


def test_a_study_without_a_report_shows_what_was_measured(tmp_path):
    rows = findings().rows()
    page = write_report(tmp_path, manifest(), Document("", rows), ()).read_text()
    assert "<h2>What was measured</h2>" in page
    assert "<summary>Other measures" not in page
    assert "Reported" not in page


def test_mere_counts_are_not_called_reproduced_and_shared_reasons_stand_once():
    table = claims_table([*ROWS, *(replace(row, arm="other") for row in ROWS)])
    cells = {(row[0], row[1]): row for row in table.rows}
    assert cells["fc", "size"][5:7] == ("equal count", "")
    assert cells["conv", "size"][5:7] == ("differs", "(5)") == cells["other", "size"][5:7]
    assert "(5) the report counts one bias too many." in table.note.splitlines()


def test_drawings_place_the_number_in_the_range_of_single_runs():
    def drawn(reported, **changes):
        row = measured("a", "m", [1.0, 2.0, 3.0], reported=reported, verdict="reproduced")
        return strips([replace(row, **changes)])[0]

    assert 'class="reported" d="M120.0 5l7 8l-7 8l-7 -8z"' in drawn(2.0)
    assert 'class="range" x="83.3" y="7" width="73.4"' in drawn(2.0)  # a third of 110 to each side
    assert 'class="reported" d="M238.0 13l-13 -8v16z"' in drawn(50.0)
    assert 'class="reported" d="M2.0 13l13 -8v16z"' in drawn(-50.0)
    bare = [{"exact": True}, {"categorical": True}, {"verdict": "not comparable"}, {"dead": (1,)}, {"n_seeds": 2}]
    assert [drawn(2.0, **changes) for changes in bare] == [""] * 5


def test_images_from_the_best_to_the_worst():
    scores = np.array([3.0, np.inf, 1.0, np.nan, 2.0])
    assert best_to_worst(scores, 3).tolist() == [1, 4, 3]
    assert best_to_worst(scores).tolist() == [1, 0, 4, 2, 3]
    with pytest.raises(UsageError, match="one score per image"):
        best_to_worst(np.zeros((2, 2)))
    kept = ranked([1.0, 2.0], original=DIGITS, output=DIGITS + 1)
    assert kept["ranked, scores"].tolist() == [2.0, 1.0]
    np.testing.assert_array_equal(kept["ranked, output"], DIGITS[::-1] + 1)
    assert ranked_figure(findings(), "PSNR") == {}
    found = replace(findings(), arrays={"conv": kept})
    (figure,) = ranked_figure(found, "PSNR", "dB").values()
    assert [label for label, _ in figure.rows] == ["original", "conv"]
    assert (figure.column_labels, figure.captions) == (["best", "worst"], [[], ["2.0 dB", "1.0 dB"]])
    assert "conv: seed 0" in figure.note


def test_key_pictures_are_small_and_say_what_they_show(tmp_path):
    (tmp_path / key_pictures.FOLDER).mkdir()
    result, noise = tmp_path / "mine.json", np.random.default_rng(0).random((20, 32, 32, 3))
    drawn = {name: Images(f"{name}: [0, 1) and <b>", [("noise", noise)], columns=10) for name in "abcd"}
    first = key_pictures.key_pictures(Document("", figures=drawn, key="c"))
    assert [*first] == ["1_c.png", "2_a.png", "3_b.png"]
    key_pictures.write_pictures(result, first)
    named = key_pictures.key_pictures(Document("", figures=drawn, shown=("d", "gone")))
    key_pictures.write_pictures(result, named)
    assert max(map(len, first.values())) <= key_pictures.LARGEST
    assert key_pictures.pictures_of(result) == [("pictures/mine/1_d.png", "d", "d: [0, 1) and <b>")]
    said = section("mine", manifest(), document(), (), key_pictures.pictures_of(result))
    assert "\n![d](pictures/mine/1_d.png)\n\nd: [0, 1) and &lt;b>\n" in said
