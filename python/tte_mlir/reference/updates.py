# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Semantics of parameter updates."""

from __future__ import annotations

import numpy as np
from mlir import ir

from ..dialects import tte
from .grid import Grid
from .interpreter import Frame
from .registry import NonFiniteError, semantics

_WORD = (1 << 32) - 1
_STEP_LIMIT = np.float32(1 << 30)


@semantics(tte.ScaleGradientOp)
def scale_gradient(op: tte.ScaleGradientOp, frame: Frame) -> np.ndarray:
    grid, gradient = frame.grid(op.grid.value), frame[op.gradient]
    factor = np.power(grid.scales, float(op.power.value)).astype(np.float32)
    if grid.axis is not None:
        shape = [1] * gradient.ndim
        shape[grid.axis] = -1
        factor = factor.reshape(shape)
    return gradient * factor


@semantics(tte.SGDOp)
def sgd(op: tte.SGDOp, frame: Frame) -> np.ndarray:
    grid, parameter = frame.grid(op.parameter), frame[op.parameter]
    if not _is_last(op, frame):
        return parameter
    change = _change(op, frame)
    if grid is None:
        return parameter + change
    rounding = tte.enum_keyword(op.rounding)
    if rounding == "residual":
        bits = op.bits.value
        return (_fine_update(op, frame, bits) + (1 << bits - 1)) >> bits
    change = np.clip(change.astype(np.float32), -_STEP_LIMIT, _STEP_LIMIT)
    if rounding == "stochastic" and grid.storage == np.int8:
        change = np.floor(change + _uniform(op, parameter.shape, int(frame[op.step])))
    else:
        change = np.rint(change)
    return _moved(parameter, change, grid)


@semantics(tte.SGDResidualOp)
def sgd_residual(op: tte.SGDResidualOp, frame: Frame) -> np.ndarray:
    if not _is_last(op, frame):
        return frame[op.residual]
    bits = op.bits.value
    fine = _fine_update(op, frame, bits)
    high = (fine + (1 << bits - 1)) >> bits
    return fine - (high << bits)


@semantics(tte.MomentumOp)
def momentum(op: tte.MomentumOp, frame: Frame) -> np.ndarray:
    velocity = frame[op.velocity]
    if not _is_last(op, frame):
        return velocity
    return frame.real.type(np.float32(op.factor.value)) * velocity + frame[op.gradient]


@semantics(tte.AccumulateOp)
def accumulate(op: tte.AccumulateOp, frame: Frame) -> np.ndarray:
    batch = op.batch.value
    share = frame[op.gradient] * frame.real.type(np.float32(1) / np.float32(batch))
    return share if (int(frame[op.step]) & _WORD) % batch == 0 else frame[op.sum] + share


@semantics(tte.CheckFiniteOp)
def check_finite(op: tte.CheckFiniteOp, frame: Frame) -> list[np.ndarray]:
    arrays = frame.arrays(op.values)
    for value, array in zip(op.values, arrays, strict=True):
        require_finite(array, value)
    return arrays


def require_finite(array: np.ndarray, value: ir.Value) -> None:
    """Raise `NonFiniteError` unless every element is a finite number."""
    if not np.all(np.isfinite(array)):
        raise NonFiniteError(f"a value of type {value.type} is not finite")


def _is_last(op: tte.SGDOp | tte.SGDResidualOp | tte.MomentumOp, frame: Frame) -> bool:
    """Whether the step is the last of its period, in which alone states change."""
    return (int(frame[op.step]) + 1 & _WORD) % op.period.value == 0


def _change(op: tte.SGDOp | tte.SGDResidualOp, frame: Frame) -> np.ndarray:
    """v of `tte.sgd`."""
    rate = frame[op.learning_rate] * frame.real.type(np.float32(op.multiplier.value))
    return -rate * frame[op.gradient]


def _fine_update(op: tte.SGDOp | tte.SGDResidualOp, frame: Frame, bits: int) -> np.ndarray:
    """f' of `tte.sgd`: the parameter on its finer grid after the step."""
    change = np.clip(_change(op, frame).astype(np.float32), -_STEP_LIMIT, _STEP_LIMIT)
    steps = np.rint(change * np.float32(1 << bits)).astype(np.int64)
    fine = (frame[op.parameter].astype(np.int64) << bits) + frame[op.residual] + steps
    grid = frame.grid(op.parameter)
    assert grid is not None  # the verifier of the op asks for one
    return np.clip(fine, grid.minimum << bits, grid.maximum << bits)


def _moved(parameter: np.ndarray, change: np.ndarray, grid: Grid) -> np.ndarray:
    moved = parameter.astype(np.int64) + change.astype(np.int64)
    return np.clip(moved, grid.minimum, grid.maximum)


def _uniform(op: tte.SGDOp, shape: tuple[int, ...], step: int) -> np.ndarray:
    """The numbers u in [0, 1) of one update, f32."""
    key = _mix(np.array([(step * 0x85EBCA6B + op.stream.value) & _WORD], np.uint32))
    counter = _index_in_full_parameter(op, shape) * np.uint32(0x9E3779B9) + key
    return (_mix(counter) >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)


def _index_in_full_parameter(op: tte.SGDOp, shape: tuple[int, ...]) -> np.ndarray:
    """The row-major index of each element in the full parameter, uint32. `tte.places` lists the
    places of channels that came from elsewhere than the offsets say."""
    full, offsets = (shape, [0] * len(shape)) if op.origin is None else tte.origin(op.origin)
    places = [range(offset, offset + size) for size, offset in zip(shape, offsets, strict=True)]
    if "tte.places" in op.operation.attributes:
        lists = ir.ArrayAttr(op.operation.attributes["tte.places"])
        places = [list(given) or place for given, place in zip(lists, places, strict=True)]
    index = np.zeros((), np.uint32)
    for whole, place in zip(full, places, strict=True):
        index = index[..., None] * np.uint32(whole) + np.array(place, np.uint32)
    return index


def _mix(x: np.ndarray) -> np.ndarray:
    """lowbias32, a bijection of 32-bit words (Wellons, "Prospecting for hash functions")."""
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x7FEB352D)
    x = x ^ (x >> np.uint32(15))
    x = x * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))
