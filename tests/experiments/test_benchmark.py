"""The benchmark's arithmetic against values by hand, and both sides' first steps side by side; nothing is timed."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.benchmark import (
    config,
    contents,
    jax_arms,
    jax_side,
    operations,
    parts,
    pictures,
    ratios,
    streaming,
    table,
)  # fmt: skip
from experiments.benchmark.config import Config
from jaxae import keys
from jaxae.report import figures
from jaxae.train import fit

ROOT = Path(__file__).parents[2]
FIELDS = [
    "arm", "batch", "device", "jaxae_images_per_second", "torch_best", "torch_best_images_per_second",
    "torch_common_images_per_second", "ratio_best", "ratio_common", "jaxae_compile_seconds", "jaxae_peak_mib",
    "torch_peak_mib",
]  # fmt: skip
RUNS = {"jaxae": [30.0, 10.0, 20.0], "torch_best": [10.0, 10.0, 40.0], "torch_common": [4.0, 5.0, 5.0]}
FACTS = {"torch_best": "eager", "jaxae_compile_seconds": 1.5, "jaxae_peak_mib": 300.0, "torch_peak_mib": 400.0}


def content(best=(0.5, 3.0), arm="fc"):
    """What a benchmark.json holds, its ratio to PyTorch at its best with this range and the mean as its median."""
    row = ratios.row(arm, 10, "cpu", RUNS, **FACTS) | {"ratio_best": sum(best) / 2}
    sample = {
        "arm": arm, "batch": 10, "device": "cpu", **RUNS, "ratio_best_range": list(best),
        "ratio_common_range": [2.0, 7.5], "losses": ratios.agreement([2.0, 1.0], [2.0, 1.5]),
        "torch_tried": {"eager": 150.0},
        "gflop_per_image": 3.025,
    }  # fmt: skip
    lanes = {
        "arm": arm, "batch": 10, "mode": "map", "lanes": 16, "images_per_second": 1.0, "ratio_alone": 2.0,
        "ratio_torch": 3.0,
    }  # fmt: skip
    sitting = {
        "command": "python -m experiments.benchmark", "started": "2026-11-30T16:02:11Z",
        "git_commit": "4f8cae289c31+changes.0123", "matmul_gflops": {"jaxae": 200.0, "torch": 242.0},
    }  # fmt: skip
    manifest = {
        "device": "cpu", "threads": 2, "repeats": 3, "seconds": 2.0, "precision": "float32",
        "torch": {"version": "2.13"}, "machine": {"device": {"kind": "a CPU"}, "versions": {"jax": "0.10"}},
        "sittings": [sitting],
    }  # fmt: skip
    return {"manifest": manifest, "rows": [row], "samples": [sample], "lanes": [lanes]}


def test_a_row_has_medians_and_the_ratios_of_medians():
    row = ratios.row("fc", 10, "cpu", RUNS, **FACTS)
    assert list(row) == FIELDS
    assert (row["jaxae_images_per_second"], row["torch_best_images_per_second"]) == (20.0, 10.0)
    assert (row["ratio_best"], row["ratio_common"]) == (2.0, 4.0)


def test_spread_is_of_runs_that_followed_each_other():
    assert ratios.spread(RUNS["jaxae"], RUNS["torch_best"]) == (0.5, 3.0)


def test_agreement_of_losses():
    found = ratios.agreement([2.0, 1.0], [2.0, 0.8])
    assert found == {"steps": 2, "jaxae": 1.0, "torch": 0.8, "largest_relative_difference": pytest.approx(0.2)}


@pytest.mark.parametrize(
    ("now", "slower", "faster"),
    [
        ((0.9, 1.1), 0, 0),
        ((0.6, 0.8), 1, 0),
        ((0.84, 0.89), 0, 0),  # apart, by less than what a day makes
        ((0.5, 0.95), 0, 0),  # ranges meet
        ((1.3, 1.5), 0, 1),
    ],
)
def test_files_are_compared_by_ratios(now, slower, faster):
    found = ratios.slower_and_faster(content((0.9, 1.1)), content(now))
    assert [*map(len, found)] == [slower, faster]


def test_what_is_not_measured_again_is_named():
    assert ratios.slower_and_faster(content(), content(arm="conv")) == (["fc, batch 10: not measured now"], [])


def test_the_table_and_the_figures_show_every_row():
    text = table.markdown(content())
    cells = ["fc", "10", "20", "10", "eager", "1.75 (0.50 to 3.00)", "3", "5", "4.00 (2.00 to 7.50)", "1.5"]
    assert f"| {' | '.join([*cells, '300', '400', '25%', '12%', '3e-01 in 2 steps'])} |" in text
    assert "| fc | 10 | map | 16 | 1 | 2 | 3 |" in text
    drawn = pictures.figures(content())
    assert [*drawn] == ["benchmark", "benchmark_lanes"]
    for figure in drawn.values():
        figures.check(figure)


@pytest.mark.parametrize("changed", [{"device": "gpu"}, {"threads": 4}, {"precision": "bfloat16"}])
def test_ratios_are_aimed_at_for_two_cores_of_a_cpu(changed):
    made = content()
    made["manifest"] |= changed
    assert table.target(made, made["rows"][0]) is None


def test_every_column_of_a_table_is_measured():
    told = (
        "images_per_second", "import_seconds", "load_seconds", "compile_seconds", "start_seconds", "peak_mib",
        "loss_images_per_second", "scores_images_per_second", "step", *operations.KINDS, "rest",
    )  # fmt: skip
    sides: Any = SimpleNamespace(
        jaxae=lambda *_, **more: dict.fromkeys(told, 6.0 * more.get("lanes", 1)),
        torch=lambda *_, **more: dict.fromkeys(told, 3.0),
        command=lambda *_, **more: 5.0,
    )
    found = {name: [] for name in contents.SECTIONS}
    for part, (*_, columns) in table.SECTIONS.items():
        parts.PARTS[part](Config(lanes=(4,), images=(1_000,)), sides, found, "fc", 10)
        assert all(columns.keys() <= entry.keys() for entry in found[part])
    assert found["evaluation"][0]["ratio"] == 2.0
    assert [entry["ratio_alone"] for entry in found["lanes"]] == [4.0, 4.0]
    assert [entry["ratio_torch"] for entry in found["lanes"]] == [8.0, 8.0]


def test_the_best_way_is_the_better_of_two_by_the_median_of_several_runs():
    left = {"eager": [9.0, 1.0, 1.0, 5.0], "channels_last": [8.0, 4.0, 4.0, 4.0], "compiled channels_last": [7.0]}

    def torch(ask, arm, batch, variant="eager"):
        if ask == "losses":
            return {"losses": [1.0], "flop_per_image": 1e9}
        rate = 0.5 if variant == "common" else left[variant].pop(0)
        return {"images_per_second": rate, "peak_mib": 100.0 * rate}

    def jaxae(ask, arm, batch):
        return {"images_per_second": 8.0, "peak_mib": 1.0, "losses": [1.0], "compile_seconds": 1.0}

    found, sides = {"rows": [], "samples": []}, SimpleNamespace(jaxae=jaxae, torch=torch)
    parts.steps(Config(repeats=3), cast(Any, sides), found, "conv", 10)
    row, sample = found["rows"][0], found["samples"][0]
    assert (row["torch_best"], row["ratio_best"], row["torch_peak_mib"]) == ("channels_last", 2.0, 400.0)
    assert sample["torch_tried"] == {"eager": 9.0, "channels_last": 8.0, "compiled channels_last": 7.0}
    assert left == {"eager": [], "channels_last": [], "compiled channels_last": []}


def test_a_way_that_is_far_behind_in_one_run_is_not_asked_again():
    assert parts.front({"eager": 7.4, "channels_last": 10.0, "compiled channels_last": 7.3}) == ["channels_last"]


def test_a_page_says_what_was_measured_and_what_ran_beside():
    made = content()["manifest"]
    made["sittings"] += [dict(made["sittings"][0], git_commit="a" * 40, started="2026-12-01T00:00:00Z")]
    assert "jaxae as of 2026-11-30 (4f8cae2+changes.0123) and 2026-12-01 (aaaaaaa), jax" in table.about(made)
    assert "load" not in table.about(made)
    made["sittings"][0]["load"] = 1.0
    assert "load" not in table.about(made)
    made["sittings"][0]["load"] = 3.25
    assert table.about(made).endswith(" Just before it began the machine had a load of 3.2.")
    made["machine"]["device"]["cores"] = 16
    assert "load" not in table.about(made)


def test_every_arm_is_on_jaxaes_side_and_the_studys_batch_comes_first():
    assert set(config.BATCHES) == set(jax_arms.ARMS)
    chosen = Config(arms=("denoise", "unmix"), parts=("steps", "startup"))
    steps = [("steps", "denoise", 16), ("steps", "denoise", 128), ("steps", "unmix", 128)]
    assert [*config.work(chosen)] == [*steps, ("startup", "denoise", 16), ("startup", "unmix", 128)]


@pytest.mark.parametrize(
    ("asked", "steps"),
    [({}, 20), ({"lanes": 2}, 8), ({"lanes": 20}, 4), ({"first": True}, 4), ({"device": "gpu"}, 80)],
)
def test_a_compiled_call_divides_the_epoch_into_multiples_of_the_unroll(asked, steps, monkeypatch):
    monkeypatch.setattr("jaxae.train.chunks.platform", lambda: asked.get("device", "cpu"))
    question = jax_arms.Question("steps", source="synthetic", images=800, **asked)
    assert jax_arms.chunk(question, jax_arms.fc(question)) == steps


@pytest.fixture(scope="module")
def exchanged(tmp_path_factory):
    """What jaxae's side answers about six steps, as a process; and the folder that it filled."""
    folder = tmp_path_factory.mktemp("exchange")
    question = {"ask": "exchange", "arm": "fc", "batch": 10, "source": "synthetic", "images": 80, "folder": str(folder)}
    command = [sys.executable, "-m", "experiments.benchmark.jax_side"]
    done = subprocess.run(
        command, input=json.dumps(question), cwd=ROOT, capture_output=True, text=True, check=True
    )  # fmt: skip
    return json.loads(done.stdout), folder


