"""The studies, one file each: `python -m experiments.NAME`."""
