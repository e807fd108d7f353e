"""Trains the network for handwritten digits with numpy alone and writes weights.npz, which is in the repository:

    PYTHONPATH=scripts build/venv/bin/python models/digits/train.py

The last fifth of the digits is held out and never trained on. Sums in numpy depend on the machine in their last bits,
and training makes them grow: every run learns a slightly different network. So the build uses the weights that are
here, and does not train.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

# The products are small: on a machine with other work, threads spend minutes waiting for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np  # noqa: E402
from numpy.lib.stride_tricks import sliding_window_view  # noqa: E402

# input and output channels of the convolutions, all 3x3; pictures are halved after the second and the third
CONVOLUTIONS = [(1, 12), (12, 24), (24, 24)]
HALVED = [False, True, True]
CLASSES, SIDE = 10, 8
HELD_OUT = 0.2
EPOCHS, BATCH, SEED = 80, 32, 2026
RATE, DECAY, SMOOTHING = 2e-3, 5e-4, 0.05

Weights = dict[str, np.ndarray]


def split(pictures: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pictures and labels to train on, then those held out, the last fifth."""
    count = round(len(labels) * (1 - HELD_OUT))
    return pictures[:count], labels[:count], pictures[count:], labels[count:]


def initial(random: np.random.Generator) -> Weights:
    weights: Weights = {}
    for index, (inputs, outputs) in enumerate(CONVOLUTIONS):
        weights[f"conv{index}.weight"] = random.normal(0, np.sqrt(2 / (9 * inputs)), (outputs, inputs, 3, 3))
        weights[f"conv{index}.bias"] = np.zeros(outputs)
    features = CONVOLUTIONS[-1][1] * (SIDE >> sum(HALVED)) ** 2
    weights["dense.weight"] = random.normal(0, np.sqrt(1 / features), (CLASSES, features))
    weights["dense.bias"] = np.zeros(CLASSES)
    return {name: value.astype(np.float32) for name, value in weights.items()}


def _windows(x: np.ndarray) -> np.ndarray:
    """(points of all pictures) x (channels x 9): what each point of a padded 3x3 convolution reads."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = sliding_window_view(padded, (3, 3), axis=(2, 3)).transpose(0, 2, 3, 1, 4, 5)
    return windows.reshape(-1, x.shape[1] * 9)


def forward(weights: Weights, x: np.ndarray) -> tuple[np.ndarray, list[tuple[np.ndarray, ...]]]:
    """The logits, and of each layer what `backward` needs."""
    kept = []
    for index, halved in enumerate(HALVED):
        windows = _windows(x)
        kernel = weights[f"conv{index}.weight"]
        y = np.maximum(windows @ kernel.reshape(len(kernel), -1).T + weights[f"conv{index}.bias"], 0)
        x = y = y.reshape(len(x), *x.shape[2:], len(kernel)).transpose(0, 3, 1, 2)
        if halved:
            n, c, h, w = y.shape
            x = y.reshape(n, c, h // 2, 2, w // 2, 2).max(axis=(3, 5))
        kept.append((windows, y, x))
    features = x.reshape(len(x), -1)
    return features @ weights["dense.weight"].T + weights["dense.bias"], kept


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def backward(weights: Weights, kept: list[tuple[np.ndarray, ...]], slope: np.ndarray) -> Weights:
    """The gradient of the weights, from that of the logits."""
    last = kept[-1][2]
    slopes = {"dense.weight": slope.T @ last.reshape(len(last), -1), "dense.bias": slope.sum(axis=0)}
    slope = (slope @ weights["dense.weight"]).reshape(last.shape)
    for index in reversed(range(len(CONVOLUTIONS))):
        windows, y, x = kept[index]
        if HALVED[index]:
            # Where several of the four are largest, all get the slope, which training does not mind.
            slope, largest = (a.repeat(2, axis=2).repeat(2, axis=3) for a in (slope, x))
            slope = slope * (y == largest)
        slope = (slope * (y > 0)).transpose(0, 2, 3, 1)
        kernel = weights[f"conv{index}.weight"]
        flat = slope.reshape(-1, len(kernel))
        slopes[f"conv{index}.weight"] = (flat.T @ windows).reshape(kernel.shape)
        slopes[f"conv{index}.bias"] = flat.sum(axis=0)
        if index:
            n, h, w, _ = slope.shape
            parts = (flat @ kernel.reshape(len(kernel), -1)).reshape(n, h, w, -1, 3, 3)
            padded = np.zeros((n, parts.shape[3], h + 2, w + 2), parts.dtype)
            for i in range(3):
                for j in range(3):
                    padded[:, :, i : i + h, j : j + w] += parts[..., i, j].transpose(0, 3, 1, 2)
            slope = padded[:, :, 1:-1, 1:-1]
    return slopes


def _moved(pictures: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Each picture up to one pixel up, down, left and right."""
    padded = np.pad(pictures, ((0, 0), (0, 0), (1, 1), (1, 1)))
    moved = np.empty_like(pictures)
    for picture, (down, right), to in zip(padded, random.integers(0, 3, (len(pictures), 2)), moved, strict=True):
        to[:] = picture[:, down : down + SIDE, right : right + SIDE]
    return moved


