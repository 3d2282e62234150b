"""The explorer in a browser: its controls move the code, and what it draws is what Flax draws."""

import re
from typing import Any

import numpy as np
import pytest
from browser import needed
from reports import manifest
from test_explorer import MODELS, findings, images, trained

from jaxae.report.document import Document
from jaxae.report.explorer import explorer_sections, gathered
from jaxae.report.explorer.packing import as_packed
from jaxae.report.page import write_report

pytestmark = needed
HELPERS = """
var part = (name) => document.getElementById(`explore-${name}`);
var pixels = () => {
  const canvas = part("drawn");
  const bytes = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return [...bytes].filter((_, i) => i % 4 < 3);
};
var set = (control, value, kind = "input") => {
  control.value = value;
  control.dispatchEvent(new Event(kind, { bubbles: true }));
};
var sliders = () => [...part("sliders").querySelectorAll("input")];
var said = (name) => new Promise((done) => {
  const look = () => (part(name).textContent ? done(part(name).textContent) : setTimeout(look, 20));
  look();
});
"""


@pytest.fixture
def opened(browser, tmp_path):
    """A page of these arrays, on a phone."""

    def open_page(arrays: Any) -> Any:
        page = write_report(tmp_path, manifest(), Document("- One.", sections=explorer_sections(findings(arrays))), ())
        browser.look(390, 1200)
        browser.open(page)
        browser.run(HELPERS)
        browser.run("said('said')")
        return browser

    return open_page


def test_the_page_draws_what_flax_draws(opened):
    arms = [trained("generative", MODELS["generative"]), trained("transposed", MODELS["transposed"])]
    found = gathered(arms, images((8, 12, 1)))
    shown = opened(found)

    def drawn(arm: Any, method: str, *inputs: Any) -> np.ndarray:
        made = arm.study.model.apply(as_packed(arm.variables(1), "float16"), *inputs, method=method)
        return np.asarray(getattr(made, "image", made.mean if hasattr(made, "log_variance") else made))

    def shows(image: np.ndarray) -> None:
        expected = np.repeat(255 * image[0, ..., :1], 3, axis=-1).ravel()
        np.testing.assert_allclose(shown.run("pixels()"), expected, atol=0.51 + 1e-3 * 255)  # a byte, and the weights

    codes, others = (found[arm.name]["explorer, codes"] for arm in arms)
    first, second = codes[1:2], codes[2:3]  # the first images of the classes that the page begins with
    shows(drawn(arms[0], "decode", drawn(arms[0], "plus", first, 1.0)))
    shown.run("set(part('line'), 0.5)")
    shows(drawn(arms[0], "decode", (first + second) / 2))
    halfway, places = shown.run("pixels()"), shown.run("sliders().map((slider) => +slider.value)")
    shown.run("part('map').focus()")
    shown.press("ArrowRight")
    assert shown.run("sliders().map((slider) => +slider.value)") != places
    shown.run("set(sliders()[0], sliders()[0].max)")
    assert shown.run("pixels()") != halfway
    assert not shown.run("part('adding').hidden")
    shown.run("part('next-0').click(), set(part('line'), 0.5)")
    shown.run("set(part('model'), part('model').options[1].value, 'change')")
    shows(drawn(arms[1], "decode", (others[4:5] + others[2:3]) / 2))  # from the next image of the class
    assert "transposed, seed 1" in shown.run("part('said').textContent")
    shown.run("part('status').textContent = ''")
    assert re.fullmatch(r"Code −?\d+\.\d\d, −?\d+\.\d\d\. Nearest to an? .*\.", shown.run("said('status')"))
    assert shown.run("document.documentElement.scrollWidth") == 390
    assert shown.told("Runtime.exceptionThrown") == []
    assert [told["entry"] for told in shown.told("Log.entryAdded") if told["entry"]["level"] == "error"] == []


def test_numbers_without_a_slider_are_counted(opened):
    found = gathered([trained("dense", MODELS["dense"])], images((4, 5, 3)))
    codes = found["dense"]["explorer, codes"].copy()
    codes[:, 1:3] = 0.5
    found["dense"] = {**found["dense"], "explorer, codes": codes}
    words = "2 of 5 numbers have no slider: they are the same for all images shown."
    assert opened(found).run("part('still').textContent") == words
