"""Images of every class, which studies show and score: a limit that leaves too few is refused before training."""

import numpy as np

import jaxae as ae


def refuse_fewer(run: ae.Run, name: str, split: str, count: int) -> None:
    """Raise UsageError, with the limit that it takes, where --limit, or of test images --test-limit, leaves fewer than
    `count` images of a class in a set's "train" or "test"."""
    images = run.data(name, split)
    classes = range(len(images.classes))
    if np.bincount(images.label, minlength=len(classes)).min() >= count:
        return
    whole = run.data(name, split, use="whole").label
    places = [np.flatnonzero(whole == number) for number in classes]
    if min(map(len, places)) < count:
        raise ae.UsageError(f"{name} here has fewer than {count} {split} images of some class; prepare all of it")
    needed = 1 + max(int(of[count - 1]) for of in places)
    flag, limit = ("--limit", run.config.limit) if split == "train" else ("--test-limit", run.config.test_limit)
    raise ae.UsageError(
        f"{flag} {limit} leaves {'no' if count == 1 else f'fewer than {count}'} {split} images of some class, and "
        f"{run.experiment.name} needs {count} of each; give {needed} or more"
    )
