"""The explorer in a browser: its controls move the code, and what it draws is what Flax draws."""

import dataclasses
import json
import re
import subprocess
from html import unescape
from typing import Any

import numpy as np
import pytest
from browser import program
from reports import manifest
from test_explorer import MODELS, findings, images, trained

from jaxae.report.document import Document
from jaxae.report.explorer import explorer_sections, gathered
from jaxae.report.explorer.packing import as_packed
from jaxae.report.page import write_report

CHROMIUM = program()
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here; install it, for instance the package chromium"),
]
DRIVER = """
(() => {
  const part = (name) => document.getElementById(`explore-${name}`);
  const frames = () => new Promise((resolve) => setTimeout(resolve, 100)); // time is virtual
  const pixels = () => {
    const canvas = part("drawn");
    const bytes = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    return [...bytes].filter((_, i) => i % 4 < 3);
  };
  const set = async (control, value, kind = "input") => {
    control.value = value;
    control.dispatchEvent(new Event(kind, { bubbles: true }));
    await frames();
  };
  const sliders = () => [...part("sliders").querySelectorAll("input")];
  const press = async (key) => {
    part("map").dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    await frames();
  };
  const drive = async () => {
    const seen = { start: pixels() };
    await set(part("line"), 0.5);
    seen.halfway = pixels();
    const before = sliders().map((slider) => +slider.value);
    await press("ArrowRight");
    seen.moved = sliders().some((slider, i) => +slider.value !== before[i]);
    await set(sliders()[0], sliders()[0].max);
    seen.slid = pixels();
    part("next-0").click();
    await set(part("value"), 2.5);
    seen.said = part("sum").textContent;
    seen.hidden = part("adding").hidden;
    await set(part("model"), part("model").options[1].value, "change");
    seen.other = pixels();
    seen.status = part("said").textContent;
    await new Promise((resolve) => setTimeout(resolve, 400));
    seen.near = part("status").textContent;
    seen.wide = document.documentElement.scrollWidth > innerWidth;
    const found = { id: "seen", textContent: JSON.stringify(seen) };
    document.body.append(Object.assign(document.createElement("pre"), found));
  };
  const drawn = () => part("said").textContent && part("drawn").width < 300;
  const wait = () => (drawn() ? frames().then(drive) : setTimeout(wait, 20));
  wait();
})();
"""


def seen_in(folder: Any, arrays: Any) -> Any:
    """What the driver sees in a page of these arrays, opened from disk."""
    sections = [dataclasses.replace(made, script=made.script + DRIVER) for made in explorer_sections(findings(arrays))]
    page = write_report(folder, manifest(), Document("- One.", sections=tuple(sections)), ())
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--enable-logging=stderr", "--v=0")
    more = (f"--user-data-dir={folder / 'browser'}", "--virtual-time-budget=20000", "--window-size=390,1200")
    done = subprocess.run([str(CHROMIUM), *flags, *more, page.as_uri()], capture_output=True, text=True, timeout=120)
    logged = [line for line in done.stderr.splitlines() if "CONSOLE" in line and "willReadFrequently" not in line]
    assert logged == []  # but for what is said of the driver, which reads pixels often
    found = re.search('<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stdout[-2000:]
    return json.loads(unescape(found[1]))


def test_the_page_draws_what_flax_draws(tmp_path):
    arms = [trained("generative", MODELS["generative"]), trained("transposed", MODELS["transposed"])]
    found = gathered(arms, images((8, 12, 1)))
    seen = seen_in(tmp_path, found)

    def drawn(arm: Any, method: str, *inputs: Any) -> np.ndarray:
        made = arm.study.model.apply(as_packed(arm.variables(1), "float16"), *inputs, method=method)
        return np.asarray(getattr(made, "image", made.mean if hasattr(made, "log_variance") else made))

    def alike(pixels: Any, image: np.ndarray) -> None:
        expected = np.repeat(255 * image[0, ..., :1], 3, axis=-1).ravel()
        np.testing.assert_allclose(pixels, expected, atol=0.51 + 1e-3 * 255)  # of a byte, and of the weights

    codes, others = (found[arm.name]["explorer, codes"] for arm in arms)
    first, second = codes[1:2], codes[2:3]  # the first images of the classes that the page begins with
    alike(seen["start"], drawn(arms[0], "decode", drawn(arms[0], "plus", first, 1.0)))
    alike(seen["halfway"], drawn(arms[0], "decode", (first + second) / 2))
    assert seen["moved"]
    assert seen["slid"] != seen["halfway"]
    assert not seen["hidden"]
    alike(seen["other"], drawn(arms[1], "decode", (others[4:5] + others[2:3]) / 2))  # from the next image of the class
    assert "transposed, seed 1" in seen["status"]
    assert re.fullmatch(r"Code −?\d+\.\d\d, −?\d+\.\d\d\. Nearest to an? .*\.", seen["near"])
    assert not seen["wide"]
