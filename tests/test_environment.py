"""What the environment of whoever runs this has: shells, closed outputs, other people's repositories and settings."""

import os
import re
import shutil
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import jax
import pytest
from quick import ROOT

import jaxae as ae
from jaxae import commands
from jaxae.errors import Notice
from jaxae.run import manifest
from jaxae.run.command_line import replace_damaged, with_errors

DEVICES = "from jaxae.run.command_line import set_up; set_up(); import jax; print(jax.device_count())"


def test_commands_name_the_python_that_says_them(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    said = subprocess.run(
        f"{commands.here('python -c')} 'import sys; print(sys.prefix)'", shell=True, stdout=-1, text=True
    )
    assert said.stdout.strip() == sys.prefix
    assert commands.tool("report", "a b").endswith(" -m jaxae report 'a b'")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert commands.interpreter() == "python"


def test_a_repository_that_only_surrounds_jaxae_is_not_asked_for_its_commit(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    code = ["git", "-c", "user.name=a", "-c", "user.email=a", "commit", "-q", "--allow-empty", "-m", "theirs"]
    subprocess.run(code, cwd=tmp_path, check=True)
    installed = Path(shutil.copytree(Path(manifest.__file__).parent, tmp_path / "venv" / "run"))
    monkeypatch.setattr(manifest, "__file__", str(installed / "manifest.py"))
    assert manifest._commit() == ""


@pytest.mark.parametrize(
    ("name", "value"), [("JAX_NUM_CPU_DEVICES", "3"), ("XLA_FLAGS", "--xla_force_host_platform_device_count=3")]
)
def test_the_users_own_number_of_devices_stays(name, value):
    environment = {**os.environ, "XLA_FLAGS": "", name: value, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", DEVICES], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "3", done.stderr


@pytest.mark.parametrize("value", ["x", "0", "-1", "100000", ""])
@pytest.mark.parametrize("module", ["jaxae", "experiments.fc_vs_conv"])
def test_a_number_of_devices_that_jax_would_end_in_a_traceback_for_is_refused(module, value):
    environment = {**os.environ, "JAX_NUM_CPU_DEVICES": value}
    done = subprocess.run([sys.executable, "-m", module, "-h"], cwd=ROOT, env=environment, stderr=-1, text=True)
    said = f"error: JAX_NUM_CPU_DEVICES is {value!r}; give a whole number from 1 to 1024, or unset it\n"
    assert (done.returncode, done.stderr) == (2, said)


def test_a_cache_that_is_no_folder_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("JAXAE_CACHE", str(tmp_path / "file"))
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "")
    with pytest.warns(Notice, match="file is no folder: every run decodes and compiles anew"):
        ae.set_up()


@pytest.mark.parametrize(
    ("package", "programs"),
    [("experiments", {"fc_vs_conv", "unmix", "sitting"}), ("jaxae", {"data", "report", "merge"})],
)
def test_without_a_name_the_programs_are_listed(package, programs):
    said = subprocess.run([sys.executable, "-m", package], cwd=ROOT, stdout=-1, text=True, check=True).stdout
    assert programs <= {*re.findall(r"^ {2,4}([a-z_]+)  +\S", said, re.MULTILINE)}


def test_setting_up_after_the_gpu_has_begun_otherwise_is_refused_each_time(monkeypatch):
    jax.devices()
    monkeypatch.setenv("XLA_FLAGS", "")
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    for own in ("", "3"):
        monkeypatch.setenv("JAX_NUM_CPU_DEVICES", own) if own else monkeypatch.delenv("JAX_NUM_CPU_DEVICES", False)
        with pytest.raises(
            ae.UsageError, match=r"without --xla_gpu_deterministic_ops=true.* call ae.set_up\(\) before"
        ):
            ae.set_up(devices=3)
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    ae.set_up(devices=3)  # a CPU's kernels are deterministic in any case


@pytest.mark.parametrize(
    ("where", "end"), [("stop()", (-signal.SIGINT, "")), ("with_errors(stop)", (130, "interrupted\n"))]
)
@pytest.mark.parametrize("package", ["jaxae", "experiments"])
def test_ctrl_c_while_all_is_imported_is_no_traceback(package, where, end):
    code = (
        f"import os, signal, sys; sys.argv = ['-m']; import {package}; from jaxae.run.command_line import with_errors; "
        f"stop = lambda: os.kill(os.getpid(), signal.SIGINT); {where}"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stderr=-1, text=True)
    assert (done.returncode, done.stderr) == end


def test_a_closed_output_ends_no_run():
    code = (
        "import os; from rich.console import Console; from jaxae.run.terminal import Output; "
        "shown = Console(file=Output()); [shown.print('[a] word') for _ in range(9999)]; os.write(2, b'done')"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == "done"
    assert process.returncode == 0


@pytest.mark.parametrize("error", [OSError(28, "No space left on device", "runs/a"), MemoryError()])
def test_what_the_system_refuses_is_one_sentence(error, capsys):
    def refused():
        raise error

    with pytest.raises(SystemExit) as stopped:
        with_errors(refused)
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_damaged_programs_are_seen_to_again_once_a_program_of_jaxaes_has_ended(tmp_path):
    def handlers():
        for _ in range(2):  # it is put in place once
            replace_damaged(tmp_path)
        return getattr(warnings.showwarning, "replaces", None), warnings.showwarning

    before = warnings.showwarning
    with_errors(handlers)
    assert warnings.showwarning is before
    (replaced, handler), again = handlers(), handlers()
    warnings.showwarning = before
    assert replaced == tmp_path
    assert again == (tmp_path, handler)


def test_a_damaged_compiled_program_is_written_anew_and_not_warned_of_for_ever(tmp_path):
    code = (
        "import jax; from pathlib import Path; from jaxae.run.command_line import replace_damaged; "
        f"compiled = Path({str(tmp_path)!r}); replace_damaged(compiled); "
        "jax.config.update('jax_compilation_cache_dir', str(compiled)); "
        "jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0); "
        "jax.jit(lambda x: x + 1)(1.0)"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}

    def run():
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, stderr=-1, text=True, check=True)
        return done.stderr, {path.name: path.read_bytes() for path in tmp_path.glob("*-cache")}

    whole = run()[1]
    assert whole
    for name, content in whole.items():
        (tmp_path / name).write_bytes(content[:20])
    assert run() == ("", whole)


def test_a_device_that_is_not_there_is_one_sentence():
    code = "import jax; from jaxae.run import manifest; manifest.device()"
    environment = {**os.environ, "JAX_PLATFORMS": "nowhere"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, stderr=-1, text=True, check=False)
    assert "UsageError: there is no device of the platform 'nowhere'" in done.stderr.splitlines()[-1]
