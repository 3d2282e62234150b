"""Runs: the four steps of an experiment, the folder they leave, resuming, measuring again, merging, checking."""