def train(pictures: np.ndarray, labels: np.ndarray, epochs: int = EPOCHS, verbose: bool = False) -> Weights:
    """Adam with weight decay, a rate that falls like a cosine to nothing, moved pictures."""
    random = np.random.default_rng(SEED)
    weights = initial(random)
    means = {name: np.zeros_like(value) for name, value in weights.items()}
    squares = {name: np.zeros_like(value) for name, value in weights.items()}
    wanted = np.eye(CLASSES, dtype=np.float32)[labels] * (1 - SMOOTHING) + np.float32(SMOOTHING / CLASSES)
    step, steps, begin = 0, epochs * -(-len(labels) // BATCH), time.monotonic()
    for epoch in range(epochs):
        order, loss = random.permutation(len(labels)), 0.0
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            logits, kept = forward(weights, _moved(pictures[batch], random))
            probabilities = softmax(logits)
            loss -= float((wanted[batch] * np.log(probabilities)).sum())
            slopes = backward(weights, kept, (probabilities - wanted[batch]) / np.float32(len(batch)))
            rate = RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
            step += 1
            for name, value in weights.items():
                means[name] += 0.1 * (slopes[name] - means[name])
                squares[name] += 0.001 * (slopes[name] ** 2 - squares[name])
                mean, square = means[name] / (1 - 0.9**step), squares[name] / (1 - 0.999**step)
                value -= (rate * (mean / (np.sqrt(square) + 1e-8) + DECAY * value)).astype(np.float32)
        if verbose and epoch % 10 == 9:
            seconds = time.monotonic() - begin
            left = seconds / (epoch + 1) * (epochs - epoch - 1)
            print(f"epoch {epoch + 1} of {epochs}, loss {loss / len(labels):.4f}, {left:.0f} s left", flush=True)
    return weights


def accuracy(weights: Weights, pictures: np.ndarray, labels: np.ndarray) -> float:
    return float((forward(weights, pictures)[0].argmax(axis=1) == labels).mean())


def main() -> int:
    from digits import pictures_and_labels  # beside this script

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("weights.npz"))
    options = parser.parse_args()
    pictures, labels, held_pictures, held_labels = split(*pictures_and_labels())
    weights = train(pictures, labels, options.epochs, verbose=True)
    temporary = options.output.with_name(f".{options.output.name}")
    with temporary.open("wb") as stream:
        np.savez(stream, **weights)
    temporary.replace(options.output)
    print(f"right: {accuracy(weights, pictures, labels):.2%} of the {len(labels)} trained on, ", end="")
    print(f"{accuracy(weights, held_pictures, held_labels):.2%} of the {len(held_labels)} held out")
    return 0


if __name__ == "__main__":
    sys.exit(main())
