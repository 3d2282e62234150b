"""The forms of every platform equal XLA's in value and gradients, and PyTorch's initialisation its formula."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, PartitionSpec

from jaxae.errors import UsageError
from jaxae.models import cpu_forms, layers

CONVOLUTIONS = [  # image, kernel, geometry
    ((2, 28, 28, 1), (3, 3, 1, 32), {"padding": 1}),  # fc_vs_conv and digits
    ((1, 14, 14, 32), (3, 3, 32, 64), {"padding": 1}),
    ((2, 28, 28, 32), (3, 3, 32, 1), {"padding": 1}),
    ((2, 32, 32, 3), (3, 3, 3, 8), {}),  # denoise
    ((2, 30, 30, 8), (3, 3, 8, 8), {}),
    ((1, 32, 32, 3), (7, 7, 3, 64), {"stride": 2, "padding": 3}),  # unmix
    ((2, 8, 8, 16), (1, 1, 16, 32), {"stride": 2}),
    ((2, 2, 2, 16), (3, 3, 16, 16), {"padding": 1}),
    ((2, 1, 1, 16), (3, 3, 16, 16), {"padding": 1}),
    ((1, 9, 6, 1), (5, 5, 1, 1), {"stride": 2, "padding": 1}),  # odd ones
    ((3, 7, 10, 5), (5, 5, 5, 7), {"padding": 1}),
    ((1, 5, 8, 12), (1, 1, 12, 3), {"padding": 1}),
    ((2, 4, 3, 16), (3, 1, 16, 16), {"stride": 3}),
    ((2, 19, 17, 9), (2, 4, 9, 5), {"stride": 2, "padding": 1}),
    ((2, 7, 5, 3), (2, 3, 3, 64), {"padding": 1}),
    ((2, 9, 8, 128), (4, 2, 128, 64), {"stride": 2, "padding": 1}),
    # kernel gradients summed in parts of the batch, the last one filled up
    ((53, 28, 28, 12), (3, 3, 12, 8), {"padding": 1}),
    ((47, 14, 14, 12), (3, 3, 12, 64), {"stride": 2, "padding": 1}),
]
TRANSPOSED = [
    ((2, 28, 28, 8), (3, 3, 8, 8), {}),  # denoise
    ((2, 30, 30, 8), (3, 3, 8, 3), {}),
    ((1, 7, 7, 128), (3, 3, 128, 64), {"stride": 2, "padding": 1, "output_padding": 1}),  # digits
    ((2, 14, 14, 32), (3, 3, 32, 1), {"padding": 1}),
    ((2, 8, 8, 24), (4, 4, 24, 20), {"stride": 2, "padding": 1}),  # unmix
    ((2, 5, 6, 9), (2, 4, 9, 256), {"stride": 2, "padding": 1, "output_padding": 1}),
    ((2, 9, 8, 64), (3, 3, 64, 3), {"padding": 1}),
    ((1, 9, 6, 12), (5, 5, 12, 2), {"stride": 2, "output_padding": 1}),  # odd ones
    ((2, 8, 9, 11), (6, 3, 11, 10), {"stride": 3, "padding": 1, "output_padding": 2}),
    ((2, 5, 4, 3), (1, 1, 3, 5), {"stride": 2, "output_padding": 1}),
    ((1, 4, 5, 1), (4, 3, 1, 9), {"stride": 3, "padding": 1}),
]
UPSAMPLED = [
    ((1, 7, 7, 64), (3, 3, 64, 32), {}),
    ((2, 14, 14, 32), (3, 3, 32, 1), {}),
    ((1, 6, 9, 3), (5, 5, 3, 4), {"padding": 0}),
]
CASES = [
    *((layers.conv, *case) for case in CONVOLUTIONS),
    *((layers.conv_transpose, *case) for case in TRANSPOSED),
    *((layers.upsample_conv, *case) for case in UPSAMPLED),
]


def normal(*shape, dtype=jnp.float32):
    return jnp.asarray(np.random.default_rng(len(shape)).normal(size=shape), dtype)


def values_and_gradients(function, *inputs):
    """The output, and the gradients of a fixed linear combination of it."""

    @jax.jit
    def run(*inputs):
        output, gradients = jax.vjp(function, *inputs)
        weights = jnp.cos(jnp.arange(output.size, dtype=jnp.float32)).reshape(output.shape)
        return output, *gradients(weights.astype(output.dtype))

    return run(*inputs)


def assert_close(ours, theirs, tolerance=1e-5):
    """To a fraction of the largest value."""
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())


@pytest.fixture
def elsewhere(monkeypatch):
    """Run a function with the forms that accelerators have."""

    def run(function, *inputs):
        with monkeypatch.context() as patch:
            patch.setattr(lax, "platform_dependent", lambda *args, cpu, default: default(*args))
            return function(*inputs)

    return run


def xla(operation, x, kernel, *, stride=1, padding=None, output_padding=0):
    """XLA's own operation, holes in the image and all."""
    padding = (1 if operation is layers.upsample_conv else 0) if padding is None else padding
    edges, layout = [(padding, padding)] * 2, ("NHWC", "HWIO", "NHWC")
    if operation is layers.upsample_conv:
        x = x.repeat(2, 1).repeat(2, 2)
    if operation is not layers.conv_transpose:
        return lax.conv_general_dilated(x, kernel, (stride, stride), edges, dimension_numbers=layout)
    edges = [(k - 1 - padding, k - 1 - padding + output_padding) for k in kernel.shape[:2]]
    return lax.conv_general_dilated(
        x, kernel[::-1, ::-1], (1, 1), edges, lhs_dilation=(stride, stride), dimension_numbers=layout
    )


