"""The script for shells, in bash itself: what it offers after which words."""

import dataclasses
import shutil
import subprocess

import pytest

from experiments.fc_vs_conv.method import Config
from jaxae.__main__ import parser
from jaxae.run import flags
from jaxae.run.completion import script

ASK = """
source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _jaxae; printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def offered(tmp_path_factory):
    """What bash offers for the last of these words."""
    bash, path = shutil.which("bash"), tmp_path_factory.mktemp("shell") / "completion"
    if bash is None:
        pytest.skip("there is no bash")
    path.write_text(script(parser().get_default("commands")))

    def ask(*words):
        command = [bash, "--norc", "-uc", ASK, "bash", str(path), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    return ask


def test_modules_flags_and_choices_are_offered(offered):
    start = ("python", "-m")
    assert offered(*start, "experiments.fc") == ["experiments.fc_vs_conv"]
    assert "jaxae" in offered(*start, "") and "experiments.own_images" not in offered(*start, "")
    own = (*start, "experiments.fc_vs_conv")
    assert {*map(flags.flag, (field.name for field in dataclasses.fields(Config)))} < {*offered(*own, "--")}
    assert offered(*own, "--dry") == ["--dry-run"]
    assert offered(*own, "--arms", "") == offered(*own, "--arms", "fc", "") == ["fc", "conv"]
    assert offered(*own, "--arms", "fc", "--lanes", "v") == ["vmap"]
    assert offered(*own, "--out", "") == []  # files, by the shell itself
    assert {"--experiment", "--out"} <= {*offered(*start, "jaxae", "merge", "runs/a", "runs/b", "--")}
    assert offered(*start, "jaxae", "data", "") == ["list", "prepare"]
    assert offered(*start, "jaxae", "data", "prepare", "ci") == ["cifar10"]
    assert offered(*start, "jaxae", "export", "run", "arm", "--which", "") == ["state", "best"]
    assert offered(*start, "pytest", "") == offered("python", "mine.py", "--") == []
