"""unmix: two images from their mean (report 000).

A ResNet-18 sees the mean of an MNIST digit and a CIFAR-10 photo, and two decoders give both back from its 128 features.
The report's PSNR of 62.79 dB, for photos that it calls "highly blurry and barely recognizable", fits images in [0, 1]
scored with a data range of 255, which adds 20 log10(255) = 48.13 dB to the right 14.66. Both ranges are computed, and
so is the formula that the report turns to, photo = 2 * mean - digit, whose error is the digit's with the other sign.

Source    "Neural Networks Homework 4 Report" (Neural Networks), 000_78e97eb95608c9b3.txt: one run, no seed; ResNet-18
          pretrained on ImageNet, sum of two MSEs, Adam 1e-3, batch 128, one epoch of 50,000 pairs; trained on images in
          [-1, 1], which only the first loss tells
Expected  experiments/results/unmix.json (the PSNRs are no photo's, but for the data range; our networks are better,
          and with skip connections far better: a run of --decoders plain skip. 0.228 isn't reproduced: ours end lower,
          and why isn't known; the report's start, from ImageNet, is missing), unmix_stages.json (with three of the
          encoder's four stages from ImageNet losses and scores are those from scratch; their file was made of a public
          copy with folded batch norms, whose scales and shifts are estimated: see CONTRIBUTING), unmix_pretrained.json
          (100 steps from our own encoder, or with --consistency 1, are no better than from scratch without it), and
          unmix_longer.json (of short trainings on 32 pairs a step, one of four times the steps at a falling rate is far
          better; the photos of the plain decoder stay blurs)
Run       python -m experiments.unmix --seeds 3
Also      --pretrained none cifar (fine-tuning against training from scratch; cifar is an encoder trained here);
          --pretrained imagenet, as the report's (downloads timm/resnet18.tv_in1k; or the path of that file), --stages 3
          in the first three of its four stages alone;
          --rungs plain pooled frozen betas (what the report leaves open and may explain its scores; see -h);
          --decoders plain skip --times 1 5 (how far unmixing can go past the report); --consistency 0 1; --aligned
"""

import jaxae as ae
from experiments import result
from experiments.unmix.measures import measure
from experiments.unmix.method import Config, arms, claims, train
from experiments.unmix.words import say

EXPERIMENT = ae.Experiment(__name__, __doc__, Config, arms, train, claims, measure, say, result("unmix"))