def test_jaxaes_side_answers_with_the_losses_of_a_training(exchanged):
    answer, folder = exchanged
    arm = jax_arms.fc(jax_arms.Question("exchange", source="synthetic", images=80))
    hparams = jax.tree.map(lambda value: np.full(1, value, np.float32), arm.hparams)
    losses = fit(arm.study, jnp.stack([keys.root(0)]), arm.data, epochs=1, hparams=hparams).train["loss"][0]
    np.testing.assert_allclose(answer["losses"], losses, rtol=1e-5)
    assert answer["compile_seconds"] >= 0
    batches, params = np.load(folder / "batches.npz"), np.load(folder / "params.npz")
    assert batches["0"].shape == batches["1"].shape == (len(losses), 10, 28, 28, 1)
    assert sum(params[name].size for name in params.files) == 468_368
    assert np.load(folder / "image.npy").shape == (80, 28, 28, 1)


def test_jaxaes_side_answers_with_the_speeds_of_an_evaluation():
    found = jax_side.evaluation(jax_arms.Question("evaluation", source="synthetic", images=750, seconds=0.0))
    assert min(found["loss_images_per_second"], found["scores_images_per_second"]) > 0


def test_torchs_side_needs_nothing_of_jaxae():
    folder, todo, seen = ROOT / "experiments" / "benchmark", ["torch_side"], set()
    while todo:
        seen.add(file := todo.pop())
        tree = ast.parse((folder / f"{file}.py").read_text())
        for line in [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]:
            for module in [line.module] if isinstance(line, ast.ImportFrom) else [name.name for name in line.names]:
                top, *inside = str(module).split(".")
                assert top in {*sys.stdlib_module_names, "numpy", "torch", "experiments"}, f"{file} imports {module}"
                names = inside[1:] or [name.name for name in line.names] if top == "experiments" else []
                todo += [name for name in names if name not in seen]
    assert seen == {"torch_side", "torch_training", "torch_arms", "torch_networks", "worker", "operations"}
    for package in (folder, folder.parent):
        for line in re.findall(r"^(?:import|from) (\w+)", (package / "__init__.py").read_text(), re.MULTILINE):
            assert line in sys.stdlib_module_names


