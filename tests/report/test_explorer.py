"""The explorer: the layers and weights in the page give what Flax gives, in numpy, in JavaScript and in a browser."""

import functools
import json
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest

import jaxae as ae
from jaxae.errors import UsageError
from jaxae.findings import Findings, Origin
from jaxae.findings.storage import load_arrays, save_arrays
from jaxae.models import AdditionModel, ConvAutoencoder, DigitAutoencoder, MLPAutoencoder, digits
from jaxae.models.cards import shapes_of
from jaxae.report.explorer import explorer_sections, gathered, gathering
from jaxae.report.explorer.gathering import some_of_each, value_of
from jaxae.report.explorer.networks import networks_of
from jaxae.report.explorer.packing import as_packed, packed, packed_size
from jaxae.study import State, Study
from jaxae.train import Trained

NODE = shutil.which("node")
NETWORK = Path(gathering.__file__).parents[1] / "templates" / "network.js"
SMALL: dict[str, Any] = {"widths": (3, 4, 5), "image_shape": (8, 12, 1)}
MODELS: dict[str, Any] = {
    "dense": MLPAutoencoder((9, 7), 5, image_shape=(4, 5, 3)),
    "transposed": DigitAutoencoder(2, digits.transposed, **SMALL),
    "upsampled": DigitAutoencoder(2, digits.upsampled, **SMALL),
    "interpolated": DigitAutoencoder(2, digits.interpolated, **SMALL),
    "bilinear": DigitAutoencoder(2, digits.bilinear, (3, 4, 2), (8, 12, 3)),
    "adder": AdditionModel(3, hidden=(6,), **SMALL),
    "generative": AdditionModel(3, True, True, True, hidden=(6, 5), **SMALL),
}


def variables_of(model: Any) -> Any:
    """Numbers without a pattern, as large as trained ones and larger, the same each time."""
    draw = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: draw.normal(0, 0.3, leaf.shape).astype(np.float32), dict(shapes_of(model)))


class Case(NamedTuple):
    """A model with rounded weights as the page has it, some codes, and what Flax makes of them with those weights."""

    layers: dict[str, Any]
    content: bytes
    precision: str
    codes: np.ndarray
    sums: np.ndarray
    images: np.ndarray


@functools.cache
def drawn(name: str, precision: Any) -> np.ndarray:
    """The images of six codes, by Flax; with precision "" the weights as they are."""
    variables = variables_of(MODELS[name])
    return np.asarray(decode(MODELS[name], as_packed(variables, precision) if precision else variables, codes_of(name)))


def codes_of(name: str) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 1, (6, MODELS[name].code_size)).astype(np.float32)


@functools.partial(jax.jit, static_argnums=0)
def decode(model, variables, codes):
    found = model.apply(variables, codes, method="decode")
    return getattr(found, "image", found)


@functools.cache
def case_of(name: str, precision: Any) -> Case:
    model, codes, sums = MODELS[name], codes_of(name), np.zeros((0, 0))
    variables = variables_of(model)
    layers, content = packed(networks_of(model, variables), precision)
    assert packed_size(networks_of(model, variables), precision) == len(content)
    if isinstance(model, AdditionModel):
        value = np.linspace(0, 9, 6, dtype=np.float32)
        added: Any = model.apply(as_packed(variables, precision), codes, value, method="plus")
        sums = np.asarray(added.mean)
    return Case(json.loads(json.dumps(layers)), content, precision, codes, sums, drawn(name, precision))


every_case = pytest.mark.parametrize("precision", ["float16", "int8"])
every_model = pytest.mark.parametrize("name", MODELS)


# ---- the same list in numpy


def weights_of(case: Case) -> dict[str, list[Any]]:
    """The layers with kernel and bias read from the bytes, as packing's docstring says."""
    at, found = 0, {}

    def take(dtype: str, count: int) -> np.ndarray:
        nonlocal at
        values = np.frombuffer(case.content, dtype, count, at)
        at += values.nbytes
        return values.astype(np.float64)

    for name, layers in case.layers.items():
        found[name] = []
        for layer in layers:
            if "shape" in layer:
                shape = layer["shape"]
                bias = take("<f4", shape[-1])
                scale = take("<f4", shape[-1]) if case.precision == "int8" else 1
                kernel = take({"float16": "<f2", "int8": "i1"}[case.precision], int(np.prod(shape))).reshape(shape)
                layer = {**layer, "bias": bias, "kernel": kernel * scale}
            found[name].append(layer)
    assert at == len(case.content)
    return found


