"""denoise: reconstruction and denoising of CIFAR-10 by a small convolutional autoencoder (report 001).

Four convolutions, 1,611 parameters, learn to give an image back: the clean one (ae), or one with Gaussian noise (dae).
The report's text says that the noise has variance 0.1, its public code that it has standard deviation 0.1; both are
run, and the reported numbers decide. With the smaller noise a denoiser has to beat 26 dB, what the noisy image itself
scores; the report's 24.48 dB stay below it.

Source    "Homework 4 - Autoencoders for Reconstruction" (520.638 Deep Learning), 001_9e09d4206a4553a9.txt: one run, no
          seed; CIFAR-10 in [-1, 1], MSE, batch 16, 3 epochs of 45,000; by its public code: Adam 1e-4, L2 1e-5 added to
          the gradient, metrics on 8-bit images
Code      https://github.com/nhinke/deeplearning-repo/tree/49a7b05/Homework/hw4
Expected  experiments/results/denoise.json (n seeds, device and command are in it), denoise_25_seeds.json,
          denoise_improvements.json
Run       python -m experiments.denoise --seeds 3
Also      --arms deviation --improvements rate sgd l1 batch-norm copies layers epochs channels (what the report
          suggests, measured); --improve variance; --source synthetic --limit 2000
"""

import jaxae as ae
from experiments import own_images, result
from experiments.denoise.measures import measure
from experiments.denoise.method import Config, arms, claims, train
from experiments.denoise.words import say

ABOUT = own_images.about(
    "denoise: a small convolutional autoencoder of",
    "Four convolutions learn to give an image back: the clean one (ae), or one with Gaussian noise (dae), of standard "
    "deviation 0.1 or of variance 0.1, for images in [-1, 1].",
)
EXPERIMENT = ae.Experiment(__name__, __doc__, Config, arms, train, claims, measure, say, result("denoise"), about=ABOUT)
