"""fc_vs_conv: parameters against accuracy on MNIST (report 004).

A fully connected and a convolutional autoencoder reconstruct MNIST digits. The report prints an "average loss" of 0.50
and 0.48, which no sigmoid autoencoder on images in [0, 1] can have: the mean image alone scores 0.067. Its author's
public code says what they are: the lowest test loss of ten epochs on standardised targets, which a sigmoid can't reach.
Other readings are run beside it, such as the sum of ten epoch means on unit images.

Source    "Answer 2" (Computer Vision, program assignment 2), 004_fd8987dbd02e3c4a.txt: one run, no seed; MNIST, MSE,
          SGD at 1.0, batch 10, 10 epochs
Code      https://github.com/SunilDevlops/Programs/tree/b34ca9b/ComputerVision/ProgramAssignment2/Question2
Expected  experiments/results/fc_vs_conv.json (n seeds, device and command are in it; nearest upsampling), and of the
          defaults, one network each, fc_vs_conv_fc_10_seeds.json and fc_vs_conv_conv_40_seeds.json
Run       python -m experiments.fc_vs_conv --seeds 3
Also      --learning-rates 1.0 0.5 0.1 (the report found 0.1 too slow); --upsampling nearest; --arms conv;
          --author-weights DIR (what the author's own weights score); --source synthetic
"""

import jaxae as ae
from experiments import result
from experiments.fc_vs_conv.measures import measure
from experiments.fc_vs_conv.method import Config, arms, claims, train
from experiments.fc_vs_conv.words import say

EXPERIMENT = ae.Experiment(__name__, __doc__, Config, arms, train, claims, measure, say, result("fc_vs_conv"))
