"""`python -m experiments.digit_codes`."""

import jaxae as ae
from experiments.digit_codes import EXPERIMENT

ae.cli(EXPERIMENT)
