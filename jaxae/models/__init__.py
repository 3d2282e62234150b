"""Models: an autoencoder maps images to an `Output`, and has `encode` and `decode` as methods.

`AdditionModel`, which takes images and numbers, gives a `Sum`; classifiers and the `ResNet18` give logits or features.
"""

from jaxae.models import layers, weights
from jaxae.models.addition import AdditionModel, ValueToLatent
from jaxae.models.classifier import DigitClassifier
from jaxae.models.conv import ConvAutoencoder, DenoiseAutoencoder
from jaxae.models.digits import DigitAutoencoder, DigitDecoder, DigitEncoder
from jaxae.models.mlp import MLP, FCAutoencoder, MLPAutoencoder
from jaxae.models.output import Gaussian, Output, check_images
from jaxae.models.resnet import ResNet18
from jaxae.models.unmix import Unmixer
from jaxae.models.variational import MLPVAE, ConvVAE, draw

__all__ = [
    "MLP",
    "MLPVAE",
    "AdditionModel",
    "ConvAutoencoder",
    "ConvVAE",
    "DenoiseAutoencoder",
    "DigitAutoencoder",
    "DigitClassifier",
    "DigitDecoder",
    "DigitEncoder",
    "FCAutoencoder",
    "Gaussian",
    "MLPAutoencoder",
    "Output",
    "ResNet18",
    "Unmixer",
    "ValueToLatent",
    "check_images",
    "draw",
    "layers",
    "weights",
]
