# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantized element types of networks that come in quantized: x = scale * (q - zero_point)."""

from __future__ import annotations

from collections.abc import Sequence

import mlir.ir as ir
import numpy as np
from mlir.dialects import quant

ACTIVATION_RANGE = (-128, 127)
WEIGHT_RANGE = (-127, 127)
_SIGNED = 1


def printable_scale(scale: float) -> float:
    """The nearest scale that the textual form of a type keeps: seven digits."""
    return float(f"{scale:.6e}")


def bias_bound(products: int) -> int:
    """The largest magnitude of a bias with which `products` int8 products cannot overflow i32,
    whatever the weights: 2^31 - 1 - 255 * 127 * products."""
    return 2**31 - 1 - 255 * WEIGHT_RANGE[1] * products


def activation_type(scale: float, zero_point: int) -> ir.Type:
    """i8 with one scale a tensor."""
    storage, real = ir.IntegerType.get_signless(8), ir.F32Type.get()
    return quant.UniformQuantizedType.get(
        _SIGNED, storage, real, scale, zero_point, *ACTIVATION_RANGE
    )


def weight_type(scales: Sequence[float], axis: int) -> ir.Type:
    """i8<-127:127> with a scale for each channel along `axis`."""
    return _per_axis_type(8, scales, axis, WEIGHT_RANGE[1])


def bias_type(scales: Sequence[float], products: int) -> ir.Type:
    """i32 within the bound of a sum of `products`, with a scale for each element."""
    return _per_axis_type(32, scales, 0, bias_bound(products))


def _per_axis_type(width: int, scales: Sequence[float], axis: int, bound: int) -> ir.Type:
    storage, real = ir.IntegerType.get_signless(width), ir.F32Type.get()
    scales = np.asarray(scales, np.float64).tolist()
    return quant.UniformQuantizedPerAxisType.get(
        _SIGNED, storage, real, scales, [0] * len(scales), axis, -bound, bound
    )
