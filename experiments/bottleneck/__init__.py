"""bottleneck: what eight numbers keep of a digit (report 002).

A four-layer MLP, 784-392-8-392-784 with a ReLU on the code too, learns to reconstruct MNIST. The report then gives it
noisy digits, which it never saw in training, and decodes the straight line between the codes of two digits. Here other
code sizes stand beside PCA of the same size, the best that a linear autoencoder can do, and a classifier reads what
lies on the way from one digit to another.

Source    "Autoencoder for Image Reconstruction" (ELEC 475, lab 1), 002_33d737c79ea82370.txt: one run, no seed; MNIST,
          MSE, Adam 1e-3, batch 2048, 50 epochs, ReduceLROnPlateau
Code      https://github.com/noahs438/ELEC475_LAB1/tree/bfc8c3f
Expected  experiments/results/bottleneck.json (n seeds, device and command are in it), bottleneck_5_seeds.json,
          bottleneck_10_seeds.json
Run       python -m experiments.bottleneck --code-sizes 2 4 8 16 32
Also      no flags: the report's code of 8 alone; --author-weights DIR (the author's own network beside ours);
          --code-activation linear; --noise 0.3; --source synthetic
"""

import jaxae as ae
from experiments import own_images, result
from experiments.bottleneck.measures import measure
from experiments.bottleneck.method import Config, arms, claims, train
from experiments.bottleneck.words import say

ABOUT = own_images.about(
    "bottleneck: what a code of few numbers keeps of",
    "A four-layer MLP learns to reconstruct the images. It is then given noisy ones, which it never saw in training. "
    "PCA of the same size stands beside it, the best that a linear autoencoder can do.",
)
EXPERIMENT = ae.Experiment(
    __name__, __doc__, Config, arms, train, claims, measure, say, result("bottleneck"), about=ABOUT
)
