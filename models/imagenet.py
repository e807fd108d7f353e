"""A photograph as networks for ImageNet take it, and what their 1,000 scores say."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from crosscut import wheels

SIDE = 224
# of the pictures that such networks are trained on: red, green, blue
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def photograph() -> list[np.ndarray]:
    """1x3x224x224: the shorter side brought to 256 pixels, the middle cut out, normalised.

    The picture is china.jpg of scikit-learn, by danielbuechele, CC BY 2.0.
    """
    picture = Image.open(io.BytesIO(wheels.read("scikit-learn", "sklearn/datasets/images/china.jpg"))).convert("RGB")
    scale = 256 / min(picture.size)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BILINEAR)
    left, top = (picture.width - SIDE) // 2, (picture.height - SIDE) // 2
    pixels = np.asarray(picture.crop((left, top, left + SIDE, top + SIDE)), dtype=np.float32)
    normalised = (pixels / np.float32(255) - MEAN) / DEVIATION
    return [np.ascontiguousarray(normalised.transpose(2, 0, 1)[None])]


def lead(scores: np.ndarray) -> float:
    """How far the best score is before the second, in standard deviations of all scores."""
    second, first = np.sort(scores.reshape(-1))[-2:]
    return float((first - second) / scores.std())


def answer(outputs: list[np.ndarray], sample: str) -> str:
    """The two best classes, and in a word how far they are apart."""
    scores = outputs[0].reshape(-1)
    second, first = np.argsort(scores)[-2:]
    how = "clearly" if lead(scores) >= 0.25 else "narrowly" if lead(scores) >= 0.02 else "hardly"
    return f"class {first}, {how} before {second}"
