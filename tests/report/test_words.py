"""Prose of templates: its parts, the facts that are missing, what a template can't reach."""

from types import SimpleNamespace

import pytest

from jaxae.report.statements import mostly
from jaxae.report.words import TemplateError, words


def test_a_template_has_conclusions_and_notes_in_whole_paragraphs(tmp_path):
    template = tmp_path / "words.md"
    conclusions = "- One\n  sentence.\n\n{% if gone %}\n- Gone.\n{% endif %}\n\n- Two {{ x | rounded }}.\n"
    template.write_text(f"{conclusions}---\n\nA\nnote.\n\n\n\nB.\n")
    assert words(template, gone=False, x=[1.0, 2.0, 3.0])[:2] == ("- One sentence.\n- Two 2.0 ± 2.5.", "A note.\n\nB.")
    template.write_text("Alone.")
    assert words(template) == ("Alone.", "", (), ())
    template.write_text(
        "- One.\n---\n---\n- It\n  says.\n- We find.\n- Why.\n---\n- All is well | 3 | holds | it isn't {{ x }}.\n"
    )
    said = words(template, x="a | b", found=SimpleNamespace(judged=True))
    assert said.line == ("It says.", "We find.", "Why.")
    assert said.statements[0].rows == [("All is well", "3", "holds", "it isn't a | b.")]


def test_a_statement_is_decided_where_the_run_is_judged_or_whatever_was_trained(tmp_path):
    template = tmp_path / "words.md"
    template.write_text(
        "---\n---\n---\n- A | 1 | {{ [1, -1] | verdict }} | a.\n- B | 2 | doesn't hold! | b.\n- C | 3 | undecided | c."
    )
    for judged, said in ((True, "in part"), (False, "not comparable")):
        rows = words(template, found=SimpleNamespace(judged=judged)).statements[0].rows
        assert [row[2] for row in rows] == [said, "doesn't hold", "undecided" if judged else "not comparable"]
    template.write_text("---\n---\n---\n- A | 1 | maybe | a.\n")
    with pytest.raises(TemplateError, match="'A' has the verdict 'maybe'; write one of holds, "):
        words(template)


@pytest.mark.parametrize(("count", "of", "side"), [(6, 6, 1), (5, 5, 0), (0, 0, 0), (0, 6, -1), (5, 10, 0), (9, 10, 1)])
def test_most_seeds_do_it_where_the_exact_interval_leaves_out_one_half(count, of, side):
    assert mostly(count, of) == side  # 0.025 ** (1 / 5) = 0.478, and ** (1 / 6) = 0.541


@pytest.mark.parametrize("fact", ["gain", "gain | rounded", "gain | percent", "gain | by_seed", "gain | signed(1)"])
def test_a_fact_that_is_missing_is_named_with_template_and_line(tmp_path, fact):
    template = tmp_path / "words.md"
    template.write_text("- One.\n- Two {{ " + fact + " }}.\n")
    with pytest.raises(TemplateError, match=r"words\.md, line 2: 'gain' is undefined"):
        words(template)
    template.write_text("{% if %}")
    with pytest.raises(TemplateError, match=r"words\.md, line 1: "):
        words(template)


def test_a_template_reaches_nothing_but_its_facts(tmp_path):
    template = tmp_path / "words.md"
    template.write_text("{{ ''.__class__.__mro__ }}")
    with pytest.raises(Exception, match="unsafe"):
        words(template)
