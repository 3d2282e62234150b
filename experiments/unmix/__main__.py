"""`python -m experiments.unmix`."""

import jaxae as ae
from experiments.unmix import EXPERIMENT

ae.cli(EXPERIMENT)
