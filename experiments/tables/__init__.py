"""The committed results as pages, made of the findings by today's code: `python -m experiments.tables`."""

from experiments.tables.pages import pages, pictures
from experiments.tables.places import README, RESULTS

__all__ = ["README", "RESULTS", "pages", "pictures"]
