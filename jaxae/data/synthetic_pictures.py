"""What `synthetic` shows: digits, and coloured shapes over gradients, drawn by Pillow from a random generator."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

DIGITS = tuple("0123456789")

_FINE = 2  # drawn at twice the size and averaged, against jagged edges


def draw_digits(label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """uint8[n, 28, 28, 1]: Pillow's own font in four weights, slanted, turned, stretched and shifted."""
    stencils = [[_digit(text, weight) for weight in range(4)] for text in DIGITS]
    weight = rng.integers(4, size=len(label))
    pose = _poses(rng, len(label), size=28, turn=0.25, slant=0.35, scale=(0.7, 1.05), shift=2.0)
    return _place([stencils[i][j] for i, j in zip(label, weight, strict=True)], pose)[..., None]


def _digit(text: str, weight: int) -> Image.Image:
    size = 28 * _FINE
    image = Image.new("L", (size, size))
    font = ImageFont.load_default(size)
    ImageDraw.Draw(image).text((size / 2, size / 2), text, fill=255, font=font, anchor="mm", stroke_width=weight)
    return image


# In coordinates from -1 to 1, y downwards
SHAPES = {
    "circle": lambda x, y: x**2 + y**2 < 0.7,
    "ring": lambda x, y: abs(x**2 + y**2 - 0.6) < 0.25,
    "square": lambda x, y: np.maximum(abs(x), abs(y)) < 0.75,
    "triangle": lambda x, y: (y < 0.7) & (y > 1.8 * abs(x) - 0.9),
    "cross": lambda x, y: (np.minimum(abs(x), abs(y)) < 0.25) & (np.maximum(abs(x), abs(y)) < 0.9),
    "star": lambda x, y: sum(x * np.sin(a) + y * np.cos(a) < 0.35 for a in np.arange(5) * 0.4 * np.pi) >= 4,
    "heart": lambda x, y: (1.6 * x**2 + (0.2 - 1.3 * y) ** 2 - 1) ** 3 < 2 * x**2 * (0.2 - 1.3 * y) ** 3,
    "crescent": lambda x, y: (x**2 + y**2 < 0.8) & ((x - 0.45) ** 2 + y**2 > 0.5),
    "arrow": lambda x, y: np.where(x > 0, abs(y) < 0.85 - x, abs(y) < 0.25) & (abs(x) < 0.9),
    "bars": lambda x, y: (abs(x) < 0.85) & (abs(y) < 0.9) & (abs(abs(y) - 0.45) > 0.2),
}


def draw_scenes(label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """uint8[n, 32, 32, 3]: a shape of one colour over a gradient of two, dark on light as often as light on dark."""
    stencils = [_stencil(inside) for inside in SHAPES.values()]
    pose = _poses(rng, len(label), size=32, turn=0.5, slant=0.15, scale=(0.5, 0.95), shift=5.0)
    cover = _place([stencils[i] for i in label], pose)
    blocks = np.array_split(cover, 100)  # a few at a time stay in the processor's cache
    return np.concatenate([_paint(block, rng) for block in blocks])


def _stencil(inside) -> Image.Image:
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    return Image.fromarray(np.uint8(255 * inside(x, y))).resize((32 * _FINE, 32 * _FINE), Image.Resampling.BOX)


def _paint(cover: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """uint8[n, 32, 32, 3]: shapes where `cover` (uint8[n, 32, 32]) is 255, over gradients, with a little noise."""
    each = (len(cover), 1, 1, 1)
    y, x = np.mgrid[-1:1:32j, -1:1:32j].astype(np.float32)[..., None]
    angle = rng.random(each, np.float32) * 2 * np.pi
    slope = 0.5 + (x * np.cos(angle) + y * np.sin(angle)) / 8**0.5
    start, stop = 0.45 * rng.random((2, len(cover), 1, 1, 3), np.float32)
    ground = start + (stop - start) * slope
    vivid = np.arange(3) == rng.integers(3, size=each)  # one channel may be dark, the others are bright
    colour = np.where(vivid, rng.random(each, np.float32), 0.6 + 0.4 * rng.random((len(cover), 1, 1, 3), np.float32))
    image = ground + (colour * (1.1 - 0.2 * slope) - ground) * (cover[..., None] / np.float32(255))
    image = np.where(rng.random(each) < 0.5, image, 1 - image)
    image += 0.015 * rng.standard_normal(image.shape, np.float32)
    return (255 * image.clip(0, 1) + 0.5).astype(np.uint8)


def _poses(rng: np.random.Generator, n: int, *, size, turn, slant, scale, shift) -> np.ndarray:
    """float64[n, 6]: random affine maps from picture to stencil, in the order of Pillow's AFFINE transform."""
    angle, shear = rng.uniform(-turn, turn, n), rng.uniform(-slant, slant, n)
    width, height = rng.uniform(scale[0], scale[1], (2, n))
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.array([[width * cos, height * (shear * cos - sin)], [width * sin, height * (shear * sin + cos)]])
    inverse = np.linalg.inv(matrix.transpose(2, 0, 1))
    middle = np.full((n, 2, 1), size * _FINE / 2)
    moved = middle + _FINE * rng.uniform(-shift, shift, (n, 2, 1))
    return np.concatenate([inverse, middle - inverse @ moved], axis=2).reshape(n, 6)


def _place(stencils: list[Image.Image], poses: np.ndarray) -> np.ndarray:
    """uint8[n, size, size]: each stencil under its affine map."""
    affine, bilinear = Image.Transform.AFFINE, Image.Resampling.BILINEAR
    placed = (image.transform(image.size, affine, pose, bilinear) for image, pose in zip(stencils, poses, strict=True))
    return np.stack([np.asarray(image.reduce(_FINE)) for image in placed])
