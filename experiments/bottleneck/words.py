"""What is said: the reported loss, denoising, PCA, dead units, the way from digit to digit."""

from pathlib import Path
from typing import Any

import numpy as np

import experiments.bottleneck.author as author
import experiments.bottleneck.pictures as pictures
import jaxae as ae
from experiments import author_weights, digit_classifier, own_images
from experiments.bottleneck.measures import (
    FALL,
    INPUTS,
    LIVING,
    METRICS,
    REDUCTIONS,
    ROUGH,
    score_name,
    share_name,
    size_of,
)
from experiments.bottleneck.method import LIVELY, claims
from experiments.bottleneck.paths import DETOURS, DIFFERENT, ENDS, JUMP, SAME
from jaxae.report import numbers
from jaxae.report.explorer import explorer_sections
from jaxae.report.statements import mostly

TEMPLATE = Path(__file__).with_name("words.md")
MINIMAL = 5  # percent by which a loss that has flattened out falls in its last epochs, at most
SEAMLESS = 2  # times the mean step that the largest one of a seamless path is, at most


def say(found: ae.Findings) -> ae.Document:
    """All of it."""
    sizes = dict(sorted((size_of(name), name) for name in found.measures if name.startswith("code ")))
    shown = sizes[8 if 8 in sizes else min(sizes)]
    if own_images.is_own(found.config):
        return say_own(found, sizes, shown)
    rows = found.rows(claims(found.config), shares=shares(found))
    words = ae.report.words(
        TEMPLATE,
        found=found,
        shown=shown,
        measures=found.measures[shown],
        claimed=[row for row in rows if row.reported is not None],
        denoising=[denoising(found, shown, metric) for metric in METRICS],
        doubt=digit_classifier.doubt(found),
        **of_training(found, sizes),
        **of_codes(found, sizes),
        **of_paths(found, shown),
        **rough(found, shown),
        **answers(found, sizes, shown),
    )
    return words.document(
        (*rows, *of_author(found)),
        tables(found, sizes),
        figures(found, sizes, shown),
        sections=explorer_sections(found, first=shown),
    )


def say_own(found: ae.Findings, sizes: dict[int, str], shown: str) -> ae.Document:
    """What is said of other images than the report's."""
    count = next(entry["n"] for entry in found.origin.data if entry["role"].endswith(" train"))
    how = {"revive": LIVELY} if found.config.code_activation == "relu" else {}
    drawn, sections = figures(found, sizes, shown), explorer_sections(found, first=shown)
    errors = [own_errors(found, sizes)]
    return own_images.document(found, count, tables(found, sizes), drawn, sections, measured=errors, **how)


def figures(found: ae.Findings, sizes: dict[int, str], shown: str) -> dict[str, Any]:
    """The pictures, where there are arrays to draw."""
    return pictures.figures(found, sizes, shown) if found.arrays else {}


def of_training(found: ae.Findings, sizes: dict[int, str]) -> dict[str, Any]:
    """Losses, and how often the schedule acted."""
    return {
        "reductions": sum(found.measures[name][REDUCTIONS].sum() for name in sizes.values()),
        "trainings": len(sizes) * len(found.seeds),
        "minimal": MINIMAL,
        "first_loss": author.LOSSES[0],
        "errors": {size: found.measures[name]["test/mse"] for size, name in sizes.items()},
    }


def of_codes(found: ae.Findings, sizes: dict[int, str]) -> dict[str, Any]:
    """Code sizes beside PCA, units that live, the author's own network."""
    return {
        "beside_pca": beside_pca(found, sizes),
        "living": {size: found.values(name, LIVING) for size, name in sizes.items()},
        "author": beside_author(found),
    }


def of_paths(found: ae.Findings, shown: str) -> dict[str, Any]:
    """What is read on the way from digit to digit, and how large its steps are."""
    arms = shown, "pixels"
    lines = {
        kind: [detours(found, arm, f"line between {kind}/{DETOURS}") for arm in arms] for kind in (DIFFERENT, SAME)
    }
    return {"lines": lines, "jumps": jumps(found, shown)}


def of_author(found: ae.Findings) -> list[ae.results.Row]:
    """The author's own network, which nothing here has trained."""
    his = found.facts.get("author", {})
    return [author_weights.row("code 8, its author's", metric, value) for metric, value in his.items()]


def beside_author(found: ae.Findings) -> dict[str, Any]:
    """The author's own network, and the test errors of ours with as many living units; empty where it isn't given."""
    his = found.facts.get("author", {})
    if not his or "code 8" not in found.measures:
        return {}
    alike = found.measures["code 8"][LIVING] == his["living"]
    return {**his, "error": his["test/mse"], "alike": found.measures["code 8"]["test/mse"][alike]}


def beside_pca(found: ae.Findings, sizes: dict[int, str]) -> dict[str, Any]:
    """The code sizes whose test error lies below that of PCA, above it, or on neither side by its interval."""
    sides: dict[str, Any] = {"below": [], "above": [], "undecided": [], "one sign": {}}
    for size, name in sizes.items():
        difference = found.difference(name, f"PCA {size}", "test/mse")
        side = ae.results.side_of_zero(difference)
        sides["below" if side < 0 else "above" if side > 0 else "undecided"].append(size)
        if few := numbers.undecided(difference):
            sides["one sign"][size] = few
    return sides


