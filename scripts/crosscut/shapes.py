"""Single operations of networks as MLIR, with what they compute: what kernels are timed and compared by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Operation:
    """`name` of linalg, on an input and constant weights. Images have their channels last."""

    name: str
    input: Shape
    weights: Shape
    output: Shape
    multiply_adds: int

    def text(self, key: str, weights: np.ndarray) -> list[str]:
        """Three lines: the weights, zeros to sum into, and the operation, which reads %x<key> and gives %r<key>."""
        value = f'"0x{weights.astype("<f4").tobytes().hex().upper()}"'
        if weights.size == 1:
            value = f"{float(weights.item()):.6e}"
        x, w, r = map(tensor, (self.input, self.weights, self.output))
        return [
            f"%w{key} = arith.constant dense<{value}> : {w}",
            f"%o{key} = arith.constant dense<0.0> : {r}",
            f"%r{key} = {self.name} ins(%x{key}, %w{key} : {x}, {w}) outs(%o{key} : {r}) -> {r}",
        ]

    def reference(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """In double precision."""
        x, weights = x.astype(np.float64), weights.astype(np.float64)
        if len(self.input) == 2:
            return x @ weights
        _, height, width, _ = self.output
        result = np.zeros(self.output)
        for ky in range(weights.shape[0]):
            for kx in range(weights.shape[1]):
                part = x[:, ky : ky + height, kx : kx + width]
                result += part * weights[ky, kx] if weights.ndim == 3 else part @ weights[ky, kx]
        return result


def tensor(shape: Shape) -> str:
    return f"tensor<{'x'.join(map(str, shape))}xf32>"


def matmul(m: int, n: int, k: int) -> Operation:
    return Operation("linalg.matmul", (m, k), (k, n), (m, n), m * n * k)


def _windows(name: str) -> str:
    return f"linalg.{name} {{strides = dense<1> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}}"


def conv(height: int, width: int, channels: int, columns: int, kernel: int) -> Operation:
    return Operation(
        _windows("conv_2d_nhwc_hwcf"),
        (1, height + kernel - 1, width + kernel - 1, channels),
        (kernel, kernel, channels, columns),
        (1, height, width, columns),
        height * width * channels * columns * kernel * kernel,
    )


def depthwise(height: int, width: int, channels: int) -> Operation:
    return Operation(
        _windows("depthwise_conv_2d_nhwc_hwc"),
        (1, height + 2, width + 2, channels),
        (3, 3, channels),
        (1, height, width, channels),
        height * width * channels * 9,
    )
