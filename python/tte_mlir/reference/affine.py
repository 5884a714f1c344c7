# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What convolutions, dense layers and their gradients share: parts of weights, real and grid
operands, and the way from an accumulator to a result."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mlir import ir

from ..dialects import tte
from .grid import rescale
from .interpreter import Frame
from .registry import InterpreterError

# Integer sums run as f64 products: exact, since every partial sum stays below 2^53.


def centred(frame: Frame, value: ir.Value) -> np.ndarray:
    """The real values of f32, q - zero_point of a quantized tensor, in f64."""
    grid = frame.grid(value)
    array = frame[value].astype(np.float64)
    return array if grid is None or grid.zero_point == 0 else array - grid.zero_point


def whole_weight(frame: Frame, parts: Sequence[ir.Value], axis: int) -> np.ndarray:
    """The stored values of all parts of a weight in f64, concatenated along `axis`."""
    return np.concatenate(frame.arrays(parts), axis).astype(np.float64)


def real_weight(frame: Frame, parts: Sequence[ir.Value], axis: int) -> np.ndarray:
    """The real values of all parts of a weight, f32(s_w[o]) * f32(weights), in f64."""
    arrays = []
    for part in parts:
        grid, array = frame.grid(part), frame[part]
        if grid is not None:
            array = (array * grid.real_scale(array.ndim)).astype(np.float32)
        arrays.append(array)
    return np.concatenate(arrays, axis).astype(np.float64)


def input_scale(frame: Frame, value: ir.Value) -> np.floating:
    """f32(s_x), 1 for f32."""
    grid = frame.grid(value)
    return np.float32(1.0 if grid is None else grid.scales)


def clamp_bounds(frame: Frame, clamp: ir.Attribute | None, value: ir.Value) -> tuple:
    """The bounds of a clamp in the stored domain of `value`, by default its storage range or, for
    f32, no bounds."""
    grid = frame.grid(value)
    if grid is None:
        low, high = (-np.inf, np.inf) if clamp is None else tte.interval(clamp)
        return np.float32(low), np.float32(high)
    if clamp is None:
        return grid.minimum, grid.maximum
    low, high = tte.interval(clamp)
    return max(low, grid.minimum), min(high, grid.maximum)


def clamped(
    frame: Frame, array: np.ndarray, clamp: ir.Attribute | None, value: ir.Value
) -> np.ndarray:
    """`array` clamped to what `clamp` and the type of `value` allow."""
    low, high = clamp_bounds(frame, clamp, value)
    return np.clip(array, low, high).astype(array.dtype, copy=False)


def affine_result(
    op: tte.Conv2DOp | tte.DenseOp, frame: Frame, sums: np.ndarray, channel_axis: int
) -> np.ndarray:
    """The result of a convolution or dense layer from the sums of its products.

    `channel_axis` is the axis along which parts of the weight concatenate.
    """
    input_grid, result_grid = frame.grid(op.input), frame.grid(op.result)
    accumulator = sums if op.bias is None else sums + frame[op.bias]
    if input_grid is None:
        return clamped(frame, accumulator, op.clamp, op.result)
    accumulator = accumulator.astype(np.int64)
    if accumulator.size and np.abs(accumulator).max() >= 1 << 31:
        raise InterpreterError(f"the i32 accumulator of {op.operation.location} overflows")
    factors = input_grid.scales * _output_scales(op, frame, channel_axis)
    if result_grid is None:
        real = accumulator.astype(frame.real) * factors.astype(np.float32)
        return clamped(frame, real, op.clamp, op.result)
    scaled = rescale(accumulator, factors / result_grid.scales) + result_grid.zero_point
    return clamped(frame, scaled, op.clamp, op.result)


def _output_scales(op: tte.Conv2DOp | tte.DenseOp, frame: Frame, channel_axis: int) -> np.ndarray:
    """The weight's scale of each output channel, in f64."""
    scales = []
    for part in op.weights:
        channels = part.type.shape[-1]
        scales.append(np.broadcast_to(frame.grid(part).scales, channels))
    splits_channels = channel_axis == part.type.rank - 1
    return np.concatenate(scales) if splits_channels else scales[0]