@pytest.fixture
def in_parts(monkeypatch):
    """Sum kernel gradients image by image, as those of a batch that is larger than the cache part by part."""
    monkeypatch.setattr(cpu_forms, "_CACHED", 64)


@pytest.mark.parametrize(("operation", "image", "kernel", "geometry"), CASES)
def test_values_and_both_gradients_are_those_of_xlas_operation(elsewhere, operation, image, kernel, geometry):
    inputs = normal(*image), normal(*kernel)
    expected = values_and_gradients(functools.partial(xla, operation, **geometry), *inputs)
    operation = functools.partial(operation, **geometry)
    assert_close(values_and_gradients(operation, *inputs), expected)
    assert_close(elsewhere(values_and_gradients, operation, *inputs), expected)


def test_transposed_convolution_scatters_as_its_definition_says():
    x, kernel = np.asarray(normal(2, 3, 4, 5)), np.asarray(normal(3, 3, 5, 6))
    expected = np.zeros((2, 9, 11, 6), np.float32)
    for i, j in np.ndindex(3, 4):
        expected[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] += np.einsum("bi,klio->bklo", x[:, i, j], kernel)
    y = jax.jit(functools.partial(layers.conv_transpose, stride=2, padding=1, output_padding=1))(x, kernel)
    assert_close(y, np.pad(expected, ((0, 0), (0, 1), (0, 1), (0, 0)))[:, 1:7, 1:9])


@pytest.mark.parametrize("windows", [{}, {"size": 3, "stride": 2, "padding": 1}])  # the ResNet's are the latter
@pytest.mark.parametrize("shape", [(2, 8, 6, 3), (1, 7, 9, 2)])
def test_pooling_gives_ties_to_the_first_as_reduce_window_does(elsewhere, shape, windows):
    pool = functools.partial(layers.max_pool, **windows)
    tied = jnp.asarray(np.random.default_rng(0).integers(0, 3, shape), jnp.float32)
    for x in (tied, jnp.zeros(shape)):
        expected = elsewhere(values_and_gradients, pool, x)
        jax.tree.map(np.testing.assert_allclose, values_and_gradients(pool, x), expected)


@pytest.mark.usefixtures("in_parts")
def test_bfloat16_stays_bfloat16_and_near_float32():
    for operation, channels in ((layers.conv, 4), (layers.upsample_conv, 16)):
        inputs = normal(3, 6, 6, channels), normal(3, 3, channels, 3)
        expected = values_and_gradients(operation, *inputs)
        ours = values_and_gradients(operation, *(a.astype(jnp.bfloat16) for a in inputs))
        assert {a.dtype for a in ours} == {jnp.dtype(jnp.bfloat16)}
        assert_close(ours, expected, tolerance=0.03)


