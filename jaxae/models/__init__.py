"""Models: every autoencoder maps images to an `Output`, and has `encode` and `decode` as methods."""

from jaxae.models import layers
from jaxae.models.classifier import DigitClassifier
from jaxae.models.conv import ConvAutoencoder, DenoiseAutoencoder
from jaxae.models.mlp import MLP, FCAutoencoder, MLPAutoencoder
from jaxae.models.output import Output, check_images

__all__ = [
    "MLP",
    "ConvAutoencoder",
    "DenoiseAutoencoder",
    "DigitClassifier",
    "FCAutoencoder",
    "MLPAutoencoder",
    "Output",
    "check_images",
    "layers",
]
