"""The examples of docstrings and of the README give what they say; the citation names this version."""

import doctest
import importlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxae as ae
from jaxae.__main__ import main

PACKAGE = Path(ae.__file__).parent
SHORT = {"ae": ae, "jax": jax, "jnp": jnp, "np": np}  # what examples call by these names, without importing it
SHOWN = ("baselines", "findings.statistics", "keys", "latent", "losses", "schedules", "study", "transforms")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
IMAGES = 256  # of a set that the README loads


def modules_with_examples():
    files = [path for path in sorted(PACKAGE.rglob("*.py")) if ">>> " in path.read_text()]
    names = [".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in files]
    return [name.removesuffix(".__init__") for name in names]


def test_the_modules_that_everything_is_made_of_have_examples():
    assert {*SHOWN} <= {*modules_with_examples()}


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_of_docstrings_give_what_they_say(name):
    module = importlib.import_module(f"jaxae.{name}")
    found = [test for test in doctest.DocTestFinder().find(module, extraglobs=SHORT) if test.examples]
    assert found
    said: list[str] = []
    runner = doctest.DocTestRunner()
    for test in found:
        runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)


def test_the_code_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    load = ae.data.load
    monkeypatch.setattr(ae.data, "load", lambda *of, **_: load(*of, source="synthetic").head(IMAGES))
    blocks = BLOCK.findall((PACKAGE.parent / "README.md").read_text())
    assert blocks
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)


def test_the_study_of_the_readme_runs_as_a_script(tmp_path):
    (script,) = [block for block in BLOCK.findall((PACKAGE.parent / "README.md").read_text()) if "ae.cli" in block]
    (tmp_path / "mine.py").write_text(script)
    flags = "--source synthetic --limit 100 --test-limit 50 --batch-size 50 --epochs 1 --seeds 1 --rates 0.01 --out run"
    command = [sys.executable, "mine.py", *flags.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "arm 1 of 1: denoise: 1 lane, 1 epoch of 2 steps, batch 50" in done.stdout
    made = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert made["command"].startswith("python mine.py --")  # that goes on with it, and --resume
    assert ae.load(tmp_path / "run", "denoise rate 0.01").encode(np.zeros((1, 28, 28, 1), np.uint8)).shape[0] == 1
    mine, page = str(tmp_path / "mine.py"), tmp_path / "index.html"
    main(["report", str(tmp_path / "run"), "--saved", "--experiment", mine])
    main(["index", str(tmp_path / "run"), "--experiment", mine, "--out", str(page)])
    assert "mine: rates of a denoiser." in page.read_text()


def test_the_citation_names_the_version_of_the_package():
    version = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]["version"]
    assert f"\nversion: {version}\n" in (PACKAGE.parent / "CITATION.cff").read_text()
