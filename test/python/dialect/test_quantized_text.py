# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Text keeps every bit of quantized types and of clamp ranges."""

from hypothesis import given
from hypothesis import strategies as st
from mlir import ir
from mlir.dialects import quant

from tte_mlir.dialects import tte

scales = st.floats(1e-12, 1e6, allow_subnormal=False)


@given(st.lists(scales, min_size=1, max_size=4), st.integers(-128, 127))
def test_scales_survive_printing(channel_scales, zero_point):
    with ir.Context():
        i8, f32 = ir.IntegerType.get_signless(8), ir.F32Type.get()
        signed = quant.QuantizedType.FLAG_SIGNED
        per_tensor = quant.UniformQuantizedType.get(
            signed, i8, f32, channel_scales[0], zero_point, -128, 127
        )
        zeros = [0] * len(channel_scales)
        per_axis = quant.UniformQuantizedPerAxisType.get(
            signed, i8, f32, channel_scales, zeros, 0, -127, 127
        )
        for kind in (per_tensor, per_axis):
            assert ir.Type.parse(str(kind)) == kind


bounds = st.floats(allow_nan=False, allow_infinity=True, allow_subnormal=False)


@given(bounds, bounds)
def test_bounds_survive_printing(a, b):
    low, high = min(a, b), max(a, b)
    with ir.Context() as context:
        clamp = tte.clamp_attr(context, low, high)
        parsed = ir.Attribute.parse(str(clamp))
        assert parsed == clamp
        assert tte.interval(parsed) == (low, high)
