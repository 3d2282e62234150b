"""A report with one number of each verdict, for the tests of its pages."""

from typing import Any

import numpy as np

import jaxae as ae
from jaxae.findings import Claim, Difference, Findings, Origin
from jaxae.report.curves import loss_curves
from jaxae.report.document import Document, Table

DIGITS = np.linspace(0, 1, 2 * 8 * 8, dtype=np.float32).reshape(2, 8, 8, 1)


def findings() -> Findings:
    """Of a run with one number of each verdict, a seed that died and one that stopped early."""
    mean, total = "train_mse/mean_over_epochs", "train_mse/sum_over_epochs"
    measures = {
        "fc": {mean: [0.49871, 0.49884, 0.49892], total: [0.1759, 0.1763, 0.1755], "size": 468368.0},
        "conv": {mean: [0.47598, 0.47611, 1.00012], "test_mse": [0.4761, 0.4763, 1.0001], "size": 74497.0},
    }
    losses = np.array([[0.49 + 0.09 * 0.6**epoch + 0.0004 * seed for epoch in range(10)] for seed in range(3)])
    stopped = losses.copy()
    stopped[1, 8:] = np.nan
    arrays = {arm: {name: np.asarray(values) for name, values in of.items()} for arm, of in measures.items()}
    return Findings(
        Origin(ae.Flags(), (0, 1, 2), ()),
        arrays,
        {"fc": (), "conv": (2,)},
        (Difference("conv", "fc", mean, arrays["conv"][mean] - arrays["fc"][mean]),),
        by_seed={
            "fc": {"train/loss": losses, "validation/loss": losses},
            "conv": {"train/loss": stopped, "validation/loss": losses[:, :4]},
        },
        arrays={"fc": {"validation epochs": np.arange(1, 11)}, "conv": {"validation epochs": np.arange(1, 5) * 2.5}},
    )


def claims() -> list[Claim]:
    mean, total = "train_mse/mean_over_epochs", "train_mse/sum_over_epochs"
    reading = "standardised targets: mean over the ten epochs"
    return [
        Claim("fc", mean, 0.4988160799741745, "Results, 1", reading),
        Claim("fc", total, 0.4988160799741745, "Results, 1", "in [0, 1]: a | sum", explained_by=(("fc", mean),)),
        Claim("fc", "size", 468_368, "Results, 1", exact=True),
        Claim("conv", mean, 0.47607351556420324, "Results, 2", reading),
        Claim("conv", "size", 74_498, "Results, 2", exact=True, reason="the report counts one bias too many"),
        Claim("vae", mean, 0.3, "Results, 3"),
    ]


ROWS = findings().rows(claims())


def document(**changes: Any) -> Document:
    figures = {
        "loss_curves": loss_curves(findings()),
        "reconstructions": ae.plots.Images("Two <digits>", (("original", DIGITS), ("fc", DIGITS**2)), note="A note."),
    }
    table = Table("Own table", (("Arm", "text"), ("MSE", "number")), [["fc", "0.5"]], "Below *it*.")
    whole = {"conclusions": "- One finding.\n- Another.", "rows": ROWS, "tables": (table,), "figures": figures}
    return Document(**{**whole, "notes": "No model can pass the floor of 0.4629.", **changes})


def manifest(**changes: Any) -> dict[str, Any]:
    data = {"name": "mnist", "version": "3.0.1", "source": "tfds"}
    return {
        "title": "fc_vs_conv: parameters against accuracy on MNIST",
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
        "git_commit": "be25b44", "status": "complete", "started": "2031-05-06T07:08:09", "wall_seconds": 77.25,
        "arms": {"fc": {"parameters": 468368, "wall_seconds": 31.5, "images_per_second": 91234.5}},
        **changes,
    }  # fmt: skip
