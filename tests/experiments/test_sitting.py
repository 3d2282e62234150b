"""A sitting's pieces are commands that their experiments know, each gone on with where it stands."""

import pytest
import tyro
from prepared import refused

from experiments import sitting
from experiments.benchmark.config import Config
from experiments.benchmark.contents import ALIKE
from jaxae.run import command_line
from jaxae.run.experiment import find_experiment

PIECES = list(sitting.pieces())
WHERE = {"device": "cpu", "toy": True, "data_dir": None, "torch_python": None}


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.name)
def test_every_piece_is_a_command_that_is_known(piece, tmp_path):
    _, _, module, *words = piece.command(tmp_path, **WHERE)
    if piece.kind == "benchmark":
        assert tyro.cli(Config, args=words).save == tmp_path / "benchmark.json"
    else:
        assert command_line.parsed(find_experiment(module), words).out == tmp_path / piece.name


def test_the_benchmarks_pieces_go_into_one_file(tmp_path):
    words = [piece.command(tmp_path, **WHERE)[3:] for piece in PIECES if piece.kind == "benchmark"]
    steps, lanes = (tyro.cli(Config, args=each) for each in words)
    assert [getattr(steps, name, None) for name in ALIKE] == [getattr(lanes, name, None) for name in ALIKE]


def test_a_piece_is_gone_on_with_until_it_is_complete(tmp_path):
    study = next(piece for piece in PIECES if piece.kind == "study")
    folder = tmp_path / study.name
    folder.mkdir()
    assert "--resume" not in study.command(tmp_path, **WHERE)
    (folder / "manifest.json").write_text('{"status": "interrupted"}')
    assert "--resume" in study.command(tmp_path, **WHERE)
    assert not study.complete(tmp_path)
    benchmark = next(piece for piece in PIECES if piece.kind == "benchmark")
    (tmp_path / f"{benchmark.name}-1").mkdir()
    assert str(tmp_path / f"{benchmark.name}-2") in benchmark.command(tmp_path, **WHERE)


def test_a_rehearsal_is_not_taken_for_a_result(tmp_path, monkeypatch, capsys):
    study = next(piece for piece in PIECES if piece.kind == "study")
    monkeypatch.setattr(sitting, "pieces", lambda: [study])
    monkeypatch.setattr(sitting, "load_manifest", manifest_in(tmp_path / "toy"))
    for toy, said in ((False, "not begun"), (True, "complete already")):
        sitting.sit(tmp_path, 0.0, **WHERE | {"toy": toy})
        assert said in capsys.readouterr().out


def manifest_in(whole):
    """Read manifests: of the pieces in one folder alone, each of which is complete."""
    return lambda folder: {"status": "complete" if folder.parent == whole else "interrupted"}


def test_what_ends_badly_is_said_and_the_next_piece_begun(tmp_path, monkeypatch, capsys):
    wrong = sitting.Piece("wrong", "experiments.fc_vs_conv", ("--epochs", "0"))
    known = sitting.Piece("known", "experiments.fc_vs_conv", ("-h",))
    monkeypatch.setattr(sitting, "pieces", lambda: [wrong, known])
    assert not sitting.sit(tmp_path, 60.0, **WHERE | {"toy": False})  # more minutes than a busy machine needs
    said = capsys.readouterr().out
    assert "wrong: failed (2) after" in said
    assert f"{tmp_path / 'wrong.log'}: error: --epochs is 0" in said
    assert "known: complete after" in said
    assert "--epochs is 0" in (tmp_path / "wrong.log").read_text()
    for minutes in -1.0, float("nan"), float("inf"):
        refused("--minutes is .*; give the length of the sitting", sitting.sit, tmp_path / "none", minutes, **WHERE)
    for there, words in (
        ("data_dir", "--data-dir .* is no folder"),
        ("torch_python", "--torch-python .* is no program"),
    ):
        refused(words, sitting.sit, tmp_path / "none", 1.0, **WHERE | {there: tmp_path / "absent"})
    assert not (tmp_path / "none").exists()
    assert sitting.sit(tmp_path, 0.0, **WHERE)
    assert "known: not begun, the time is over" in capsys.readouterr().out


def test_a_piece_has_its_own_minutes(tmp_path, monkeypatch):
    ends = []
    monkeypatch.setattr(sitting, "perform", lambda piece, out, until, **_: ends.append(until) or "stopped")
    monkeypatch.setattr(sitting.time, "monotonic", lambda: 0.0)
    monkeypatch.setattr(sitting, "pieces", lambda: [PIECES[0], PIECES[0]._replace(minutes=2.0)])
    sitting.sit(tmp_path, 25.0, **WHERE)
    assert ends == [1500.0, 120.0]


def test_ctrl_c_waits_until_the_piece_has_saved(tmp_path, monkeypatch, capsys):
    seen = []

    class Running:
        """A piece at work."""

        def __init__(self, *_, **__):
            self.terminate = lambda: seen.append("stopped")

        def wait(self, seconds):
            """Ctrl-C comes first."""
            seen.append(seconds)
            if len(seen) == 1:
                raise KeyboardInterrupt
            return 130

    monkeypatch.setattr(sitting.subprocess, "Popen", Running)
    with pytest.raises(KeyboardInterrupt):
        sitting.sit(tmp_path, 1.0, **WHERE)
    assert seen[1:] == ["stopped", sitting.PATIENCE]
    assert "smoke-fc_vs_conv: stopped after 0 s; the same command goes on" in capsys.readouterr().out
