"""The committed results as pages, made of the findings by today's code: `python -m experiments.tables`."""

from experiments.tables.pages import README, RESULTS, pages, pictures

__all__ = ["README", "RESULTS", "pages", "pictures"]
