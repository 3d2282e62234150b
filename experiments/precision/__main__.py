"""`python -m experiments.precision`."""

import jaxae as ae
from experiments.precision import EXPERIMENT

ae.cli(EXPERIMENT)