def own_errors(found: ae.Findings, sizes: dict[int, str]) -> str:
    """The test error of other images than the report's, on which side of that of PCA it lies."""
    sides = beside_pca(found, sizes)

    def part(size: int, name: str) -> str:
        side = next(side for side in ("below", "above", "undecided") if size in sides[side])
        pca = numbers.over_seeds(found.measures[f"PCA {size}"]["test/mse"])
        return (
            f"{numbers.over_seeds(found.values(name, 'test/mse'))} with {numbers.plural(size, 'number')} in the code, "
            f"{'beside' if side == 'undecided' else side} the {pca} of PCA of as many"
        )

    parts = [part(size, name) for size, name in sizes.items()]
    return f"The mean squared error of test images is {'; '.join(parts)}."


def shares(found: ae.Findings) -> dict[Any, int]:
    """The measures that are percentages of images or of paths, and of how many."""
    images = next((entry["n"] for entry in found.origin.data if entry["split"].startswith("test")), 0)
    names = [(arm, name) for arm, of in found.measures.items() for name in of]
    paths = {(arm, name): usable(found, arm, name) for arm, name in names if name.endswith(DETOURS)}
    ends = {name: 2 * found.config.pairs for _, name in names if name.endswith(ENDS)}
    return {share_name(metric, found.config.noise): images for metric in METRICS} | paths | ends


def jumps(found: ae.Findings, shown: str) -> np.ndarray | None:
    """The shown arm's largest steps between different digits; None of older results."""
    metric = f"line between {DIFFERENT}/{JUMP}"
    return found.values(shown, metric) if found.has(shown, metric) else None


def rough(found: ae.Findings, shown: str) -> dict[str, Any]:
    """How rough rebuilt zeros are, in percent of the digits, and on which side of 100; nothing of older results."""
    if not found.has(shown, ROUGH):
        return {"rough": None, "rough_side": 0}
    values = found.values(shown, ROUGH)
    return {"rough": values, "rough_side": ae.results.side_of_zero(values - 100)}


def answers(found: ae.Findings, sizes: dict[int, str], shown: str) -> dict[str, Any]:
    """Whether the seeds are for (1) or against (-1) the report's statements: that curves flatten, that paths are
    seamless and seldom lead through a third digit, that larger codes are better."""
    metric = f"line between {DIFFERENT}/{DETOURS}"
    falls = found.values(shown, FALL) if found.has(shown, FALL) else np.empty(0)
    third = ae.results.share_over_seeds(found.values(shown, metric) / 100, usable(found, shown, metric))
    steps = jumps(found, shown)
    larger = [name for size, name in sizes.items() if size > size_of(shown)]
    return {
        "flat": mostly(int((falls < MINIMAL).sum()), len(falls)) if len(falls) else 0,
        "seamless": 0 if steps is None else ae.results.side_of_zero(SEAMLESS - steps),
        "uncommon": 0 if third is None else int(third[1] < 0.5) - int(third[0] > 0.5),
        "larger": [ae.results.side_of_zero(found.difference(shown, name, "test/mse")) for name in larger],
    }


def usable(found: ae.Findings, arm: str, metric: str) -> int:
    """Of how many paths the arm's detours are a share, at least: of those without an end that is misread."""
    misread = found.values(arm, metric.replace(DETOURS, ENDS)).mean() / 100
    return max(1, round(found.config.pairs * (1 - 2 * misread)))  # were no two misread ends of one path


def detours(found: ae.Findings, arm: str, metric: str) -> str:
    """The share of paths that lead through another digit, with its interval."""
    return numbers.portion(found.values(arm, metric), usable(found, arm, metric))


def denoising(found: ae.Findings, shown: str, metric: str) -> dict[str, Any]:
    """Scores before and after by the shown arm, and how many images gain."""
    noise, measures = found.config.noise, found.measures[shown]
    names = [f"test/{score_name(f'{metric}, {what}', noise)}" for what in (*INPUTS, "output")]
    noisy, clipped, output = (measures[name] for name in names)
    side = ae.results.side_of_zero(output - clipped)
    return {
        "metric": metric, "noisy": noisy, "clipped": clipped, "output": output, "side": side,
        "without": measures[f"test/{metric.lower()}"], "better": measures[share_name(metric, noise)],
    }  # fmt: skip


def tables(found: ae.Findings, sizes: dict[int, str]) -> tuple[ae.Table, ...]:
    """The test error by code size, and what noise does."""
    cells = [
        [
            str(size), numbers.over_seeds(found.measures[name]["test/mse"]),
            numbers.number(float(found.measures[f"PCA {size}"]["test/mse"])),
        ]
        for size, name in sizes.items()
    ]  # fmt: skip
    kinds = [("Numbers in the code", "number"), ("Autoencoder", "number"), ("PCA", "number")]
    return (ae.Table("Test MSE by code size", kinds, cells),)
