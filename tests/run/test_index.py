"""The gallery over runs: every state, runs side by side, where two differ; what is damaged is a sentence each."""

import errno
import json
import os
import re
import shutil
from pathlib import Path

import pytest
from prepared import refused
from quick import ROOT, at, perform, read

from jaxae import __main__ as tool
from jaxae.errors import UsageError
from jaxae.run.experiment import find_experiment
from jaxae.run.folder import claim
from jaxae.run.index import index_runs
from jaxae.run.steps import report_again


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder of two runs that differ in their limit, and of what can be wrong with others."""
    folder = tmp_path_factory.mktemp("runs")
    perform(at(folder / "long"))
    perform(at(folder / "short", limit=100))
    for name, status in (("killed", "running"), ("stopped", "interrupted")):
        shutil.copytree(folder / "long", folder / "deep" / name)
        made = read(folder / "long", "manifest.json")
        (folder / "deep" / name / "manifest.json").write_text(json.dumps({**made, "status": status}))
    for name, text in (("broken", "{"), ("older", '{"format": 1}')):
        (folder / name).mkdir()
        (folder / name / "manifest.json").write_text(text)
    (folder / "photos").mkdir()
    (folder / "torn" / "checkpoints").mkdir(parents=True)
    (folder / "other.json").write_text('{"manifest": 1}')
    return folder


def test_every_run_is_a_card_and_what_is_none_is_a_sentence(runs, tmp_path):
    found = index_runs([runs, runs / "long", runs / "none"], tmp_path / "page" / "index.html")
    cards = {card.name: card for card in found.cards}
    states = {"long": "finished", "short": "finished", "killed": "left to resume", "stopped": "interrupted"}
    assert {name: card.state for name, card in cards.items()} == states
    assert all(re.search(r"go on with: .*--out \S+ --resume", cards[name].note) for name in ("killed", "stopped"))
    assert cards["long"].picture[:2] == b"\xff\xd8"
    assert cards["long"].alarms == ["SYNTHETIC DATA"]
    assert (tmp_path / "page" / cards["long"].link).resolve() == (runs / "long" / "report.html").resolve()
    named = ("broken", "older", "torn", "other.json", "none")
    assert sorted(next(name for name in named if str(runs / name) in said) for said in found.problems) == sorted(named)


def test_a_results_file_is_said_by_its_first_sentence_and_leads_to_its_page(tmp_path):
    (card,) = index_runs([ROOT / "experiments" / "results" / "denoise_25_seeds.json"], tmp_path / "index.html").cards
    assert re.fullmatch(r"[^-].*\.", card.conclusion)
    assert dict(card.tally)["reproduced"] > 0
    assert card.link.endswith("/results/denoise.md")
    assert card.picture[:2] == b"\xff\xd8"


def test_commits_are_short_and_speeds_are_no_runs_in_one_line(runs, tmp_path):
    made, results = read(runs / "long", "manifest.json"), ROOT / "experiments" / "results"
    commits = "0123456789abcdef" * 5, "fedcba9876543210" * 5
    for name, commit in zip("ab", commits, strict=True):
        folder = shutil.copytree(runs / "long", tmp_path / name)
        (folder / "manifest.json").write_text(json.dumps({**made, "git_commit": commit[:40]}))
    speeds = [results / "benchmark.json", results / "benchmark_xeon.json"]
    found = index_runs([tmp_path, *speeds], tmp_path / "index.html")
    assert ("commit", *(commit[:12] for commit in commits)) in found.comparisons[0].shown[0].rows
    assert found.problems == [f"{speeds[0]}, {speeds[1]}: speeds that experiments.benchmark measured, no runs"]
    refused("benchmark.json: speeds", index_runs, speeds[:1], tmp_path / "index.html")
    refused("no file nosuch.py", index_runs, [tmp_path], tmp_path / "other.html", given="nosuch.py")
    assert not (tmp_path / "other.html").exists()


def test_a_run_that_is_worked_in_is_running(runs, tmp_path):
    with claim(runs / "deep" / "killed", fresh=False):
        found = index_runs([runs / "deep"], tmp_path / "index.html")
    assert [card.state for card in found.cards] == ["running", "interrupted"]


def test_two_runs_are_compared_by_settings_and_numbers(runs, tmp_path, capsys):
    tool.main(["index", str(runs / "long"), str(runs / "short"), "--out", str(tmp_path / "index.html")])
    assert "Settings that differ" in capsys.readouterr().out
    assert '<td role="cell" class="text" data-label="short">100</td>' in (tmp_path / "index.html").read_text()
    (comparison,) = index_runs([runs / "long", runs / "short"], tmp_path / "index.html").comparisons
    settings, apart = comparison.shown
    assert ("--limit", "200", "100") in settings.rows
    assert {row[0] for row in settings.rows} - {"commit"} == {"--limit", "data, mnist train"}
    assert "paired by seed" in apart.note
    assert comparison.folded[1].columns[-2:] == [("long", "number"), ("short", "number")]
    (same,) = index_runs([runs / "long", shutil.copytree(runs / "long", tmp_path / "b")], tmp_path / "x").comparisons
    assert (same.shown[0].rows, same.shown[1].rows, same.folded[0].rows) == ([], [], [])


def test_a_terminal_shows_few_runs_whole_and_of_many_a_line_each(runs, tmp_path, capsys):
    shown = {}
    for name, folders in (("few", [runs / "long"]), ("many", [runs])):
        tool.main(["index", *map(str, folders), "--out", str(tmp_path / "index.html")])
        shown[name] = " ".join(capsys.readouterr().out.split())
    assert "python -m" in shown["few"]
    lines = shown["many"].partition("side by side")[0].partition("left out")[0]
    assert all(said in lines for said in ("long", "short", "interrupted", "left to resume"))
    assert lines.count("go on with") == lines.count("python -m") == 2  # of finished runs no command


def test_the_page_is_one_file_and_takes_nothing_for_markup(runs, tmp_path):
    folder = shutil.copytree(runs / "long", tmp_path / "<b>run")
    made = {**read(folder, "manifest.json"), "title": "<script>alert(1)</script>"}
    (folder / "manifest.json").write_text(json.dumps(made))
    index_runs([folder], tmp_path / "index.html")
    text = (tmp_path / "index.html").read_text()
    assert "<script" not in text
    assert "default-src &#39;none&#39;; img-src data:; style-src &#39;unsafe-inline&#39;; base-uri" in text
    assert re.findall(r'(?:src|href)="(?!data:|#)([^"]*)"', text) == ["%3Cb%3Erun/report.html"]


def test_nothing_but_such_a_page_is_written_over(runs, tmp_path):
    page = tmp_path / "index.html"
    for _ in range(2):
        index_runs([runs / "long"], page)
    page.write_text("<p>mine</p>")
    with pytest.raises(UsageError, match="exists and is no page of this command; choose another --out"):
        index_runs([runs / "long"], page)
    with pytest.raises(UsageError, match="photos holds no run; name the folder of one, or of several"):
        index_runs([runs / "photos"], tmp_path / "new.html")


def test_damaged_findings_and_pictures_leave_the_card(runs, tmp_path):
    folder = shutil.copytree(runs / "long", tmp_path / "run")
    content = read(folder, "findings.json")
    (folder / "findings.json").write_text(json.dumps({**content, "facts": {"changed": 1}}))
    for path in (folder / "figures").glob("*.png"):
        path.write_bytes(path.read_bytes()[:200])
    (card,) = index_runs([folder], tmp_path / "index.html").cards
    assert "is not what was written, by its SHA-256" in card.note
    assert (card.state, card.picture, card.conclusion) == ("finished", b"", "")


def test_names_that_are_no_utf_8_are_shown_and_led_to(runs, tmp_path):
    name = os.fsdecode(b"r\xe9sum\xe9")
    shutil.copytree(runs / "long", tmp_path / name)
    (tmp_path / f"{name}.json").write_text("[]")
    found = index_runs([tmp_path], tmp_path / "index.html")
    assert [(card.name, card.link) for card in found.cards] == [("r?sum?", "r%E9sum%E9/report.html")]
    assert "r?sum?.json" in found.problems[0]
    assert "r?sum?" in (tmp_path / "index.html").read_text("utf-8")


def test_what_is_closed_is_a_sentence_and_the_rest_is_shown(runs, tmp_path, monkeypatch):
    for folder in ("a", "deep/closed"):
        shutil.copytree(runs / "long", tmp_path / folder)
    stat = os.stat

    def guarded(path, **options):
        if "closed/" in str(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(os, "access", lambda path, mode: path.name != "closed")
    monkeypatch.setattr(os, "stat", guarded)  # a test may run as root, to whom nothing is closed
    found = index_runs([tmp_path, tmp_path / ("x" * 300)], tmp_path / "index.html")
    assert [card.name for card in found.cards] == ["a"]
    assert re.fullmatch(r".*/deep/closed can't be read \(Permission denied\); .*", found.problems[0])
    assert re.fullmatch(r".*/x+ can't be read \(File name too long\); .*", found.problems[1])


def test_a_picture_of_too_many_pixels_is_left_out(runs, tmp_path, monkeypatch):
    from PIL import Image

    for most in (500_000, 100):  # which Pillow warns of, and refuses
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
        (card,) = index_runs([runs / "long"], tmp_path / "index.html").cards
        assert (card.state, card.picture) == ("finished", b"")


def test_links_that_lead_nowhere_and_pipes_are_sentences_and_the_rest_is_shown(runs, tmp_path):
    for name in ("l.json", "loop"):
        (tmp_path / name).symlink_to(name)
    (tmp_path / "again").symlink_to(".")
    for name in ("a", "b"):
        shutil.copytree(runs / "long", tmp_path / name)
    for path in (tmp_path / "b" / "manifest.json", *(tmp_path / "a" / "figures").glob("*.png")):
        path.unlink()
        os.mkfifo(path)
    found = index_runs([tmp_path, tmp_path / "loop"], tmp_path / "index.html")
    assert [(card.name, card.picture) for card in found.cards] == [("a", b"")]
    said = " ".join(found.problems)
    assert len(found.problems) == 3
    assert all(f"{name} can't be read (Too many levels of symbolic links)" in said for name in ("/l.json", "/loop"))
    assert "manifest.json is no file but a pipe" in said


def test_a_page_is_not_looked_for_in_a_device(runs):
    for out in ("/dev/full", "/dev/zero"):  # both can be read for ever
        with pytest.raises(UsageError, match="exists and is no page of this command"):
            index_runs([runs / "long"], Path(out))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("def (", r"can't be imported \(SyntaxError: .*line 1\)"),
        ("\n1 / 0", r"can't be imported \(ZeroDivisionError: division by zero, line 2 of study_of_mine.py\)"),
        ("raise SystemExit(3)", r"ends the program when it is imported \(with 3\)"),
    ],
)
def test_a_study_that_cannot_be_imported_is_a_sentence(tmp_path, text, match):
    (tmp_path / "study_of_mine.py").write_text(text)
    refused(match, find_experiment, "__main__", str(tmp_path / "study_of_mine.py"))
    refused("'..x' is neither a module", find_experiment, "__main__", "..x")


def test_flags_of_another_kind_are_named(runs, tmp_path):
    folder = shutil.copytree(runs / "long", tmp_path / "run")
    made = read(folder, "manifest.json")
    (folder / "manifest.json").write_text(json.dumps({**made, "config": {**made["config"], "seeds": "x"}}))
    (card,) = index_runs([folder], tmp_path / "index.html").cards
    assert card.note.startswith("the run's --seeds is 'x'")


def test_pages_are_drawn_by_one_process_at_a_time(runs, tmp_path):
    folder = shutil.copytree(runs / "long", tmp_path / "run")
    with claim(folder, fresh=False):
        refused("another process works in", report_again, folder, saved=True)
    report_again(folder, saved=True)
