"""The index of results: numbers counted once, in the reading that decides, and what chance would give."""

import dataclasses
import math
import re
from types import SimpleNamespace
from typing import Any, cast

import pytest

import jaxae as ae
from experiments.tables import pages
from experiments.tables.counts import (
    Said,
    _covered,
    chance,
    left_open,
    numbers_of,
    of_the_living,
    statements_of,
    tally,
    verdicts_table,
)
from experiments.tables.pages import ABOVE, reports_table, results_files, said_of, without_repeats
from experiments.tables.places import RESULTS, of_more_seeds
from experiments.tables.sources import sources_list
from jaxae.findings import measured
from jaxae.report import statements

HALF = 4.302653 * math.sqrt(4 / 3)  # of the range of single runs of 1, 2 and 3
NARROW = [1 + 0.1 * step / HALF for step in (-1, 0, 1)]  # whose range is 0.9 to 1.1


def said(name, *rows, report="009_0123abcd.txt", study="mine"):
    card = f'mine: it.\n\nSource    "A\n          Report" (a course), {report}: one run\nCode      https://a.b/c'
    experiment = SimpleNamespace(name=study, card=card)
    return Said(name, cast(Any, SimpleNamespace(experiment=experiment)), ae.Document("", tuple(rows)))


def row(values, verdict, reported=1.0, **fields):
    return measured("a", "m", values, reported=reported, verdict=verdict, **fields)


def test_a_number_counts_once_where_most_seeds_can_be_judged():
    few, many = row([1.0, 1.1, 1.2], "reproduced"), row([1.0] * 5, "differs")
    barred = row([1.0] * 9, "not comparable")
    other = dataclasses.replace(few, metric="sum", reading="the sum", primary=False)
    count = dataclasses.replace(row([7.0], "reproduced", 7.0, exact=True), metric="parameters")
    results = [said("x", few, other, count), said("y", many, dataclasses.replace(count, arm="b")), said("z", barred)]
    assert [found.verdict for found in numbers_of(results)["009"]] == ["differs", "reproduced"]
    # numbers, readings (a count is one, whatever the arm), counts; reproduced, explained, differs, inconclusive, not
    assert verdicts_table(results)[0] == ["009", "2", "3", "1", "0", "0", "1", "0", "0"]
    assert verdicts_table(results)[-1][0] == "all"


def test_a_number_that_no_file_has_tried_in_the_deciding_reading_is_not_comparable():
    tried, other = row(NARROW, "reproduced"), dataclasses.replace(row(NARROW, "reproduced", 2.0), primary=False)
    found = numbers_of([said("x", tried, other), said("y", other)])["009"]
    assert [(row.reported, row.verdict) for row in found] == [(1.0, "reproduced"), (2.0, "not comparable")]


def test_what_is_judged_by_living_trainings_alone_is_said_and_all_numbers_are_counted_in_a_sentence():
    living = dataclasses.replace(row(NARROW, "reproduced"), excluded=(3,))
    count = dataclasses.replace(row([7.0], "reproduced", 7.0, exact=True), metric="parameters")
    results = [said("x", living, dataclasses.replace(row(NARROW, "differs"), metric="other"), count)]
    words = "Judged by living trainings alone: 1.000 of a (report 009), reproduced by the 3 of 4 that lived."
    assert of_the_living(results) == words
    assert of_the_living([said("x", count)]) == ""
    assert tally(results) == "Of 3 reported numbers: 1 reproduced, 1 differs and 1 equal count."


def test_inconclusive_numbers_are_told_by_what_would_decide_them():
    rows = [
        dataclasses.replace(row(NARROW, "inconclusive"), metric=f"m{number}", deciding=seeds)
        for number, seeds in enumerate((0, 1_000, 9, None, 0))
    ]
    assert left_open([said("x", *rows)]) == (
        "Of 5 inconclusive numbers, 2 would stay so with any number of seeds up to 1,000, since single runs scatter "
        "too far, another reading is too near or test images are too few; 2 would take about 9 and 1,000 seeds."
    )
    assert left_open([said("x", rows[2])]) == "Of 1 inconclusive number, 1 would take about 9 seeds."
    assert left_open([said("x", rows[3])]) == left_open([]) == ""


def stating(name, seeds, judged=True, dead=0, **words):
    rows = [(says, "1", word, "") for says, word in words.items()]
    document = ae.Document("", tables=(ae.Table(statements.TITLE, statements.COLUMNS, rows),))
    found = SimpleNamespace(seeds=range(seeds), judged=judged, dead={"a": range(dead)})
    saved = SimpleNamespace(**vars(said(name).saved), findings=found)
    return Said(name, cast(Any, saved), document)


def test_a_statement_counts_once_as_the_run_of_most_living_seeds_tells_it():
    three = stating("x", 3, a="holds", b="undecided", c="shown")
    ten = stating("y", 10, a="undecided", b="not judged here")
    assert statements_of([three, ten]) == {"009": ["undecided", "undecided", "shown"]}
    for other in (stating("z", 10, dead=8, a="in part"), stating("z", 10, judged=False, a="not comparable")):
        assert statements_of([three, other])["009"][0] == "holds"