def test_a_steps_time_is_told_by_kind_of_operation():
    found = operations.step(0.1, 10, [("products", 0.04), (None, 9.0), ("products", 0.01), ("moves", 0.02)])
    expected = {"step": 10.0, "products": 5.0, "elements": 0.0, "moves": 2.0, "exchange": 0.0, "rest": 3.0}
    assert found == pytest.approx(expected)
    found = jax_side.operations(jax_arms.Question("operations", source="synthetic", images=80))
    assert found["products"] > 0
    assert found["elements"] > 0


def test_torchs_side_trains_the_same_thing(exchanged):
    pytest.importorskip("torch")
    answer, folder = exchanged
    question = {"arm": "fc", "batch": 10, "device": "cpu", "threads": 1, "precision": "float32", "folder": str(folder)}
    command = [sys.executable, "-m", "experiments.benchmark.torch_side"]
    for ask in ("losses", "steps", "operations"):
        more = {
            "ask": ask,
            "variant": "eager" if ask == "operations" else "common",
            "images": None,
            "seconds": 0.0,
            "began": 0.0,
        }
        done = subprocess.run(
            command, input=json.dumps(question | more), cwd=ROOT, capture_output=True, text=True, check=True
        )  # fmt: skip
        found = json.loads(done.stdout)
        if ask == "losses":
            np.testing.assert_allclose(found["losses"], answer["losses"], rtol=1e-5)
            assert found["flop_per_image"] == 2 * (3 * 466_944 - 784 * 256)  # products but that with the input's slope
        else:
            assert found["images_per_second" if ask == "steps" else "products"] > 0


def test_reading_images_is_held_against_images_on_the_device(capsys):
    def answers(ask, arm, batch, stream=False):
        return {"images_per_second": 90.0 if stream else 100.0}

    sides: Any = SimpleNamespace(jaxae=answers)
    (row,) = streaming.measure(streaming.Config(arms=("conv",), repeats=2), sides)
    assert (row["ratio"], row["ratio_range"], row["batch"]) == (0.9, [0.9, 0.9], 10)
    assert "conv, batch 10: 100 resident and 90 streamed images per second, 0.90" in capsys.readouterr().out
