"""What is said: which noise the report used, whether its denoiser denoises, what its suggestions bring."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import experiments.denoise.pictures as pictures
import jaxae as ae
from experiments import own_images
from experiments.denoise.measures import GAP, changed
from experiments.denoise.method import ARMS, claims
from jaxae.report import numbers

PSNR, SSIM = "test/psnr, 8-bit", "test/ssim, 8-bit"


def say(found: ae.Findings) -> ae.Document:
    """All of it."""
    rows = found.rows(claims(found.config))
    base = ARMS[found.config.improve]
    drawn = pictures.figures(found, base) if found.arrays else {}
    if own_images.is_own(found.config):
        return own_images.document(found, (), drawn)
    words = ae.report.words(
        Path(__file__).with_name("words.md"),
        found=found,
        noise=which_noise(rows),
        denoisers=[denoiser(found, ARMS[name]) for name in ("deviation", "variance") if ARMS[name] in found.measures],
        base=base,
        changes=[change(found, name, base) for name in changed(found.measures, base)],
        gaps={arm: found.measures[arm][f"{GAP}, in standard errors"].mean() for arm in trained(found)},
        images=found.facts.get("images", ()),
    )
    tables = (*suggestions(found, base), protocols(found))
    return ae.Document(words.conclusions, rows, tables, drawn, words.notes)


def trained(found: ae.Findings) -> list[str]:
    """The arms."""
    return [name for name in found.measures if found.has(name, f"{GAP}, in standard errors")]


def which_noise(rows: Sequence[ae.results.Row]) -> dict[str, Any]:
    """How many of the numbers that are judged under both readings of the noise each reproduces."""
    verdicts = {
        name: {
            row.metric: row.verdict == ae.results.REPRODUCED
            for row in rows
            if row.arm == ARMS[name] and row.reported is not None
            and row.verdict != ae.results.NOT_COMPARABLE and not row.excluded
        }
        for name in ("deviation", "variance")
    }  # fmt: skip
    both = verdicts["deviation"].keys() & verdicts["variance"].keys()
    code, text = ({metric for metric in both if verdicts[name][metric]} for name in ("deviation", "variance"))
    favoured = "standard deviation" if code > text else "variance" if text > code else ""  # one holds all of the other
    return {"judged": len(both), "code": len(code), "text": len(text), "favoured": favoured}


def denoiser(found: ae.Findings, arm: str) -> dict[str, Any]:
    """Scores of what an arm is given, of what it makes of it, and the difference."""
    seen = found.measures[arm]
    parts = {
        "arm": arm,
        "ssim": seen[f"{SSIM} gained"],
        "ssim_side": ae.results.side_of_zero(seen[f"{SSIM} gained"]),
        "gain": seen[f"{PSNR} gained"],
    }
    parts |= {"given": seen[PSNR.replace("test/", "test/input ")], "made": seen[PSNR]}
    return parts | {"side": ae.results.side_of_zero(parts["gain"])}


def change(found: ae.Findings, name: str, base: str) -> dict[str, Any]:
    """What one change adds to the denoiser's PSNR, paired by seed, and in how many seeds it beats the noisy image."""
    gain = found.difference(name, base, PSNR)
    beats = int((found.measures[name][f"{PSNR} gained"] > 0).sum())
    return {
        "name": name.removeprefix(f"{base}, "), "gain": gain, "side": ae.results.side_of_zero(gain), "beats": beats,
    }  # fmt: skip


def suggestions(found: ae.Findings, base: str) -> list[ae.Table]:
    """What each change adds, where there are any."""
    changes = [change(found, name, base) for name in changed(found.measures, base)]
    cells = [[c["name"], numbers.over_seeds(c["gain"]), f"{c['beats']} of {len(found.seeds)}"] for c in changes]
    columns = (("Change", "text"), ("Test PSNR, dB, paired by seed", "number"), ("Better than the noisy image", "text"))
    return [ae.Table(f"What the report's suggestions add to {base}", columns, cells)] if cells else []


def protocols(found: ae.Findings) -> ae.Table:
    """The report's protocol and dm-pix side by side, of what each model is given and of what it makes of it."""
    heads = {"psnr, 8-bit": "PSNR, 8-bit, dB", "psnr": "PSNR, dm-pix, dB"}
    heads |= {"ssim, 8-bit": "SSIM, 8-bit, 7x7", "ssim": "SSIM, dm-pix"}
    cells = [
        [arm, image, *(numbers.over_seeds(found.measures[arm][prefix + metric]) for metric in heads)]
        for arm in trained(found)
        for image, prefix in (("noisy input", "test/input "), ("output", "test/"))
        if found.has(arm, f"{prefix}psnr")
    ]
    columns = [("Arm", "text"), ("Image", "text"), *((head, "number") for head in heads.values())]
    return ae.Table("The report's protocol (8-bit images, 7x7 SSIM) and dm-pix, on the test images", columns, cells)