def test_what_a_section_above_says_word_by_word_is_left_out():
    def told(conclusions, *rows):
        tables = (ae.Table(statements.TITLE, statements.COLUMNS, rows), ae.Table("T", (("a", "text"),), [("1",)]))
        return ae.Document(conclusions, tables=tables)

    same, other = ("s", "1", "holds", "x"), ("s", "1", "holds", "y")
    first, second, third = without_repeats([told("- A.\n- B.", same), told("- B.\n- C.", other), told("- A.", same)])
    assert (first.conclusions, second.conclusions) == ("- A.\n- B.", "- C.")
    assert second.tables[0].rows == [other]
    assert third.conclusions == f"- {ABOVE}"
    assert [table.title for table in third.tables] == ["T"]


def test_a_report_is_named_once_by_its_title_and_course_with_its_code():
    sources = [said(name).source for name in ("x", "y")]
    assert sources_list([*sources, None]) == "- **009** *A Report*, a course ([its author's code](https://a.b/c))"


def test_chance_is_what_narrow_ranges_cover_of_a_factor_of_two():
    results = [
        said("x", row(NARROW, "reproduced"), dataclasses.replace(row([1.0, 2.0, 3.0], "inconclusive"), metric="wide"))
    ]
    assert chance([said("x", row(NARROW, "inconclusive", margin=0.09))])["lucky"] == 0
    found = chance(results)
    assert found == pytest.approx(
        {"judged": 2, "outside": 0.1, "lucky": math.log(1.1 / 0.9) / (2 * math.log(2)), "reproduced": 1}, rel=1e-6
    )


@pytest.mark.parametrize(
    ("scale", "reported", "range_", "covered"),
    [
        ("decibel", 30.0, (40.0, 41.0), 0.0),
        ("decibel", 30.0, (29.5, 30.5), 1 / (20 * math.log10(2))),
        ("log", 1.0, (3.0, 3.2), 0.0),
        ("log", 1.0, (1.9, 2.1), math.log(2 / 1.9) / (2 * math.log(2))),
    ],
)
def test_what_lies_beyond_a_factor_of_two_counts_for_nothing_on_any_scale(scale, reported, range_, covered):
    found = row(NARROW, "reproduced", margin=1.0)
    found = dataclasses.replace(found, scale=scale, reported=reported, pi95=range_)
    assert _covered(found) == pytest.approx(covered)


def run_of(name, number, line, *, seeds=1, judged=True, study="mine"):
    """A results file whose run judges a number, and says this line."""
    found = said(name, row(NARROW, "reproduced" if judged else "not comparable", number), study=study)
    findings = SimpleNamespace(judged=judged, seeds=range(seeds))
    saved = SimpleNamespace(experiment=found.saved.experiment, findings=findings)
    return found._replace(saved=cast(Any, saved), document=dataclasses.replace(found.document, line=line))


def test_the_readmes_line_of_a_study_joins_its_runs_where_they_judge_other_numbers():
    results = [
        run_of("few", 1.0, ("few says", "few finds.", "few why"), seeds=3),
        run_of("many", 1.0, ("a|b", "many finds.", "why"), seeds=10),
        run_of("other", 2.0, ("other says", "other finds.", "other why")),
        run_of("barred", 3.0, ("barred says", "barred finds.", "barred why"), seeds=99, judged=False),
        run_of("yours", 1.0, ("c", "yours finds", "d"), study="yours"),
    ]
    beside = dataclasses.replace(results[3].document, aside=("more", "barred|sees more."))
    results[3] = results[3]._replace(document=beside)
    *_, line = reports_table(results).splitlines()
    cells = ["009", "[mine](experiments/results/mine.md)<br>[yours](experiments/results/yours.md)"]
    found = "many finds; other finds; barred\\|sees more.<br>yours finds"
    assert line == f"| {' | '.join(cells)} | a\\|b<br>c | {found} | why<br>d |"


def test_pages_say_what_tells_most_first_and_lie_where_links_lead():
    made = pages()
    names = {path.name for path in made}
    assert {"README.md", "denoise.md", "unmix.md", "benchmark.md"} <= names
    text = next(text for path, text in made.items() if path.name == "denoise.md")
    assert text.index("## denoise_25_seeds") < text.index("## denoise\n")
    assert text.index("- The report's noise") < text.index("| Arm | Measure |")
    assert text.count("<details>") == text.count("</details>") > 3


def test_a_result_whose_arms_all_stand_again_with_more_seeds_names_those():
    results = [said_of(path) for path in results_files() if path.stem.startswith(("denoise", "fc_vs"))]
    more = {said.name: [other.name for other in of_more_seeds(said, results)] for said in results}
    assert "denoise_25_seeds" in more["denoise"]
    assert more["fc_vs_conv"] == [] == more["denoise_25_seeds"]  # of another upsampling; of the most seeds


def test_the_pictures_of_pages_are_there_and_small_and_no_others():
    folder = RESULTS.parent
    shown = {
        name for page in folder.glob("*.md") for name in re.findall(r"\]\((pictures/.*?\.png)\)", page.read_text())
    }
    there = {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.glob("pictures/**/*.png")}
    assert shown == there.keys()
    assert max(there.values()) <= 150_000
    assert sum(there.values()) <= 3_000_000
