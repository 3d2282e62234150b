"""`check --quick`: a small piece of a study, run again in place of its results."""

import json
import re
import shutil
from pathlib import Path

import pytest
from quick import ROOT, at, perform

from jaxae import __main__ as tool
from jaxae.errors import UsageError
from jaxae.run import check
from jaxae.run.saved import load_result, save_result


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A run of one seed, as its folder and as a piece beside a result."""
    folder = perform(at(tmp_path_factory.mktemp("runs") / "done", seeds=1))
    results = tmp_path_factory.mktemp("results")
    (results / check.QUICK).mkdir()
    save_result(folder, results / check.QUICK / "fc_vs_conv.json")
    shutil.copy(results / check.QUICK / "fc_vs_conv.json", results / "whole.json")
    return folder, results


@pytest.fixture
def spoilt(done, tmp_path, monkeypatch):
    """A function that changes the piece, and gives the result that it stands for; what runs again is there already."""
    results = Path(shutil.copytree(done[1], tmp_path / "results"))
    monkeypatch.setattr(check, "perform", lambda *_, **__: done[0])

    def change(by=1.0, **device):
        piece = results / check.QUICK / "fc_vs_conv.json"
        content = json.loads(piece.read_text())
        del content["findings"]["sha256"]  # as results of earlier versions are
        content["manifest"]["device"] |= device
        content["findings"]["measures"]["fc standardised"]["test/mse"][0] *= by
        piece.write_text(json.dumps(content))
        return results / "whole.json"

    return change


def test_a_piece_is_run_again_in_place_of_the_result(done, capsys):
    tool.main(["check", str(done[1] / "whole.json"), "--quick"])
    *before, said = capsys.readouterr().out.splitlines()
    assert not any(line.startswith("report:") for line in before)  # it is gone
    assert re.fullmatch(r"compared bitwise, .*/quick/fc_vs_conv\.json: 0 differences", said)


@pytest.mark.parametrize(
    ("by", "device", "how", "count"),
    [
        (1 + 1e-15, {}, "bitwise, ", 1),  # whatever the code, which here isn't that of a commit
        (1 + 1e-15, {"kind": "another"}, r"within a thousandth \(another platform .*kind .*, not another\)", 0),
        (1.002, {"kind": "another"}, "within a thousandth", 1),
    ],
)
def test_bits_are_asked_of_the_platform_that_made_a_piece_and_a_thousandth_elsewhere(spoilt, by, device, how, count):
    compared, problems = check.check_quick(spoilt(by, **device), Path("nowhere"))
    assert re.match(how, compared)
    assert len(problems) == count
    assert all(problem.startswith("fc standardised, test/mse: ") for problem in problems)


def test_a_difference_says_what_to_do_where_it_is_meant(spoilt, capsys):
    with pytest.raises(SystemExit) as stopped:
        tool.main(["check", str(spoilt(2.0)), "--quick"])
    assert stopped.value.code == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("where bits are meant to change, make the piece anew")


def test_what_is_no_piece_is_refused(done, tmp_path):
    shutil.copy(done[1] / "whole.json", tmp_path)
    with pytest.raises(UsageError, match=r"no piece .*/quick/fc_vs_conv\.json, only of these studies: none; leave out"):
        check.check_quick(tmp_path / "whole.json", tmp_path / "out")
    (tmp_path / check.QUICK).mkdir()
    save_result(perform(at(tmp_path / "two", epochs=1)), tmp_path / check.QUICK / "fc_vs_conv.json")
    with pytest.raises(UsageError, match="is no piece of a study, which has one seed"):
        check.check_quick(tmp_path / "whole.json", tmp_path / "out")


def test_the_flags_that_ask_for_both_are_refused(done, capsys):
    with pytest.raises(SystemExit):
        tool.main(["check", str(done[1] / "whole.json"), "--quick", "--seeds", "1"])
    assert "leave one of them out" in capsys.readouterr().err


def test_the_committed_pieces_can_be_run_by_todays_flags():
    pieces = sorted((ROOT / "experiments" / "results" / check.QUICK).glob("*.json"))
    assert len(pieces) > 1
    for piece in pieces:
        saved = load_result(piece)  # its flags are read
        assert saved.experiment.name == piece.stem
        assert saved.findings.config.source == "synthetic"  # which every machine has
