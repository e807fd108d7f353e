"""The handwritten digits, and what the network says about one."""

from __future__ import annotations

import gzip

import numpy as np

from crosscut import wheels


def pictures_and_labels() -> tuple[np.ndarray, np.ndarray]:
    """1,797 pictures of 1x8x8, 0 to 1, and what they show, in the data set's order."""
    packed = wheels.read("scikit-learn", "sklearn/datasets/data/digits.csv.gz")
    rows = np.array([line.split(",") for line in gzip.decompress(packed).decode().split()]).astype(float).astype(int)
    return (rows[:, :64].reshape(-1, 1, 8, 8) / np.float32(16)).astype(np.float32), rows[:, 64]


def picture(index: int) -> list[np.ndarray]:
    """1x1x8x8: one digit, by its position in the data set."""
    return [pictures_and_labels()[0][index : index + 1]]


def answer(outputs: list[np.ndarray], sample: str) -> str:
    """The digit; the two that are likely, where the first is not certain."""
    probabilities = outputs[0].reshape(-1)
    second, first = np.argsort(probabilities)[-2:]
    return f"{first}" if probabilities[first] >= 0.7 else f"{first} or {second}"
