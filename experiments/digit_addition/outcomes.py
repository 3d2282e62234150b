"""The report's words for what a model draws, as thresholds on what a classifier of real digits reads.

The report names outcomes by eye. Here they are judged in images of test pairs, whose sums are uniform from 0 to 9, so
that a perfect model has 10% of each digit:

only fuzzy nines                  COLLAPSED of the images are read as one digit, whichever it is
just a number with fuzzy nines    so many as one of two
correct                           RIGHT as a + b
different from the target         anything else

What is measured is called one digit alone, or one of two digits, since these need be no nines. A seed whose decoder
draws a single colour has died, which is no outcome of its weights: it is named and left out.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

NINES, NUMBER, OTHER, CORRECT = OUTCOMES = (
    "only fuzzy nines", "just a number with fuzzy nines", "different from the target", "correct",
)  # fmt: skip
SEEN = {NINES: "one digit alone", NUMBER: "one of two digits", OTHER: OTHER, CORRECT: CORRECT}  # without nines
COLLAPSED, RIGHT = 0.9, 0.8  # shares of images
NEAR = "test/share nearest to the mean 9"
READINGS = {
    NINES: f"{COLLAPSED:.0%} of the images are read as one digit, whichever it is",
    NUMBER: f"{COLLAPSED:.0%} of the images are read as one of two digits",
    OTHER: "no other outcome",
    CORRECT: f"{RIGHT:.0%} of the images are read as a + b",
}
VALUES = (1.0, 2.0, 1.4, 1.5, 1.6)  # what the report adds to an image of 7; the whole numbers first
DIGITS, BLUR = "fractions/digits as reported", "fractions/blurred as reported"
PARTS = (  # of the line of all sums: tenths after the point, and how far above the whole number the digit then is
    ("whole numbers, a + b", (0,), 0),
    ("below .5, the lower digit", (1, 2, 3, 4), 0),
    ("at .5, the lower digit", (5,), 0),
    ("at .5, the next digit", (5,), 1),
    ("above .5, the next digit", (6, 7, 8, 9), 1),
)
TENTHS = tuple(np.arange(10 * (9 - a) + 1) for a in range(10))  # all that can be added to each digit, up to the sum 9


class Seen(NamedTuple):
    """What the report sees of fractions: the digits of 7 + 1.4, 1.5 and 1.6, and which of these are blurred."""

    source: str
    digits: tuple[int, int, int]
    blurred: tuple[float, ...]


def outcome(shares: np.ndarray, accuracy: float) -> str:
    """The report's words for what a model draws, from the shares of the digits that are read, float[10]: see above."""
    commonest = np.sort(shares)[::-1]
    if commonest[0] >= COLLAPSED:
        return NINES
    if commonest[:2].sum() >= COLLAPSED:
        return NUMBER
    return CORRECT if accuracy >= RIGHT else OTHER


def nearest_mean(images: Any, mean: Any) -> Any:
    """The digit whose mean image is nearest, in squares: f32[n, h, w, c] and means f32[10, h, w, c] -> i32[n].

    What a classifier that knows digits alone reads in a blur of all of them is a guess; this is what it is most like.
    """
    return jax.vmap(lambda image: jnp.square(image[None] - mean).mean((1, 2, 3)).argmin())(images)


def is_single_colour(outputs: Any, batch: Any) -> Any:
    """Whether a model draws an image of a as a single colour, whatever a: its rectifiers have died.

    A model that has collapsed still draws a digit, the same for every input, and lives.
    """
    return jnp.var(outputs.original) < 1e-3 * jnp.var(batch.inputs[0])


def sum_measures(shares: np.ndarray, accuracy: np.ndarray) -> dict[str, np.ndarray]:
    """Measures of the digits that are read in images of sums, f64[seeds, 10], and of how many are a + b, f64[seeds]."""
    found = {f"test/share read as {digit}": shares[:, digit] for digit in range(10)}
    ours = [outcome(*seed) for seed in zip(shares, accuracy, strict=True)]
    return found | {f"outcome/{name}": np.array([seen == name for seen in ours], np.float64) for name in OUTCOMES}


def fraction_measures(seen: np.ndarray, gray: np.ndarray, reported: Seen) -> dict[str, np.ndarray]:
    """Measures of 7 + VALUES: the probability of every digit f32[seeds, values, images, 10], and f64[seeds, values]
    of how gray the images are in percent of mid-gray.

    A model that doesn't read 7 + 1 as 8 and 7 + 2 as 9 says nothing of fractions.
    """
    read = seen.argmax(3)
    counts = counted(read)
    digit, sure, found = counts.argmax(2), seen.max(3).mean(2), {}
    for place, value in enumerate(VALUES):
        found |= {f"7 + {value:g}/read as {name}, %": 100 * (read[:, place] == name).mean(1) for name in (8, 9)}
        found[f"7 + {value:g}/digit read in most"] = digit[:, place].astype(np.float64)
        found[f"7 + {value:g}/confidence"] = sure[:, place].astype(np.float64)
        found[f"7 + {value:g}/gray, %"] = gray[:, place]
    whole = (digit[:, :2] == (8, 9)).all(1)
    found[DIGITS] = (whole & (digit[:, 2:] == reported.digits).all(1)).astype(np.float64)
    if reported.blurred:
        blurred = gray[:, [VALUES.index(value) for value in reported.blurred]]
        more = (blurred > gray[:, :2].max(1, keepdims=True)).all(1)
        found[BLUR] = (whole & more).astype(np.float64)
    return found


def line_measures(counts: list[np.ndarray]) -> dict[str, np.ndarray]:
    """How many images are read as each of PARTS says, in percent, f64[seeds].

    `counts` holds int[seeds, tenths, 10] for every digit a: in how many of its images each digit is read when TENTHS[a]
    are added.
    """
    found, tenth = {}, np.concatenate(TENTHS) % 10
    shares = [count / count.sum(2, keepdims=True) for count in counts]
    for words, parts, up in PARTS:
        wanted = [np.minimum(a + tenths // 10 + up, 9) for a, tenths in enumerate(TENTHS)]  # above 9 is no part
        hits = [
            np.take_along_axis(share, digit[None, :, None], 2)[:, :, 0]
            for share, digit in zip(shares, wanted, strict=True)
        ]
        where = np.flatnonzero(np.isin(tenth, parts))
        found[f"line/{words}, %"] = 100 * np.concatenate(hits, axis=1)[:, where].mean(1)
    return found


def counted(digit: np.ndarray) -> np.ndarray:
    """How often each digit is there: int[..., n] -> int[..., 10]."""
    return (digit[..., None] == np.arange(10)).sum(-2)
