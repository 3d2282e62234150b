"""Pretrained ResNets: torchvision's checkpoints to variables of `ResNet18`, and back.

    variables = weights.load("resnet18.safetensors", ResNet18())
    logits = ResNet18().apply(variables, image)

An `Unmixer` starts from one without classes, whose last layer is its own: give `train.fit`, or `train.init`,

    found = weights.load("resnet18.safetensors", ResNet18(classes=None))
    initial = {kind: {"encoder": leaves} for kind, leaves in found.items()}

Names translate by rule: "layer1.0.conv1.weight" is params/layer1_0/conv1/kernel, with torch's (o, i, h, w) as
(h, w, i, o); a batch norm's weight is its scale, and its running statistics are in batch_stats.
"""

import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from jaxae import commands, online
from jaxae.errors import UsageError
from jaxae.files import draft_of
from jaxae.models.resnet import ResNet18
from jaxae.models.weights.files import load_tensors, save_safetensors

IMAGENET = ("timm/resnet18.tv_in1k", "model.safetensors")  # torchvision's weights, under the same names

_NAMES = {"kernel": "weight", "scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
_TO_TORCH = {2: (1, 0), 4: (3, 2, 0, 1)}  # dense and convolution kernels
_FROM_TORCH = {2: (1, 0), 4: (2, 3, 1, 0)}


def load(path: Path | str, model: ResNet18) -> dict[str, Any]:
    """The variables of `model` from a file of torchvision's names: {"params": ..., "batch_stats": ...}, float32 numpy.

    `.safetensors` and `.pth` are read, without PyTorch; a `.pth` that asks for anything but tensors is refused. A model
    without classes leaves out the file's last layer ("fc"), of whatever size. Batch counts are left out too.
    Raises UsageError, naming them, for tensors that are missing, too many, of another shape or not finite.
    """
    tensors = {name: tensor for name, tensor in load_tensors(Path(path)).items() if not _ignored(name, model)}
    wanted = {_torch_name(place): (place, leaf) for place, leaf in _flat(_shapes(model)).items()}
    problems = [
        _listed("lacks", [name for name in wanted if name not in tensors]),
        _listed("has besides", [name for name in tensors if name not in wanted]),
        _listed("differs in", [
            f"{name} {tensors[name].shape} in place of {shape}"
            for name, (_, leaf) in wanted.items()
            if name in tensors and tensors[name].shape != (shape := _torch_shape(leaf.shape))
        ]),
        _listed("has infinities or NaN in", [
            name for name in wanted if name in tensors and not np.isfinite(tensors[name].astype(np.float32)).all()
        ]),
    ]  # fmt: skip
    if any(problems):
        raise UsageError(
            f"{path} is no checkpoint of this ResNet18: it {'; it '.join(filter(None, problems))}; give one that has "
            "torchvision's names and the model's shapes"
        )
    return traverse_util.unflatten_dict({place: from_torch(tensors[name]) for name, (place, _) in wanted.items()})


def save(path: Path | str, variables: dict[str, Any]) -> None:
    """Write variables of a `ResNet18` as a .safetensors file under torchvision's names, for PyTorch and for `load`.

    The file is written whole or not at all, in the place of one that is there. Raises UsageError for variables of
    another model, whose layers PyTorch may lay out otherwise, and where it can't be written.
    """
    flat = {place: np.asarray(leaf) for place, leaf in _flat(variables).items()}
    _refuse_others(flat)
    tensors = {_torch_name(place): leaf.transpose(_TO_TORCH.get(leaf.ndim, (0,))) for place, leaf in flat.items()}
    try:
        with draft_of(Path(path)) as draft:
            save_safetensors(draft, tensors)
            draft.replace(path)
    except OSError as error:
        raise UsageError(f"{path} can't be written ({error.strerror}); choose another path") from None


def _refuse_others(flat: dict[tuple[str, ...], np.ndarray]) -> None:
    """Raise UsageError unless these are the variables of a ResNet18, with its classes or without."""
    classes = [leaf.shape[-1] for place, leaf in flat.items() if place == ("params", "fc", "kernel")]
    small = getattr(flat.get(("params", "conv1", "kernel")), "shape", ())[:1] == (3,)
    model = ResNet18(classes=classes[0] if classes else None, stem="cifar" if small else "imagenet")
    found, wanted = ({place: leaf.shape for place, leaf in each.items()} for each in (flat, _flat(_shapes(model))))
    if wrong := sorted(found.items() ^ wanted.items()):
        raise UsageError(f"variables of no ResNet18: its {'/'.join(wrong[0][0])} differs; save others by ae.save")


def imagenet() -> Path:
    """The file of torchvision's ImageNet weights, from the Hugging Face hub or its cache on this machine.

    Raises UsageError where it is neither here nor to be had.
    """
    repository, file = IMAGENET
    try:
        import huggingface_hub as hub  # pyright: ignore[reportMissingImports]  an extra
    except ImportError:
        raise UsageError(
            f"ImageNet weights need huggingface_hub; install it with: {commands.installing(['huggingface_hub'])}, or "
            f"fetch {file} of {repository} elsewhere and give its path"
        ) from None
    try:
        return Path(hub.hf_hub_download(repository, file, local_files_only=True))
    except OSError:  # not in the cache
        pass
    if not online.answers(hub.hf_hub_url(repository, file)):
        raise UsageError(
            f"{repository} is not in the cache and its server doesn't answer within {online.PATIENCE} s; fetch {file} "
            "elsewhere and give its path"
        )
    try:
        return Path(hub.hf_hub_download(repository, file))
    except (OSError, ValueError) as error:  # what the hub's own errors derive from
        raise UsageError(
            f"downloading {repository} failed ({type(error).__name__}); give the path of a file"
        ) from error


def _ignored(name: str, model: ResNet18) -> bool:
    return name.endswith("num_batches_tracked") or (model.classes is None and name.startswith("fc."))


def _shapes(model: ResNet18) -> Any:
    return jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))


def _flat(variables: Any) -> dict[tuple[str, ...], Any]:
    return traverse_util.flatten_dict(variables)


def _torch_name(place: tuple[str, ...]) -> str:
    """("params", "layer1_0", "conv1", "kernel") -> "layer1.0.conv1.weight"."""
    *modules, leaf = place[1:]
    return ".".join([*(re.sub(r"_(\d)$", r".\1", module) for module in modules), _NAMES[leaf]])


def _torch_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(shape[axis] for axis in _TO_TORCH.get(len(shape), (0,)))


def from_torch(tensor: np.ndarray) -> np.ndarray:
    """A weight as Flax has it, f32: dense (o, i) as (i, o), convolution (o, i, h, w) as (h, w, i, o), others as is."""
    return np.ascontiguousarray(tensor.transpose(_FROM_TORCH.get(tensor.ndim, (0,))), np.float32)


def _listed(verb: str, names: list[str], most: int = 4) -> str:
    """ "lacks a, b and 3 more"; empty without names."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{verb} {', '.join(names[:most])}{more}" if names else ""
