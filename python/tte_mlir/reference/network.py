# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Semantics of the ops of a network's forward pass."""

from __future__ import annotations

import numpy as np

from ..dialects import tte
from .affine import affine_result, centred, clamped, whole_weight
from .convolution import convolve
from .grid import sum_factors
from .interpreter import Frame
from .registry import semantics
from .window import Window


@semantics(tte.Conv2DOp)
def conv2d(op: tte.Conv2DOp, frame: Frame) -> np.ndarray:
    groups, channels = op.groups.value, op.result.type.shape[3]
    depthwise = groups == op.input.type.shape[3] == channels
    axis = 3 if depthwise else 2
    weights = whole_weight(frame, op.weights, axis)
    window = Window(weights.shape[:2], list(op.strides), list(op.padding), list(op.dilations))
    sums = convolve(centred(frame, op.input), weights, window, groups)
    return affine_result(op, frame, sums, axis)


@semantics(tte.DenseOp)
def dense(op: tte.DenseOp, frame: Frame) -> np.ndarray:
    sums = centred(frame, op.input) @ whole_weight(frame, op.weights, 0)
    return affine_result(op, frame, sums, 0)


@semantics(tte.AddOp)
def add(op: tte.AddOp, frame: Frame) -> np.ndarray:
    lhs, rhs, result = (frame.grid(value) for value in (op.lhs, op.rhs, op.result))
    if result is None:
        return clamped(frame, frame[op.lhs] + frame[op.rhs], op.clamp, op.result)
    lhs_factor, rhs_factor, shift = sum_factors(
        lhs.scales / result.scales, rhs.scales / result.scales
    )
    q_lhs = frame[op.lhs].astype(np.int64) - lhs.zero_point
    q_rhs = frame[op.rhs].astype(np.int64) - rhs.zero_point
    total = (q_lhs * lhs_factor + q_rhs * rhs_factor + (1 << (shift - 1))) >> shift
    return clamped(frame, total + result.zero_point, op.clamp, op.result)


@semantics(tte.AvgPool2DOp)
def avg_pool2d(op: tte.AvgPool2DOp, frame: Frame) -> np.ndarray:
    window, array = pool_window(op), frame[op.input]
    wide = np.float64 if frame.grid(op.input) is None else np.int64
    total = sum(view for _, _, view in window.taps(window.padded(array.astype(wide))))
    count = tap_count(window, array.shape)
    return total / count if wide is np.float64 else (2 * total + count) // (2 * count)


@semantics(tte.MaxPool2DOp)
def max_pool2d(op: tte.MaxPool2DOp, frame: Frame) -> np.ndarray:
    window, array = pool_window(op), frame[op.input]
    padded = window.padded(array, lowest(array.dtype))
    return np.maximum.reduce([view for _, _, view in window.taps(padded)])


@semantics(tte.ClampOp)
def clamp(op: tte.ClampOp, frame: Frame) -> np.ndarray:
    return clamped(frame, frame[op.input], op.range, op.result)


@semantics(tte.ReshapeOp)
def reshape(op: tte.ReshapeOp, frame: Frame) -> np.ndarray:
    return frame[op.input].reshape(op.result.type.shape)


@semantics(tte.SliceOp)
def slice_(op: tte.SliceOp, frame: Frame) -> np.ndarray:
    return frame[op.input][box(op.offsets, op.result.type.shape)]


@semantics(tte.PermuteOp)
def permute(op: tte.PermuteOp, frame: Frame) -> np.ndarray:
    return frame[op.input].transpose(list(op.permutation))


@semantics(tte.QuantizeOp)
def quantize(op: tte.QuantizeOp, frame: Frame) -> np.ndarray:
    return frame.grid(op.result).nearest(frame[op.input])


@semantics(tte.DequantizeOp)
def dequantize(op: tte.DequantizeOp, frame: Frame) -> np.ndarray:
    scale = np.float32(frame.grid(op.input).scales)
    return scale * centred(frame, op.input).astype(frame.real)


def pool_window(op: tte.AvgPool2DOp | tte.MaxPool2DOp) -> Window:
    """The window of a pool or of its gradient."""
    return Window(list(op.kernel), list(op.strides), list(op.padding))


def tap_count(window: Window, shape: tuple[int, ...]) -> np.ndarray:
    """How many taps of each window lie inside an input of that shape, (1, oh, ow, 1)."""
    inside = window.padded(np.ones((1, *shape[1:3], 1), np.int64))
    return sum(view for _, _, view in window.taps(inside))


def lowest(dtype: np.dtype) -> float:
    """What never is a maximum: the least number of a type."""
    return np.iinfo(dtype).min if np.issubdtype(dtype, np.integer) else -np.inf


def box(offsets: list[int], shape: list[int]) -> tuple[slice, ...]:
    """The index of the box of a shape at offsets."""
    return tuple(slice(start, start + size) for start, size in zip(offsets, shape, strict=True))
