"""The report: complete, self-contained, and the same bytes each time it is written."""

import json
import re
import shutil
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from jaxae import plots, report, results, tables
from jaxae.errors import UsageError
from jaxae.study import Claim

FLOOR = 0.4629
VERDICTS = ("reproduced", "differs", "explained", "not comparable")


def run_rows() -> list[dict]:
    """Rows as a run has them, one with each verdict, made by the code that makes them."""
    mean, total = "train_mse/mean_over_epochs", "train_mse/sum_over_epochs"
    measures = {
        "fc": {mean: [0.49871, 0.49884, 0.49892], total: [0.1759, 0.1763, 0.1755], "parameters": [468368.0] * 3},
        "conv": {mean: [0.47598, 0.47611, 1.00012], "test_mse": [0.4761, 0.4763, 1.0001], "parameters": [74497.0] * 3},
    }
    measures = {arm: {name: np.asarray(v) for name, v in values.items()} for arm, values in measures.items()}
    reading = "standardised targets: mean over the ten epochs"
    claims = (
        Claim("fc", mean, 0.4988160799741745, "Results, 1", reading),
        Claim(
            "fc", total, 0.4988160799741745, "Results, 1", "targets in [0, 1]: a | sum", explained_by=(("fc", mean),)
        ),
        Claim("fc", "parameters", 468_368, "Results, 1", exact=True),
        Claim("conv", mean, 0.47607351556420324, "Results, 2", reading),
        Claim("conv", "parameters", 74_498, "Results, 2", exact=True, reason="the report counts one bias too many"),
        Claim("vae", mean, 0.3, "Results, 3"),
    )
    dead = {"conv": (2,)}
    rows = results.compare(measures, claims, seeds=(0, 1, 2), dead=dead)
    rows += results.rows(measures, seeds=(0, 1, 2), dead=dead)
    rows += results.difference(measures, "conv", "fc", mean, (0, 1, 2), dead)
    return [results.to_json(row) for row in rows]


def run_history() -> dict:
    def losses(low, high) -> list[list]:
        return [[low + (high - low) * 0.6**epoch + 0.0004 * seed for epoch in range(10)] for seed in range(3)]

    dead, stopped = [1.0001] * 10, losses(0.475, 0.53)
    stopped[1] = [*stopped[1][:8], None, None]
    return {
        "fc": {
            "seeds": [0, 1, 2], "train": {"loss": losses(0.49, 0.58)}, "validation": {"loss": losses(0.492, 0.56)},
            "validation_epochs": list(range(1, 11)), "dead": [], "stopped": {},
        },
        "conv": {
            "seeds": [0, 1, 2], "train": {"loss": [*stopped[:2], dead]},
            "validation": {"loss": [row[:4] for row in losses(0.4765, 0.52)[:2]] + [dead[:4]]},
            "validation_epochs": [2.5, 5, 7.5, 10], "dead": [2], "stopped": {"1": 8},
        },
    }  # fmt: skip


