"""The models against the same networks in PyTorch: stored values, and PyTorch itself where it is installed."""

import itertools

import numpy as np
import pytest
from test_models import STUDIED, assert_close, everything, images_for, layers_of, made_up

# Against PyTorch: weights and images are given by a formula, and the first values below were computed by PyTorch
# 2.13, in the last test of this file: loss, three pixels, and the norm of each kernel's gradient from first to last.

FROM_TORCH = {
    "fc": "0.200438008 0.643408477 0.540527284 0.587431967 0.110299222 0.0637729168 0.0450410359 0.0347828865",
    "conv": "0.160616547 0.533034027 0.298904687 0.33845219 0.00854850747 0.10367123 0.195991039 0.2284282 0.142283782",
    "conv, bilinear": "0.157779858 0.564964533 0.296643853 0.331350833 0.00843455736 0.101498626 0.192839563 "
    "0.221981585 0.136018127",
    "mlp": "0.206569538 0.718894899 0.592841685 0.771974862 0.201574638 0.149562269 0.0080484366 0.0611096397",
    "denoise": "0.649408638 -0.216116682 -0.34075433 -0.567572296 0.0962893069 0.351692498 0.514609873 0.3691746",
    "digit, transposed": "0.159914002 0.427206755 0.446511775 0.286177397 0.000929797359 0.00917290058 0.0153599177 "
    "0.0187186934 0.0119219786 0.00198037503 0.0257960837 0.058047533 0.0542762913 0.0810973421",
    "digit, upsampling": "0.196057767 0.385953784 0.0134488074 0.0669874102 0.021684885 0.244030505 0.44177103 "
    "0.638351738 0.292764008 0.00765091553 0.0806711763 0.424658954 0.409891874 0.385411054",
    "digit, bilinear": "0.177759945 0.372840405 0.0491505526 0.233143985 0.0200827569 0.226158887 0.409810722 "
    "0.596614838 0.272555172 0.00790324528 0.0880921632 0.593732357 0.457653642 0.371591181",
}


def run(model):
    """Loss, image, and the gradients of the layers from input to output."""
    value, output, _, _, gradient = everything(model)
    return value, output.image, layers_of(gradient)


def digest(value, output, gradients):
    pixels = np.asarray(output).ravel()[[0, 500, 1000]]
    return [float(value), *pixels.tolist(), *(float(np.linalg.norm(layer["kernel"])) for layer in gradients)]


@pytest.mark.parametrize("name", STUDIED)
def test_values_and_gradients_computed_by_torch(name):
    np.testing.assert_allclose(digest(*run(STUDIED[name])), [*map(float, FROM_TORCH[name].split())], rtol=1e-5)


AXES = {"Linear": (1, 0), "Conv2d": (3, 2, 0, 1), "ConvTranspose2d": (2, 3, 0, 1)}  # of our kernels in torch's order


def torch_networks(nn):
    def dense(*sizes):
        pairs = [part for i, o in itertools.pairwise(sizes) for part in (nn.Linear(i, o), nn.ReLU())]
        return nn.Sequential(nn.Flatten(), *pairs[:-1], nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))

    def conv(i, o):
        return nn.Conv2d(i, o, 3, padding=1)

    def conv_autoencoder(**how):
        encoder = conv(1, 32), nn.ReLU(), nn.MaxPool2d(2), conv(32, 64), nn.ReLU(), nn.MaxPool2d(2)
        two = [part for o in (64, 32) for part in (conv(64, o), nn.ReLU(), nn.Upsample(scale_factor=2, **how))]
        return nn.Sequential(*encoder, *two, conv(32, 1), nn.Sigmoid())

    denoise = nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU()

    class Permute(nn.Module):
        """Flattened images have their channels last here, first in PyTorch."""

        def __init__(self, *order):
            super().__init__()
            self.order = order

        def forward(self, x):
            return x.permute(self.order)

    def digit(*decoder):
        pairs = [part for i, o in ((1, 32), (32, 64), (64, 128)) for part in (conv(i, o), nn.ReLU(), nn.MaxPool2d(2))]
        code = Permute(0, 2, 3, 1), nn.Flatten(), nn.Linear(1152, 256), nn.ReLU(), nn.Linear(256, 2)
        back = nn.Linear(2, 256), nn.ReLU(), nn.Linear(256, 6272), nn.ReLU(), nn.Unflatten(1, (7, 7, 128))
        return nn.Sequential(*pairs, *code, *back, Permute(0, 3, 1, 2), *decoder, nn.Sigmoid())

    def enlarged(**how):
        two = [part for i in (128, 64) for part in (nn.Upsample(scale_factor=2, **how), conv(i, i // 2), nn.ReLU())]
        return digit(*two, conv(32, 1))

    def transposed(i):
        return nn.ConvTranspose2d(i, i // 2, 3, 2, padding=1, output_padding=1), nn.ReLU()

    return {
        "digit, transposed": digit(*transposed(128), *transposed(64), nn.ConvTranspose2d(32, 1, 3, padding=1)),
        "digit, upsampling": enlarged(),
        "digit, bilinear": enlarged(mode="bilinear"),
        "fc": dense(784, 256, 128, 256, 784),
        "mlp": dense(784, 392, 8, 392, 784),
        "conv": conv_autoencoder(),
        "conv, bilinear": conv_autoencoder(mode="bilinear", align_corners=True),
        "denoise": nn.Sequential(
            *denoise, nn.ConvTranspose2d(8, 8, 3), nn.ReLU(), nn.ConvTranspose2d(8, 3, 3), nn.Tanh()
        ),
    }


@pytest.mark.parametrize("name", STUDIED)
def test_values_and_gradients_are_torchs(name):
    torch = pytest.importorskip("torch")
    network = torch_networks(torch.nn)[name]
    mine = [module for module in network if hasattr(module, "weight")]
    axes = [AXES[type(module).__name__] for module in mine]
    for module, layer, order in zip(mine, layers_of(made_up(STUDIED[name])["params"]), axes, strict=True):
        module.weight.data = torch.tensor(np.asarray(layer["kernel"]).transpose(order))
        module.bias.data = torch.tensor(np.asarray(layer["bias"]))
    image = torch.tensor(np.asarray(images_for(STUDIED[name])).transpose(0, 3, 1, 2))
    output = network(image)
    loss = torch.nn.functional.mse_loss(output, image)
    loss.backward()
    gradients = [
        {"bias": module.bias.grad.numpy(), "kernel": module.weight.grad.numpy().transpose(np.argsort(order))}
        for module, order in zip(mine, axes, strict=True)
    ]
    expected = loss.item(), output.detach().numpy().transpose(0, 2, 3, 1), gradients
    assert_close(run(STUDIED[name]), expected)
    np.testing.assert_allclose(digest(*expected), [*map(float, FROM_TORCH[name].split())], rtol=1e-6)
