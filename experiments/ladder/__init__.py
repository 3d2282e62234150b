"""The ladder: for each disputed number of the reports, the conventions switched on one at a time, to it or short of it.

Each rung is what a committed result holds, or says that none measures it; nothing is trained. `experiments.tables`
makes the page, results/ladder.md, and its pictures. `python -m experiments.ladder` measures anew the few numbers that
follow from the images alone (see `facts`).
"""

from experiments.ladder.pages import page, pictures

__all__ = ["page", "pictures"]
