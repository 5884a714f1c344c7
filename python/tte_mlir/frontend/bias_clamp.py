# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Biases with which no input overflows the accumulator."""

from __future__ import annotations

import numpy as np

from tte_mlir.errors import TTEError
from tte_mlir.frontend.grids import ACTIVATION_RANGE, bias_bound
from tte_mlir.frontend.mcunet_layers import Convolution
from tte_mlir.reference.grid import rescale


def bounded_bias(layer: Convolution, requantized: bool = True) -> np.ndarray:
    """The bias of a layer, clamped so that no input overflows the i32 accumulator.

    Channels that never show the input (dead ones) come with biases up to -2^31. Raises TTEError
    if the clamp changed an output for any input, `requantized` to int8 or not.
    """
    bound = bias_bound(layer.products)
    bias = layer.bias.astype(np.int64)
    clamped = np.clip(bias, -bound, bound)
    harmful = clamped != bias
    if requantized:
        harmful &= ~_always_equal(layer, bias, clamped)
    if harmful.any():
        o = int(np.argmax(harmful))
        raise TTEError(
            f"{layer.name}: bias of channel {o} is {bias[o]}, which may overflow the accumulator; "
            f"expected at most {bound} in magnitude, or a channel whose output is constant"
        )
    return clamped.astype(np.int32)


def _always_equal(layer: Convolution, bias: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Whether each channel has one output, the same with either bias, over all inputs.

    Requantization is monotone, so the least and the greatest sum of products tell.
    """
    least, greatest = _product_sums(layer)
    factors = layer.input.grid.scale * layer.scales / layer.output.grid.scale
    low, high = (bound - layer.output.grid.zero_point for bound in ACTIVATION_RANGE)
    outputs = [
        np.clip(rescale(b + sums, factors), low, high)
        for b in (bias, other)
        for sums in (least, greatest)
    ]
    return np.ptp(outputs, axis=0) == 0


def _product_sums(layer: Convolution) -> tuple[np.ndarray, np.ndarray]:
    """Per channel, the least and the greatest sum of products over all int8 inputs."""
    weight = layer.weight.astype(np.int64).reshape(layer.products, -1)
    extremes = [weight * (q - layer.input.grid.zero_point) for q in ACTIVATION_RANGE]
    return np.minimum(*extremes).sum(axis=0), np.maximum(*extremes).sum(axis=0)
