"""The README's scripts for clusters, word for word but for the size of the study, by stand-ins for the schedulers."""

import os
import random
import re
import socket
import subprocess
import sys

import pytest
from quick import ROOT, read

SMALL = "--source synthetic --limit 40 --test-limit 20 --arms ae --epochs 1 --quiet"
SAME = ("history.json", "results.json", "findings.json", "scores.npz")
SRUN = """#!/bin/sh
# starts TASKS processes, as srun does, and fails where one has
while [ "${1#-}" != "$1" ]; do shift; done
for task in $(seq 0 $((TASKS - 1))); do
  SLURM_STEP_NODELIST=localhost SLURM_NTASKS=$TASKS SLURM_PROCID=$task SLURM_LOCALID=$task "$@" & started="$started $!"
done
for process in $started; do wait $process || failed=1; done
exit ${failed:-0}
"""
pytestmark = pytest.mark.slow


def scripts():
    """Those of the README: one run on many hosts, an array of seeds, and what a pod of the indexed Job runs."""
    text = (ROOT / "README.md").read_text().partition("<summary>Scripts")[2]
    one, array = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)[:2]
    (pod,) = re.findall(r"args:\n\s+- >-\n(.*?)\n\s+volumeMounts", text, re.DOTALL)
    return one, array, " ".join(pod.split())


def small(script, folder):
    """The script for a study of seconds, whose runs lie in a folder."""
    script = script.replace("experiments.denoise", f"experiments.denoise {SMALL}")
    script = re.sub(r"(\.venv/bin/)?python -m", f"{sys.executable} -m", script).replace("--data-dir /shared/tfds ", "")
    script = script.replace("--seeds 8", "--seeds 2").replace("/shared/runs", str(folder))
    return script.replace("runs/", f"{folder}/")


def performed(script, tmp_path, tasks=1, **variables):
    """The script has ended well, with a stand-in for srun on its path."""
    srun = tmp_path / "srun"
    srun.write_text(SRUN)
    srun.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "TASKS": str(tasks), **variables}
    done = subprocess.run(["sh", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The run of both seeds by one process."""
    folder = tmp_path_factory.mktemp("alone")
    command = f"{sys.executable} -m experiments.denoise {SMALL} --seeds 2 --out {folder}/run"
    subprocess.run(command.split(), cwd=ROOT, capture_output=True, text=True, check=True)
    return folder / "run"


def assert_same(folder, alone):
    for name in SAME:
        assert (folder / name).read_bytes() == (alone / name).read_bytes(), name


def test_one_run_on_many_hosts_has_the_bits_of_one_process_and_goes_on_when_submitted_again(alone, tmp_path):
    script, job = small(scripts()[0], tmp_path), {"SLURM_JOB_ID": str(random.randrange(1, 10**6))}
    performed(script, tmp_path, tasks=2, **job)
    assert read(tmp_path / "denoise", "manifest.json")["device"]["processes"] == 2
    performed(script, tmp_path, tasks=2, **job)
    assert_same(tmp_path / "denoise", alone)


def test_the_seeds_of_an_array_are_merged_to_the_bits_of_one_process(alone, tmp_path):
    script = small(scripts()[1], tmp_path)
    for task in ("0", "1", "1"):
        performed(script, tmp_path, SLURM_ARRAY_TASK_ID=task)
    seeds = [str(tmp_path / "seeds" / task) for task in ("0", "1")]
    merge = [sys.executable, "-m", "jaxae", "merge", *seeds, "--out", str(tmp_path / "denoise")]
    subprocess.run(merge, cwd=ROOT, capture_output=True, check=True)
    assert_same(tmp_path / "denoise", alone)


def test_the_pods_of_an_indexed_job_find_each_other(alone, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pod = small(scripts()[2], tmp_path).replace("denoise-0.denoise:8476", f"127.0.0.1:{port}")
    pod = pod.replace("--processes 4", "--processes 2")
    both = [
        subprocess.Popen(["sh", "-c", pod], cwd=ROOT, env={**os.environ, "JOB_COMPLETION_INDEX": str(index)},
                         stdout=-1, stderr=-1, text=True)
        for index in range(2)
    ]  # fmt: skip
    said = [process.communicate(timeout=240) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert_same(tmp_path / "denoise", alone)
