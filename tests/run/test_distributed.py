"""One run by two processes, which find each other on the loopback: the bits of one process, whatever becomes of it."""

import os
import shutil
import signal
import socket
import subprocess
import sys

import pytest
from quick import EXPERIMENT, ROOT, at

from jaxae.errors import UsageError
from jaxae.run.flags import Flags
from jaxae.run.run import Run
from jaxae.run.steps import perform

SAME = ("history.json", "results.json", "findings.json", "scores.npz")
MOST = 240  # seconds within which every process must have ended


def start(folder, *words, **environment):
    """A process of the study in spread.py, on its own set of devices."""
    given = [sys.executable, "tests/spread.py", "--out", str(folder), "--quiet", *words]
    return subprocess.Popen(given, cwd=ROOT, env={**os.environ, **environment}, stdout=-1, stderr=-1, text=True)


def ended(process):
    """Its status, and what it said."""
    said = process.communicate(timeout=MOST)
    return process.returncode, "".join(said)


def free_place():
    """An address on the loopback that nobody has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


def both(folder, *words, dies=()):
    """The statuses and words of two processes, on a device each; `dies` are environments, by the process's number."""
    joined = ["--distributed", "--coordinator", free_place(), "--processes", "2", "--devices", "2", *words]
    started = [start(folder, *joined, "--process", str(i), **dict(dies).get(i, {})) for i in range(2)]
    return [ended(process) for process in started]


@pytest.mark.slow
def test_two_processes_of_which_one_dies_give_the_bits_of_one_resumed_by_one_or_by_two_that_read_their_images(tmp_path):
    alone = start(tmp_path / "alone", "--devices", "1")
    (first, said), (second, _) = both(tmp_path / "two", dies={1: {"DIE_AFTER": "4"}})
    assert second == -signal.SIGKILL
    assert first == 2, said
    assert "error: another process of this run has ended (" in said.splitlines()[-1]
    assert said.endswith("start all of them again with --resume and the same --out\n")
    assert sorted(path.name for path in (tmp_path / "two" / "checkpoints" / "shared").iterdir()) == ["12", "4"]
    shutil.copytree(tmp_path / "two", tmp_path / "one")
    one = start(tmp_path / "one", "--resume", "--devices", "1")
    for status, said in (*both(tmp_path / "two", "--resume", "--stream"), ended(one), ended(alone)):
        assert status == 0, said
    for name in SAME:
        contents = {(tmp_path / run / name).read_bytes() for run in ("alone", "one", "two")}
        assert len(contents) == 1, name


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"distributed": True}, "--distributed needs --out DIR"),
        ({"process": 0}, "--coordinator, --processes and --process are for --distributed; add it"),
    ],
)
def test_what_several_processes_lack_is_refused(given, words):
    with pytest.raises(UsageError, match=words):
        Flags(**given)


def test_the_command_that_goes_on_is_for_several_processes_too(tmp_path):
    config = at(tmp_path / "run", distributed=True, coordinator="10.0.0.1:1234", processes=2, process=1)
    again = Run(EXPERIMENT, config).again()
    assert " --resume --distributed --coordinator 10.0.0.1:1234 --processes 2 " in again


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((), "error: --distributed finds no other processes (coordinator_address should be defined.); start it by"),
        (("--processes", "2"), "error: --coordinator is missing; give --coordinator, --processes and --process"),
        (
            ("--coordinator", "nowhere", "--processes", "2", "--process", "1"),
            "error: --coordinator nowhere is no address of a process; give HOST:PORT, such as node0:8476",
        ),
        (
            ("--coordinator", "localhost:8476", "--processes", "2", "--process", "5"),
            "error: --process 5: of --processes 2 they are 0 to 1; give one of those",
        ),
    ],
)
def test_a_process_that_finds_no_others_says_so(given, words, tmp_path):
    status, said = ended(start(tmp_path / "run", "--distributed", *given))
    assert status == 2, said
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_processes_that_wait_for_others_say_so_and_end_in_time(tmp_path):
    places = [free_place(), free_place()]  # each of them is at its own
    started = [
        start(
            tmp_path / "run", "--distributed", "--coordinator", place, "--processes", "2", "--process", f"{i}", WAIT="1"
        )
        for i, place in enumerate(places)
    ]
    ends = [ended(process) for process in started]
    for i, (place, (status, said)) in enumerate(zip(places, ends, strict=True)):
        assert status == 2, said
        whom = f"all 2 processes of this run to meet at {place}"
        first, second = said.splitlines()
        assert first == f"process {i}: waiting for {whom}, for 1 s at most"
        assert second.startswith(f"error: waited 1 s in vain for {whom}; start all of them")


def test_more_devices_than_there_can_be_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"--devices is 4096 and there can be \d+ here; ask for fewer"):
        perform(EXPERIMENT, at(tmp_path / "run", devices=4096))
    assert not (tmp_path / "run").exists()