def run_manifest() -> dict:
    data = {"name": "mnist", "version": "3.0.1", "source": "tfds"}
    return {
        "format": 1, "experiment": "fc_vs_conv", "title": "fc_vs_conv: parameters against accuracy on MNIST",
        "summary": "Two autoencoders under plain SGD. The report gives one run each, with no seed; `n` is ours.",
        "command": "python -m experiments.fc_vs_conv --seeds 3 --standardise",
        "config": {"seeds": 3, "learning_rate": 1.0, "standardise": True, "limit": None}, "seeds": [0, 1, 2],
        "key_implementation": "threefry2x32", "versions": {"python": "3.11.7", "jax": "0.10.2"},
        "device": {"platform": "cpu", "kind": "AMD EPYC", "count": 2, "cores": 2}, "xla_flags": "",
        "matmul_precision": "default",
        "data": [
            {**data, "role": "train", "split": "train", "n": 60000, "sha256": "9f" * 32},
            {**data, "role": "test", "split": "test", "n": 10000, "sha256": "0c" * 32},
        ],
        "git_commit": "be25b44", "deviations": [], "notes": [f"No model can pass the floor of {FLOOR}."],
        "status": "complete", "started": "2031-05-06T07:08:09", "wall_seconds": 77.25,
        "arms": {"fc": {"parameters": 468368, "wall_seconds": 31.5, "images_per_second": 91234.5}},
    }  # fmt: skip


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The folder of a finished run, with its report."""
    folder = tmp_path_factory.mktemp("run")
    contents = {"manifest": run_manifest(), "results": run_rows(), "history": run_history()}
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    digits = np.linspace(0, 1, 2 * 8 * 8, dtype=np.float32).reshape(2, 8, 8, 1)
    figure = plots.Images("Two <digits>, and what is made of them.", (("original", digits), ("fc", digits**2)))
    plots.save(figure, folder / "figures", "reconstructions")
    assert report.write(folder) == folder / "report.html"
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(finished, tmp_path / "run")


def change(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_rewriting_after_another_timing_gives_the_same_bytes(finished, folder):
    change(folder / "manifest.json", started="2040-01-01T00:00:00", wall_seconds=1.0, arms=run_manifest()["arms"])
    for path in folder.rglob("*.png"):
        path.unlink()
    report.write(folder)
    before, after = contents(finished), contents(folder)
    assert before.keys() == after.keys()
    assert {path.name for path in before if before[path] != after[path]} == {"manifest.json"}


def test_the_report_says_nothing_about_time_or_place(finished):
    for name in ("report.md", "report.html"):
        text = re.sub(r"base64,[^\"]*", "", (finished / name).read_text())
        assert not [word for word in ("2031", "77.25", "31.5", "91234", str(finished)) if word in text]


def test_the_page_needs_nothing_else(finished):
    html = (finished / "report.html").read_text()
    assert html.count("data:image/png;base64,") == html.count("<img") == 2
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!data:)|<script|<link|@import|url\(|https?://", html)
    assert "Two &lt;digits&gt;, and what is made of them." in html


@pytest.mark.parametrize("name", ["report.md", "report.html"])
def test_everything_is_in_it(finished, name):
    text = (finished / name).read_text()
    expected = (
        *VERDICTS, "0.498816", "468,368", "74,497", "without dead seed 2", "conv - fc", "Results, 2",
        "python -m experiments.fc_vs_conv --seeds 3 --standardise", "9f" * 32, "60,000", "be25b44", "threefry2x32",
        "No model can pass the floor", "conv: seed 2 died", "conv: seed 1 stopped at epoch 8", "0.4988 ±",
    )  # fmt: skip
    assert [words for words in expected if words not in text] == []
    assert "SYNTHETIC" not in text
    assert "departs" not in text


def test_banners(folder):
    data = [{**entry, "source": "synthetic"} for entry in run_manifest()["data"]]
    change(folder / "manifest.json", data=data, deviations=["2,000 of 60,000 training images"], status="running")
    report.write(folder)
    expected = (
        "SYNTHETIC DATA",
        "status is 'running'",
        "departs from the report's settings",
        "2,000 of 60,000 training",
    )
    for name in ("report.md", "report.html"):
        text = (folder / name).read_text().replace("&#x27;", "'")
        assert [words for words in expected if words not in text] == []


def test_figures_are_in_the_order_of_the_run(folder):
    digits = np.zeros((1, 8, 8, 1))
    for name in ("alpha", "zeta", "forgotten"):
        plots.save(plots.Images(f"Figure {name}.", [("", digits)]), folder / "figures", name)
    change(folder / "manifest.json", figures=["zeta", "reconstructions", "alpha"])
    report.write(folder)
    shown = re.findall(r"figures/(\w+)\.png", (folder / "report.md").read_text())
    assert shown == ["loss_curves", "zeta", "reconstructions", "alpha", "forgotten"]


def test_losses_stand_where_they_were_measured(folder):
    history = run_history()
    history["one epoch"] = {**history["fc"], "train": {"loss": [[0.5]] * 3}, "validation": {"loss": [[0.5, 0.4]] * 3}}
    history["one epoch"]["validation_epochs"] = [0.5, 1]
    (folder / "history.json").write_text(json.dumps(history))
    report.write(folder)
    curves = plots.load(folder / "figures" / "loss_curves.npz")
    places = {(line.panel, line.label): list(line.x) for line in curves.lines}
    assert places["fc", "train"] == [epoch + 0.5 for epoch in range(10)]  # a mean over the epoch
    assert places["fc", "validation"] == list(range(1, 11))
    assert places["one epoch", "validation"] == [0.5, 1]
    assert places["one epoch", "train"] == [0.5]


def test_markdown_table():
    rows = run_rows()
    lines = report.table(rows).splitlines()
    assert lines[0] == "| Arm | Measure | Reported | Reproduced | n | Verdict | Why | Reading | Source |"
    assert lines[1] == "| --- | --- | ---: | ---: | ---: | --- | --- | --- | --- |"
    assert len(lines) == 2 + sum(row["reported"] is not None for row in rows)
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {10}
    assert r"targets in [0, 1]: a \| sum | Results, 1 |" in lines[3]
    assert lines == report.table([results.from_json(row) for row in rows]).splitlines()
    row = {**rows[0], "arm": "fc|`<b>`", "metric": "two\nlines"}
    assert report.table([row]).splitlines()[2].startswith(r"| fc\|`&lt;b>` | `two lines` |")


def test_numbers():
    expected = {
        0.49881607: "0.4988", 0.499: "0.4990", 24.4: "24.40", 123.0: "123.0", 9999.4: "9999", 9999.6: "10,000",
        468368.2: "468,368", -0.01234567: "-0.01235", 1.2345e-6: "1.234e-06", 0.0: "0", 2.5e12: "2.500e+12",
        float("nan"): "—", float("inf"): "∞",
    }  # fmt: skip
    assert {value: tables.number(value) for value in expected} == expected
    assert tables.number(None) == "—"
    one, three = results.measured("a", "m", [0.5]), results.measured("a", "m", [1.0, 2.0, 3.0])
    assert tables.reproduced(one) == "0.5000 (n = 1, no interval)"
    assert tables.reproduced(three) == "2.000 ± 2.5"  # t = 4.303, deviation 1, root of 3
    assert tables.reproduced(results.measured("a", "m", [])) == "—"
    assert tables.reproduced(results.measured("a", "m", [7.0, 7.0])) == "7.000 ± 0"
    assert tables.reproduced(results.measured("a", "m", [74497.0] * 2, exact=True)) == "74,497"
    for reported, exact, words in ((24.48, False, "24.48"), (0.49881608, False, "0.498816"), (74497.0, True, "74,497")):
        assert tables.printed(results.measured("a", "m", [], reported=reported, exact=exact)) == words


@pytest.mark.parametrize("width", [80, 100])
def test_terminal(width):
    manifest = {**run_manifest(), "deviations": ["2,000 of 60,000 training images"]}
    console = Console(file=StringIO(), width=width)
    console.print(report.console(run_rows(), manifest))
    text = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    expected = (*VERDICTS, "2,000 of 60,000 training images", "468,368", "0.4988 ±", "one bias too many")
    assert [words for words in expected if words not in text] == []


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("manifest.json", None, "can't be read"),
        ("history.json", "{", "is not JSON"),
        ("results.json", "{}", "holds a dict, not a list"),
        ("results.json", '[{"arm": "fc"}]', "has a row that is none"),
        ("history.json", '{"fc": {"seeds": [0], "train": {"loss": [[1], [2]]}}}', "is not the history of a run"),
        ("manifest.json", '{"format": 2}', "has format 2"),
        ("manifest.json", '{"format": 1}', "lacks title, summary"),
        ("figures/reconstructions.npz", "no zip", "holds no figure"),
    ],
)
def test_a_spoilt_folder(folder, name, content, words):
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(UsageError, match=words) as raised:
        report.write(folder)
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_unfinished_run_is_named_with_the_command_that_goes_on(folder):
    change(folder / "manifest.json", status="interrupted")
    (folder / "results.json").unlink()
    with pytest.raises(UsageError, match=r"has not finished .*'interrupted'.*: python -m .*--resume --out .*run$"):
        report.write(folder)


def test_a_manifest_with_a_part_missing(folder):
    shutil.rmtree(folder / "figures")
    (folder / "history.json").write_text("{}")
    change(folder / "manifest.json", data=[{"role": "train"}])
    with pytest.raises(UsageError, match=r"manifest\.json isn't what a run writes"):
        report.write(folder)


def test_a_run_without_training(folder):
    (folder / "history.json").write_text("{}")
    shutil.rmtree(folder / "figures")
    report.write(folder)
    assert "Figure" not in (folder / "report.md").read_text()
