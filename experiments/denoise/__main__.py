"""`python -m experiments.denoise`."""

import jaxae as ae
from experiments.denoise import EXPERIMENT

ae.cli(EXPERIMENT)