def network(kernels, x):
    """Every operation once; small enough to compile in a moment."""
    x = layers.max_pool(layers.conv(x, kernels[0], padding=1))
    x = layers.conv_transpose(layers.upsample_conv(x, kernels[1]), kernels[2], stride=2, padding=1)
    return jnp.mean(layers.conv(x, kernels[3], stride=2) ** 2)


KERNELS = [np.asarray(0.3 * normal(3, 3, *channels)) for channels in ((1, 12), (12, 9), (9, 2), (2, 2))]


def train(kernels, x):
    """Three steps of gradient descent in a scan."""

    def step(kernels, _):
        loss, slopes = jax.value_and_grad(network)(kernels, x)
        return jax.tree.map(lambda w, slope: w - 0.001 * slope, kernels, slopes), loss

    return lax.scan(step, kernels, length=3)


@pytest.mark.usefixtures("in_parts")
def test_lanes_under_map_and_vmap_equal_lone_runs_of_the_forms_of_accelerators(elsewhere):
    x = normal(3, 8, 6, 1)
    lanes = jax.tree.map(lambda w: np.stack([w, -0.5 * w]), KERNELS)
    lone = jax.jit(lambda *args: train(*args))
    alone = [elsewhere(lone, jax.tree.map(lambda w, i=i: w[i], lanes), x) for i in (0, 1)]
    expected = jax.tree.map(lambda *pair: np.stack(pair), *alone)
    assert_close(jax.jit(lambda lanes: lax.map(lambda kernels: train(kernels, x), lanes))(lanes), expected)
    assert_close(jax.jit(jax.vmap(train, (0, None)))(lanes, x), expected)


@pytest.mark.usefixtures("in_parts")
def test_gradients_are_summed_over_a_mesh():
    mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Auto,))
    rows, everywhere = PartitionSpec("data"), PartitionSpec()

    def gradient(kernels, x):
        return jax.grad(lambda kernels: lax.pmean(network(kernels, x), "data"))(kernels)

    split = jax.shard_map(gradient, mesh=mesh, in_specs=(everywhere, rows), out_specs=everywhere)
    x = normal(6, 8, 6, 1)
    assert_close(jax.jit(split)(KERNELS, x), jax.jit(jax.grad(network))(KERNELS, x))


@pytest.mark.usefixtures("in_parts")
def test_every_convolution_of_a_scanned_step_is_in_the_form_that_is_fast_there():
    program = str(jax.jit(train).lower(KERNELS, normal(3, 8, 6, 1)).compile().as_text())
    assert set(re.findall(r"dim_labels=(\S+?)[,\s]", program)) == {"b01f_01io->b01f"}
    assert "lhs_dilate" not in program
    assert "rhs_reversal" not in program


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_a_program_for_another_platform_has_its_own_forms_and_no_holes_in_images(platform):
    program = jax.export.export(jax.jit(train), platforms=[platform])(KERNELS, normal(3, 8, 6, 1)).mlir_module()
    assert "reduce_window" in program  # which CPUs' pooling has not
    assert program.count("stablehlo.convolution") == 11  # four, and two gradients of each but the image's
    assert "lhs_dilate" not in program


@pytest.mark.usefixtures("in_parts")
def test_gradients_are_exported_for_batches_of_any_size():
    gradient = jax.jit(jax.grad(network, (0, 1)))
    images = jax.ShapeDtypeStruct((*jax.export.symbolic_shape("b"), 8, 6, 1), jnp.float32)
    exported = jax.export.export(gradient, platforms=["cpu", "tpu"])(KERNELS, images)
    x = normal(3, 8, 6, 1)
    assert_close(jax.jit(exported.call)(KERNELS, x), gradient(KERNELS, x))


