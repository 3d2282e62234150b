"""precision: what computing in bfloat16 changes in the numbers of every study.

Each study is trained twice from the same keys, once with `--precision float32` and once with bfloat16. A seed has the
same initial parameters, data order, noise and pairs in both, so that its two numbers differ by the precision alone, and
what follows from it.

Source    no report's: all five computed in float32
Expected  experiments/results/precision.json (trainings of 200 to 240 steps: unmix is a little worse in bfloat16; of the
          convolutional autoencoder of fc_vs_conv, at a learning rate of 1, two seeds of three stay at a black image;
          no other difference can be told from 0)
Run       python -m experiments.precision --limit 3840 --epochs 2 --batch-size 32
Also      --studies fc_vs_conv denoise; --epochs 10
"""

import jaxae as ae
from experiments.precision.measures import measure
from experiments.precision.method import Config, arms, inside, train
from experiments.precision.words import say

EXPERIMENT = ae.Experiment(__name__, __doc__, Config, arms, train, measure=measure, say=say, inside=inside)
