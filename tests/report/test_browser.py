"""The page in a real browser: nothing is loaded, the controls work, everything fits, with `pytest -m browser`."""

import base64

import numpy as np
import pytest
from browser import needed
from reports import DIGITS, ROWS, document, findings, manifest

import jaxae as ae
from jaxae.report.curves import loss_curves
from jaxae.report.document import Section, Table
from jaxae.report.gallery import Card, Comparison, Gallery, gallery_page, numbers_table
from jaxae.report.page import write_report

pytestmark = needed
EVIL = "</script><img src=http://example.org/x.png onerror=alert(1)>"
HTML = '<p id="made">by hand</p><script type="application/json" id="data">[1, 2]</script><script>made.id = "x"</script>'
SCRIPT = "made.textContent = JSON.parse(data.textContent).length;"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report with curves of three seeds, a hostile name among them, and a section made by code."""
    folder, epochs = tmp_path_factory.mktemp("run"), np.arange(1, 21)
    values = np.exp(-epochs / 8) * np.array([[1.0], [1.2], [1.5]])
    lines = [ae.plots.Line(label, epochs, values * size) for label, size in (("train", 1), (EVIL, 2))]
    lines.append(ae.plots.Line("two seeds", epochs, values[:2] * 3))
    curves = ae.plots.Curves("Curves", "epoch", "loss", lines, [("reported", 0.5)])
    pictures = ae.plots.Images("Digits", (("original", DIGITS),))
    figures = {"digits": pictures, "curves": curves, "loss_curves": loss_curves(findings())}
    short = Table("By code", (("Numbers", "text"), ("MSE", "number")), [["8", "0.5"]])
    whole = document(figures=figures, tables=(short,), sections=(Section("Made by code", HTML, SCRIPT),))
    return write_report(folder, manifest(), whole, ())


@pytest.fixture
def shown(browser, page):
    """The browser with the page, as on a light screen of 1,200 pixels."""
    browser.look(1200, prefers_color_scheme="light")
    browser.open(page)
    return browser


def count(shown, selector):
    return shown.run(f"document.querySelectorAll({selector!r}).length")


def test_no_error_and_no_request_leaves_the_file(shown, page):
    asked = {event["request"]["url"].partition(",")[0] for event in shown.told("Network.requestWillBeSent")}
    assert asked <= {page.resolve().as_uri(), "data:image/png;base64"}
    refused = [event["entry"]["text"] for event in shown.told("Log.entryAdded")]
    assert ["script-src" in text for text in refused] == [True]  # the inline script of HTML, and nothing else
    assert [*shown.told("Runtime.exceptionThrown"), *shown.told("Runtime.consoleAPICalled")] == []
    assert shown.run("made.textContent") == "2"
    assert shown.run("document.querySelectorAll('img[onerror]').length") == 0


def test_seeds_lines_and_the_scale_are_switched(shown):
    chart = "document.querySelector('.curves')"
    boxes = shown.run(f"[...{chart}.querySelectorAll('label')].map((label) => label.textContent.trim())")
    assert boxes == ["log scale", "seeds one by one"]
    inside = f"{chart}.querySelectorAll"
    assert shown.run(f"{inside}('.seed').length") == 3 + 3 + 2
    shown.run(f"{inside}('input')[1].click()")
    assert shown.run(f"{inside}('.seed').length") == 2  # of two seeds there is nothing else
    assert shown.run(f"{inside}('.mean').length") == shown.run(f"{inside}('.band').length") == 2
    before = shown.run(f"[...{inside}('text')].map((text) => text.textContent)")
    shown.run(f"{inside}('input')[0].click()")
    assert shown.run(f"[...{inside}('text')].map((text) => text.textContent)") != before
    shown.run(f"{inside}('button')[0].click()")
    assert shown.run(f"{inside}('button')[0].getAttribute('aria-pressed')") == "false"
    assert shown.run(f"{inside}('.mean').length") == 1


def test_values_are_read_by_mouse_and_by_keyboard(shown):
    shown.run("document.querySelector('.curves .plot svg').scrollIntoView({block: 'center'})")
    box = shown.run(
        "(({left, top, width, height}) => ({left, top, width, height}))"
        "(document.querySelector('.curves .plot svg').getBoundingClientRect())"
    )
    shown.point(box["left"] + box["width"] / 2, box["top"] + box["height"] / 2)
    assert "epoch 1" in shown.run("document.querySelector('.tip.shown').textContent")
    shown.run("document.querySelector('.curves .plot svg').focus()")
    for key, place in (("Home", 1), ("ArrowRight", 2), ("End", 20), ("ArrowLeft", 19)):
        shown.press(key)
        told = shown.run("document.querySelector('.curves .plot svg').getAttribute('aria-valuetext')")
        assert told.startswith(f"epoch {place}. train: ")
    shown.press("Escape")
    assert count(shown, ".tip.shown") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_conclusions_and_verdicts_first_and_nothing_wider_than_its_screen(shown, scheme):
    shown.look(390, 844, prefers_color_scheme=scheme)
    assert shown.run("document.querySelector('.found li').getBoundingClientRect().bottom") < 844 / 2
    assert shown.run("document.documentElement.scrollWidth") == 390
    wide = "[...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > 390.5"
    assert shown.run(f"{wide} && !e.closest('.tip, .card')).map((e) => e.outerHTML.slice(0, 80))") == []
    assert shown.run("[...document.querySelectorAll('.tiles')].every((e) => e.scrollWidth <= e.clientWidth)")
    tops = "[...row.children].map((cell) => [cell.getBoundingClientRect().top, cell.className])"
    row = "const row = document.querySelector('#claims tbody tr')"
    assert shown.run(f"(() => {{ {row}; return {tops}.sort((a, b) => a[0] - b[0])[0][1]; }})()") == "verdict"
    first = "[...document.querySelectorAll('td:first-child[data-label]')]"
    names = shown.run(f"{first}.map((e) => getComputedStyle(e, '::before').content)")
    assert {*names} == {"none", '"Numbers "'}  # an arm's name says what it is
    colour = shown.run("getComputedStyle(document.body).backgroundColor")
    assert (colour == "rgb(255, 255, 255)") == (scheme == "light")


@pytest.mark.parametrize(("paper", "width", "height"), [("A4", 8.27, 11.69), ("Letter", 8.5, 11)])
def test_paper_has_everything_whole_and_unfolded(shown, paper, width, height):
    shown.look(int(width * 96) - 106, media="print", prefers_color_scheme="dark")  # less margins of 14 mm
    assert shown.run("document.documentElement.scrollWidth <= innerWidth"), paper
    assert count(shown, ".curves") == shown.run(
        "[...document.querySelectorAll('.curves')].filter((e) => !e.offsetWidth).length"
    )
    assert shown.run("[...document.querySelectorAll('img')].every((image) => image.offsetWidth > 0)")
    assert shown.run("[...document.querySelectorAll('details dd')].every((e) => e.getBoundingClientRect().height > 0)")
    assert shown.run("[...document.querySelectorAll('.scroll')].every((e) => e.scrollWidth <= e.clientWidth)")
    assert shown.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    printed = shown.call("Page.printToPDF", paperWidth=width, paperHeight=height, preferCSSPageSize=True)
    assert base64.b64decode(printed["data"]).startswith(b"%PDF")


def test_without_scripts_the_pictures_stand_in(browser, page):
    browser.look(1200)
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(page)
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert browser.run("[...document.querySelectorAll('img')].filter((image) => image.offsetWidth > 0).length") == 3
    assert browser.run("[...document.querySelectorAll('.curves')].filter((e) => e.offsetWidth > 0).length") == 0


def test_a_gallery_names_the_runs_on_a_phone_too(browser, tmp_path):
    card = Card("a" * 60, "Title", f"python {EVIL} --{'x' * 80}", "a CPU", "1 (0)", "finished", link="a/report.html")
    table = numbers_table("Numbers", ["first", EVIL], [ROWS, ROWS], claims=True)
    (tmp_path / "index.html").write_text(gallery_page(Gallery([card], [Comparison("Both", [table], [])], ["One."])))
    browser.look(390, 844)
    browser.open(tmp_path / "index.html")
    assert browser.run("document.documentElement.scrollWidth") == 390
    labels = "[...document.querySelectorAll('tbody tr')[0].children].map((cell) => cell.dataset.label)"
    assert browser.run(labels) == ["Arm", "Measure", "Reported", "first", EVIL]
    shown = browser.run("getComputedStyle(document.querySelector('td[data-label=first]'), '::before').content")
    assert shown == '"first "'
    assert browser.run("[...document.querySelectorAll('h1, h2, h3')].map((head) => head.localName).join(' ')") == (
        "h1 h2 h2 h3 h2"
    )
    assert browser.told("Log.entryAdded") == []
