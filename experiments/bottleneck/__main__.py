"""`python -m experiments.bottleneck`."""

import jaxae as ae
from experiments.bottleneck import EXPERIMENT

ae.cli(EXPERIMENT)
