"""`python -m experiments.digit_addition`."""

import jaxae as ae
from experiments.digit_addition import EXPERIMENT

ae.cli(EXPERIMENT)
