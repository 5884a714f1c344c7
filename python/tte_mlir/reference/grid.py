# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantized element types, read from the IR, and fixed-point factors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mlir import ir
from mlir.dialects import quant

from .registry import InterpreterError


@dataclass(frozen=True)
class Grid:
    """The integer grid of a quantized element type: x = scale * (q - zero_point)."""

    scales: np.ndarray  # f64, of shape () per tensor or (channels,) per axis
    axis: int | None
    zero_point: int
    minimum: int  # of the storage range
    maximum: int
    storage: np.dtype

    @staticmethod
    def of(element: ir.Type) -> Grid | None:
        """The grid of an element type, None for one that is not quantized."""
        if isinstance(element, quant.UniformQuantizedType):
            scales, axis, zero_point = np.float64(element.scale), None, element.zero_point
        elif isinstance(element, quant.UniformQuantizedPerAxisType):
            scales, axis = np.array(element.scales, np.float64), element.quantized_dimension
            if any(element.zero_points):
                raise InterpreterError(f"zero points per axis must be 0, found {element}")
            zero_point = 0
        else:
            return None
        storage = np.dtype(f"i{element.storage_type_integral_width // 8}")
        return Grid(
            np.asarray(scales),
            axis,
            zero_point,
            element.storage_type_min,
            element.storage_type_max,
            storage,
        )

    def nearest(self, real: np.ndarray) -> np.ndarray:
        """clamp(round_half_even(x / f32(scale)) + zero_point), per tensor (`tte.quantize`)."""
        nearest = np.rint(real / np.float32(self.scales)) + self.zero_point
        return np.clip(nearest, self.minimum, self.maximum).astype(self.storage)

    def real_scale(self, rank: int) -> np.ndarray:
        """f32(scale), shaped to multiply a tensor of the grid with that rank."""
        scale = self.scales.astype(np.float32)
        if self.axis is None:
            return scale
        shape = [1] * rank
        shape[self.axis] = -1
        return scale.reshape(shape)


def round_half_away(value: np.ndarray) -> np.ndarray:
    """To the nearest integer, ties away from zero; exact for |value| < 2^52."""
    return np.where(value < 0, np.ceil(value - 0.5), np.floor(value + 0.5)).astype(np.int64)


def rescale(accumulator: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """accumulator * factor in integers: TOSA 1.0 RESCALE with a single rounding.

    `accumulator` holds int32 values as int64, `factor` positive f64 per element of the last axis.
    """
    fraction, exponent = np.frexp(factor)
    multiplier = round_half_away(np.ldexp(fraction, 31))
    shift = 31 - exponent.astype(np.int64)
    carry = multiplier == 1 << 31
    multiplier, shift = np.where(carry, 1 << 30, multiplier), np.where(carry, shift - 1, shift)
    if np.any(shift < 2):
        raise InterpreterError(f"requantization needs factors below 2^29, found {np.max(factor)}")
    excess = np.minimum(shift - 62, 32)
    narrowed = (multiplier + (np.int64(1) << np.maximum(excess - 1, 0))) >> np.maximum(excess, 0)
    multiplier = np.where(excess > 0, narrowed, multiplier)
    shift = np.minimum(shift, 62)
    return (accumulator * multiplier + (np.int64(1) << (shift - 1))) >> shift


def sum_factors(lhs: float, rhs: float) -> tuple[int, int, int]:
    """The multipliers of both operands of a quantized add and their shift (`tte.add`)."""
    largest = max(lhs, rhs)
    shift = next(
        (s for s in range(30, 0, -1) if round_half_away(np.float64(largest) * 2.0**s) <= 1 << 21),
        None,
    )
    if shift is None:
        raise InterpreterError(f"add needs scale ratios of at most 2^20, found {largest}")
    return (
        int(round_half_away(np.float64(lhs) * 2.0**shift)),
        int(round_half_away(np.float64(rhs) * 2.0**shift)),
        shift,
    )