def convolved(x: np.ndarray, kernel: np.ndarray, padding: int) -> np.ndarray:
    sides = kernel.shape[:2]
    x = np.pad(x, ((padding, padding), (padding, padding), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, sides, (0, 1))
    return np.einsum("rcikl,klio->rco", windows, kernel)


def transposed(x: np.ndarray, kernel: np.ndarray, stride: int, padding: int, size: list[int]) -> np.ndarray:
    """By its definition: a convolution, all the other way, of the image spread out with zeros."""
    holes = np.zeros((stride * (x.shape[0] - 1) + 1, stride * (x.shape[1] - 1) + 1, x.shape[2]))
    holes[::stride, ::stride] = x
    whole = convolved(holes, kernel[::-1, ::-1], kernel.shape[0] - 1)
    whole = np.pad(whole, ((0, stride), (0, stride), (0, 0)))
    return whole[padding : padding + size[0], padding : padding + size[1]]


def between(side: int) -> np.ndarray:
    place = np.clip((np.arange(2 * side) + 0.5) / 2 - 0.5, 0, side - 1)
    return np.maximum(0, 1 - np.abs(place[:, None] - np.arange(side)))


def computed(layers: list[Any], x: np.ndarray) -> np.ndarray:
    for layer in layers:
        match layer["kind"]:
            case "dense":
                x = x @ layer["kernel"] + layer["bias"]
            case "conv":
                x = convolved(x, layer["kernel"], layer["padding"]) + layer["bias"]
            case "conv_transpose":
                x = transposed(x, layer["kernel"], layer["stride"], layer["padding"], layer["size"]) + layer["bias"]
            case "image":
                x = x.reshape(layer["size"])
            case "nearest":
                x = x.repeat(2, 0).repeat(2, 1)
            case "bilinear":
                x = np.einsum("tr,rcx,uc->tux", between(x.shape[0]), x, between(x.shape[1]))
            case "relu":
                x = np.maximum(x, 0)
            case "sigmoid":
                x = 1 / (1 + np.exp(-x))
    return x


@every_case
@every_model
def test_the_exported_layers_compute_what_flax_does(name, precision):
    case = case_of(name, precision)
    networks = weights_of(case)
    for code, image in zip(case.codes, case.images, strict=True):
        np.testing.assert_allclose(computed(networks["decode"], code), image, atol=1e-5)
    for value, code, total in zip(np.linspace(0, 9, 6), case.codes, case.sums, strict=False):
        shown = computed(networks["value"], np.array([value]))
        np.testing.assert_allclose(computed(networks["plus"], np.concatenate([code, shown])), total, atol=1e-4)
    off = np.abs(case.images - drawn(name, "")).max()
    assert 0 < off < {"float16": 1e-3, "int8": 0.05}[precision]  # by rounding alone
    assert case.images.std() > 0.05


def test_other_models_are_refused():
    with pytest.raises(UsageError, match="ConvAutoencoder has no decoder that the page can draw with"):
        networks_of(ConvAutoencoder(), {"params": {}})
    model = DigitAutoencoder(2, lambda *given, **options: digits.transposed(*given, **options), **SMALL)
    with pytest.raises(UsageError, match="can't be drawn with in the page"):
        networks_of(model, variables_of(MODELS["transposed"]))


# ---- the page's own program

PROGRAM = """
const { bytesOf, unpack, run } = require(process.argv[1]);
const cases = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(cases.map(({ layers, content, precision, codes, values }) => {
  const networks = unpack(layers, bytesOf(content), precision);
  const sums = networks.plus ? codes.map((code, i) =>
    [...run(networks.plus, [...code, ...run(networks.value, [values[i]]).values]).values]) : [];
  const images = codes.map((code) => [...run(networks.decode, code).values]);
  return { sizes: run(networks.decode, codes[0]).size, images, sums };
})));
"""


@pytest.mark.skipif(NODE is None, reason="there is no node here to run the page's JavaScript")
def test_the_pages_javascript_computes_what_flax_does():
    cases = [case_of(name, precision) for name in MODELS for precision in ("float16", "int8")]
    given = [
        {
            "layers": case.layers, "content": b64encode(case.content).decode(), "precision": case.precision,
            "codes": case.codes.tolist(), "values": np.linspace(0, 9, 6).tolist(),
        }
        for case in cases
    ]  # fmt: skip
    done = subprocess.run(
        [str(NODE), "-e", PROGRAM, str(NETWORK)], input=json.dumps(given), capture_output=True, text=True, check=True
    )
    for case, found in zip(cases, json.loads(done.stdout), strict=True):
        assert tuple(found["sizes"]) == case.images.shape[1:]
        np.testing.assert_allclose(np.reshape(found["images"], case.images.shape), case.images, atol=1e-5)
        np.testing.assert_allclose(np.reshape(found["sums"], case.sums.shape), case.sums, atol=1e-4)


# ---- what is gathered, and said


def trained(name: str, model: Any, seeds: int = 2) -> Trained:
    """An arm of these weights in every lane, the first of which is dead."""
    alive, fail = np.arange(seeds) > 0, lambda *_: pytest.fail("it is trained")
    study = Study(name, model, fail, fail, fail, 1, 1, scale=ae.transforms.UNIT)  # pyright: ignore[reportArgumentType]
    variables = jax.tree.map(lambda leaf: np.stack([leaf * lane for lane in range(seeds)]), variables_of(model))
    state = State(None, variables["params"], {}, None)  # pyright: ignore[reportArgumentType]
    return Trained(name, study, np.arange(seeds), state, None, {}, {}, {}, np.zeros(0), {}, alive, ~alive, None)  # pyright: ignore


LABELS = np.arange(60, dtype=np.int32) % 3
CLASSES = ("7", "</script>", "cat")


def images(shape: Any) -> ae.data.Dataset:
    pixels = np.random.default_rng(0).integers(0, 256, (60, *shape), np.uint8)
    return ae.data.Dataset(pixels, LABELS, "", "test", "own", CLASSES, "")


def findings(arrays: Any, seeds: int = 2) -> Findings:
    return Findings(Origin(ae.Flags(), tuple(range(seeds)), ()), {}, dict.fromkeys(arrays, (0,)), arrays=arrays)


def data_of(section: Any) -> Any:
    """The block of data of a section."""
    text = section.html.split('id="explore-data">')[1].split("</script>")[0]
    return json.loads(text)


def test_some_of_each_class_are_shown():
    assert some_of_each([0, 0, 0, 1, 1, 2], 4).tolist() == [0, 3, 5]
    assert some_of_each([0, 0, 0, 1, 1, 2], 6).tolist() == [0, 1, 3, 4, 5]
    assert some_of_each(np.arange(50), 10).tolist() == [*range(10)]
    assert some_of_each([5], 10).tolist() == [0]


def test_a_section_is_made_of_what_was_gathered_and_of_nothing_else(tmp_path):
    model, other = MODELS["dense"], MLPAutoencoder((9, 7), 1, image_shape=(4, 5, 3))
    found = gathered([trained("a<b", model), trained("c", other)], images((4, 5, 3)))
    save_arrays(tmp_path / "arrays.npz", found)
    (section,) = explorer_sections(findings(load_arrays(tmp_path / "arrays.npz")), first="c")
    data = data_of(section)
    assert [kept["name"] for kept in data["models"]] == ["c", "a<b"]
    assert data["classes"] == list(CLASSES)
    assert data["labels"] == LABELS.tolist()
    one, several = data["models"]
    assert [one["map"]["plane"], several["map"]["plane"]] == [False, True]
    assert "a<b, seed 1, the first of 2 that learns" in several["said"]
    codes = found["a<b"]["explorer, codes"]
    places = (codes - several["map"]["center"]) @ np.transpose(several["map"]["axes"])
    assert (places > several["map"]["low"]).all() and (places < several["map"]["high"]).all()
    moving = [kept["number"] for kept in several["sliders"]]
    assert moving == np.flatnonzero(np.ptp(codes, axis=0)).tolist()  # ReLU leaves some dead
    assert value_of(found["a<b"]["explorer, networks"])["precision"] == "float16"
    assert explorer_sections(findings({})) == ()


def test_arms_that_show_one_picture_are_named_and_not_explored():
    arrays = gathered([trained("a", MODELS["dense"]), trained("b", MODELS["dense"])], images((4, 5, 3)))
    found = Findings(Origin(ae.Flags(), (0, 1), ()), {}, {"a": (0,), "b": (1,)}, slow={"a": (1,)}, arrays=arrays)
    (section,) = explorer_sections(found)
    assert [kept["name"] for kept in data_of(section)["models"]] == ["b"]
    assert "Not here: a, since it shows one picture" in section.html and "to keep the page small" not in section.html
    assert explorer_sections(findings(arrays, seeds=1)) == ()


def test_what_has_no_room_in_a_page_is_rounded_further_and_then_left_out(monkeypatch):
    arms = [trained(name, MODELS["dense"]) for name in ("a", "b", "c")]
    networks = networks_of(MODELS["dense"], arms[0].variables(1))
    sizes = packed_size(networks, "float16"), packed_size(networks, "int8")
    precisions = []
    for room, count in ((3 * sizes[0], 3), (3 * sizes[0] - 1, 3), (2 * sizes[1], 2), (sizes[1] - 1, 0)):
        monkeypatch.setattr(gathering, "ROOM", room)
        found = gathered(arms, images((4, 5, 3)))
        assert [*found] == ["", "a", "b", "c"][: count + 1] * bool(count)
        precisions += [value_of(found["a"]["explorer, networks"])["precision"]] if count else []
        for section in explorer_sections(findings(found)):
            assert ("1 more model of this run isn't here" in section.html) == (count == 2)
    assert precisions == ["float16", "int8", "int8"]
