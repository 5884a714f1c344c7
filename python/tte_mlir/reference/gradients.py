# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Semantics of the gradient ops."""

from __future__ import annotations

import numpy as np
from mlir import ir

from ..dialects import tte
from .affine import centred, input_scale, real_weight
from .convolution import input_gradient, weight_gradient
from .interpreter import Frame
from .network import box, lowest, pool_window, tap_count
from .registry import semantics
from .window import Window


@semantics(tte.Conv2DInputGradOp)
def conv2d_input_grad(op: tte.Conv2DInputGradOp, frame: Frame) -> np.ndarray:
    shape, groups = tuple(op.result.type.shape), op.groups.value
    depthwise = groups == shape[3] == op.gradient.type.shape[3]
    weights = real_weight(frame, op.weights, 3 if depthwise else 2)
    window = Window(weights.shape[:2], list(op.strides), list(op.padding), list(op.dilations))
    return input_gradient(_wide(frame, op.gradient), weights, window, groups, shape)


@semantics(tte.Conv2DWeightGradOp)
def conv2d_weight_grad(op: tte.Conv2DWeightGradOp, frame: Frame) -> np.ndarray:
    x, dy = centred(frame, op.input), _wide(frame, op.gradient)
    shape, groups, offset = op.result.type.shape, op.groups.value, op.offset.value
    if groups == x.shape[3] == dy.shape[3]:  # depthwise
        channels = slice(offset, offset + shape[3])
        x, dy, groups = x[..., channels], dy[..., channels], shape[3]
    elif groups == 1:
        x = x[..., offset : offset + shape[2]]
    window = Window(shape[:2], list(op.strides), list(op.padding), list(op.dilations))
    return input_scale(frame, op.input) * weight_gradient(x, dy, window, groups)


@semantics(tte.DenseInputGradOp)
def dense_input_grad(op: tte.DenseInputGradOp, frame: Frame) -> np.ndarray:
    return _wide(frame, op.gradient) @ real_weight(frame, op.weights, 0).T


@semantics(tte.DenseWeightGradOp)
def dense_weight_grad(op: tte.DenseWeightGradOp, frame: Frame) -> np.ndarray:
    offset, size = op.offset.value, op.result.type.shape[0]
    x = centred(frame, op.input)[:, offset : offset + size]
    return input_scale(frame, op.input) * (x.T @ _wide(frame, op.gradient))


@semantics(tte.BiasGradOp)
def bias_grad(op: tte.BiasGradOp, frame: Frame) -> np.ndarray:
    gradient = _wide(frame, op.gradient)
    return gradient.reshape(-1, gradient.shape[-1]).sum(axis=0)


@semantics(tte.AvgPool2DGradOp)
def avg_pool2d_grad(op: tte.AvgPool2DGradOp, frame: Frame) -> np.ndarray:
    window, shape = pool_window(op), op.result.type.shape
    share = _wide(frame, op.gradient) / tap_count(window, tuple(shape))
    padded = window.padded(np.zeros(shape))
    for _, _, view in window.taps(padded):
        view += share
    return window.interior(padded)


@semantics(tte.MaxPool2DGradOp)
def max_pool2d_grad(op: tte.MaxPool2DGradOp, frame: Frame) -> np.ndarray:
    window, x, gradient = pool_window(op), frame[op.input], _wide(frame, op.gradient)
    views = [view for _, _, view in window.taps(window.padded(x, lowest(x.dtype)))]
    inside = [view for _, _, view in window.taps(window.padded(np.ones(x.shape, bool), False))]
    maximum = np.maximum.reduce(views)
    padded = window.padded(np.zeros(x.shape))
    pending = np.ones(gradient.shape, bool)
    for view, valid, (_, _, target) in zip(views, inside, window.taps(padded), strict=True):
        first = pending & valid & (view == maximum)
        target += np.where(first, gradient, 0)
        pending &= ~first
    return window.interior(padded)


@semantics(tte.ClampGradOp)
def clamp_grad(op: tte.ClampGradOp, frame: Frame) -> np.ndarray:
    return np.where(_strictly_inside(op, frame), frame[op.gradient], 0)


@semantics(tte.ClampMaskOp)
def clamp_mask(op: tte.ClampMaskOp, frame: Frame) -> np.ndarray:
    inside = _strictly_inside(op, frame)
    return np.packbits(inside.reshape(-1), bitorder="little").view(np.int8)


@semantics(tte.ApplyMaskOp)
def apply_mask(op: tte.ApplyMaskOp, frame: Frame) -> np.ndarray:
    gradient, packed = frame[op.gradient], frame[op.mask].view(np.uint8)
    bits = np.unpackbits(packed, count=gradient.size, bitorder="little")
    return np.where(bits.reshape(gradient.shape) == 1, gradient, 0)


@semantics(tte.SliceGradOp)
def slice_grad(op: tte.SliceGradOp, frame: Frame) -> np.ndarray:
    gradient = frame[op.gradient]
    result = np.zeros(op.result.type.shape, gradient.dtype)
    result[box(op.offsets, gradient.shape)] = gradient
    return result


def _wide(frame: Frame, value: ir.Value) -> np.ndarray:
    return frame[value].astype(np.float64)


def _strictly_inside(op: tte.ClampGradOp | tte.ClampMaskOp, frame: Frame) -> np.ndarray:
    low, high = tte.interval(op.range)
    if frame.grid(op.output) is None:
        low, high = np.float32(low), np.float32(high)
    output = frame[op.output]
    return (low < output) & (output < high)
