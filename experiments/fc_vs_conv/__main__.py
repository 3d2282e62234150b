"""`python -m experiments.fc_vs_conv`."""

import jaxae as ae
from experiments.fc_vs_conv import EXPERIMENT

ae.cli(EXPERIMENT)