LAYERS = [  # layer, input, fan_in as torch.nn.init._calculate_fan_in_and_fan_out has it
    (layers.Dense(50), (1, 40), 40),
    (layers.Conv(20), (1, 5, 5, 16), 9 * 16),
    (layers.UpsampleConv(20), (1, 5, 5, 16), 9 * 16),
    (layers.ConvTranspose(20), (1, 5, 5, 16), 9 * 20),
]


@pytest.mark.parametrize(("layer", "shape", "fan_in"), LAYERS, ids=["Dense", "Conv", "UpsampleConv", "ConvTranspose"])
def test_default_initialisation_is_torchs(layer, shape, fan_in):
    params = jax.jit(layer.init)(jax.random.key(0), jnp.zeros(shape))["params"]
    bound = fan_in**-0.5
    for values in (params["kernel"], params["bias"]):
        assert np.abs(values).max() <= bound
    assert np.abs(params["kernel"]).max() > 0.99 * bound
    assert np.var(params["kernel"]) == pytest.approx(bound**2 / 3, rel=0.05)
    assert np.abs(params["bias"]).max() > 0.8 * bound


def test_flax_initialisation_on_request():
    layer = layers.Conv(64, initializer=layers.flax_init)
    params = jax.jit(layer.init)(jax.random.key(0), jnp.zeros((1, 5, 5, 16)))["params"]
    assert not params["bias"].any()
    assert np.var(params["kernel"]) == pytest.approx(1 / (9 * 16), rel=0.05)


def test_bilinear_upsampling_is_torchs_with_aligned_corners():
    # x = torch.arange(30.).reshape(2, 1, 3, 5).sin(); torch.nn.functional.interpolate(x, scale_factor=2,
    # mode="bilinear", align_corners=True); the gradient is that of its sum, weighted by torch.cos(torch.arange(120.))
    x = jnp.sin(jnp.arange(30.0)).reshape(2, 3, 5, 1)
    y, slope = values_and_gradients(layers.upsample_bilinear, x)
    down = [0.8640798, 0.5315353, 0.1989908, -0.1429287, -0.4942233, -0.8455178]
    across = [0.8604138, 0.7498938, 0.6393738, 0.3413757, -0.0191151, -0.3388747, -0.6179028, -0.8124308]
    np.testing.assert_allclose(y[0, :, 3, 0], down, atol=1e-6)
    np.testing.assert_allclose(y[1, 2, :8, 0], across, atol=1e-6)
    np.testing.assert_allclose(slope[1, 1, :, 0], [0.174549, -0.17167, -0.00769, 0.181321, -0.165618], atol=1e-5)
    assert layers.upsample_bilinear(x.astype(jnp.bfloat16)).dtype == jnp.bfloat16
    wide, wide_slope = values_and_gradients(layers.upsample_bilinear, jnp.tile(x, 16))  # as products for each image
    np.testing.assert_allclose(wide[..., 7], y[..., 0], atol=1e-6)
    expected = jax.grad(
        lambda x: (jnp.cos(jnp.arange(wide.size)).reshape(wide.shape)[..., 7:8] * layers.upsample_bilinear(x)).sum()
    )(x)
    np.testing.assert_allclose(wide_slope[..., 7:8], expected, atol=1e-5)


def test_images_too_small_for_a_kernel_are_refused():
    with pytest.raises(UsageError, match=r"kernel of shape \(3, 3, 1, 1\) leaves nothing of images \(1, 2, 2, 1\)"):
        layers.conv(jnp.zeros((1, 2, 2, 1)), jnp.zeros((3, 3, 1, 1)))


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (layers.Dense(0), "Dense has a kernel of 3 x 0 numbers; give"),
        (layers.ConvTranspose(0), "ConvTranspose has a kernel of 3 x 3 x 3 x 0 numbers; give"),
        (layers.Conv(4, kernel_size=0), "Conv has a kernel of 0 x 0 x 3 x 4 numbers; give"),
        (layers.UpsampleConv(4, mode="cubic"), "no mode 'cubic'; choose nearest or bilinear"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_layers_that_can_not_be_are_refused(layer, words):
    with pytest.raises(UsageError, match=words):
        layer.init(jax.random.key(0), jnp.zeros((1, 4, 4, 3)))
