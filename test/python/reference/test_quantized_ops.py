# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The interpreter on quantized ops against integer loops and exact fractions."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from modules import evaluate, tensor

from tte_mlir.reference.grid import rescale


def round_half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def exact_rescale(accumulator: int, factor: float) -> int:
    """TOSA's RESCALE in unbounded integers."""
    shift = 0
    while round_half_up(Fraction(factor) * 2**shift) < 1 << 30:
        shift += 1
    multiplier = round_half_up(Fraction(factor) * 2**shift)
    if shift > 62:
        multiplier = round_half_up(Fraction(multiplier, 1 << (shift - 62)))
        shift = 62
    return (accumulator * multiplier + (1 << (shift - 1))) >> shift


@given(
    st.lists(st.integers(-(2**31) + 1, 2**31 - 1), min_size=1, max_size=8),
    st.floats(1e-12, 2**28, allow_subnormal=False),
)
def test_rescale_is_exact(accumulators, factor):
    found = rescale(np.array(accumulators, np.int64), np.float64(factor))
    assert found.tolist() == [exact_rescale(value, factor) for value in accumulators]


@pytest.mark.parametrize("factor", [1.0, 0.5, 2.0**-40, 1 - 2.0**-33, 2.0**-32 * (1 - 2.0**-32)])
def test_rescale_at_powers_of_two(factor):
    values = np.array([-(2**31) + 1, -3, -1, 0, 1, 2, 3, 2**31 - 1])
    found = rescale(values, np.float64(factor))
    assert found.tolist() == [exact_rescale(int(value), factor) for value in values]


S_X, Z_X, S_Y, Z_Y = 0.025, -7, 0.05, 11
S_W = [0.01, 0.003, 0.02, 0.0005]
INPUT, RESULT = f"!quant.uniform<i8:f32, {S_X}:{Z_X}>", f"!quant.uniform<i8:f32, {S_Y}:{Z_Y}>"


def weight_type(axis: int, scales: list[float]) -> str:
    return f"!quant.uniform<i8<-127:127>:f32:{axis}, {{{', '.join(map(str, scales))}}}>"


def bias_type(scales: list[float]) -> str:
    return f"!quant.uniform<i32:f32:0, {{{', '.join(f'{S_X * s:.6e}' for s in scales)}}}>"


def stored(random: np.random.Generator, shape, low=-128) -> np.ndarray:
    return random.integers(low, 128, shape).astype(np.int8)


def looped_accumulators(x, w, b, strides, padding, groups) -> np.ndarray:
    """acc of the description of tte.conv2d, as Python integers."""
    (n, h, wide, _), (kh, kw, cig, co) = x.shape, w.shape
    oh = (h + padding[0] + padding[1] - kh) // strides[0] + 1
    ow = (wide + padding[2] + padding[3] - kw) // strides[1] + 1
    acc = np.zeros((n, oh, ow, co), object)
    for m, y, c, o in np.ndindex(acc.shape):
        acc[m, y, c, o] = int(b[o])
        for i, j, k in np.ndindex(kh, kw, cig):
            row, column = y * strides[0] + i - padding[0], c * strides[1] + j - padding[2]
            if 0 <= row < h and 0 <= column < wide:
                channel = o // (co // groups) * cig + k
                acc[m, y, c, o] += (int(x[m, row, column, channel]) - Z_X) * int(w[i, j, k, o])
    return acc


def rescaled(acc: np.ndarray, low: int = -128, high: int = 127) -> np.ndarray:
    result = np.zeros(acc.shape, np.int8)
    for index in np.ndindex(acc.shape):
        q = exact_rescale(acc[index], S_X * S_W[index[-1]] / S_Y) + Z_Y
        result[index] = min(max(q, low), high)
    return result


@pytest.mark.parametrize(
    ("inputs", "kernel", "strides", "padding", "groups", "clamp"),
    [
        (3, (1, 1), (1, 1), (0, 0, 0, 0), 1, None),
        (2, (3, 3), (2, 2), (1, 1, 1, 1), 1, (11, 127)),
        (4, (3, 3), (1, 1), (1, 1, 1, 1), 4, (-20, 40)),
        (4, (3, 2), (2, 1), (0, 1, 1, 0), 2, None),
    ],
)
def test_convolution(inputs, kernel, strides, padding, groups, clamp):
    random = np.random.default_rng(10)
    x, w = stored(random, (1, 5, 4, inputs)), stored(random, (*kernel, inputs // groups, 4), -127)
    b = random.integers(-20000, 20000, 4).astype(np.int32)
    acc = looped_accumulators(x, w, b, strides, padding, groups)
    types = [
        tensor(x.shape, INPUT),
        tensor(w.shape, weight_type(3, S_W)),
        tensor(b.shape, bias_type(S_W)),
    ]
    text = (
        f"tte.conv2d %0 weights(%1) bias(%2) strides {list(strides)} padding {list(padding)} "
        f"groups {groups}"
    )
    clamped = text + (f" clamp <{clamp[0]}.0, {clamp[1]}.0>" if clamp else "")
    found = evaluate(clamped, [x, w, b], tensor(acc.shape, RESULT), types=types)
    np.testing.assert_array_equal(found, rescaled(acc, *(clamp or ())))

    real = evaluate(text, [x, w, b], tensor(acc.shape), types=types, real=np.float32)
    factors = np.float32([S_X * scale for scale in S_W])
    np.testing.assert_array_equal(real, acc.astype(np.float32) * factors)


def test_parts_of_a_depthwise_weight_have_their_own_scales():
    random = np.random.default_rng(11)
    x, w = stored(random, (1, 4, 4, 4)), stored(random, (3, 3, 1, 4), -127)
    b = random.integers(-2000, 2000, 4).astype(np.int32)
    acc = looped_accumulators(x, w, b, (1, 1), (0, 0, 0, 0), 4)
    types = [
        tensor(x.shape, INPUT),
        tensor((3, 3, 1, 3), weight_type(3, S_W[:3])),
        tensor((3, 3, 1, 1), weight_type(3, S_W[3:])),
        tensor((4,), bias_type(S_W)),
    ]
    text = "tte.conv2d %0 weights(%1, %2) bias(%3) groups 4"
    operands = [x, w[..., :3], w[..., 3:], b]
    found = evaluate(text, operands, tensor(acc.shape, RESULT), types=types)
    np.testing.assert_array_equal(found, rescaled(acc))


def test_dense():
    random = np.random.default_rng(12)
    x, w = stored(random, (2, 9)), stored(random, (9, 4), -127)
    b = random.integers(-2000, 2000, 4).astype(np.int32)
    acc = looped_accumulators(x[:, None, None], w[None, None], b, (1, 1), (0, 0, 0, 0), 1)[:, 0, 0]
    types = [
        tensor((2, 9), INPUT),
        tensor((4, 4), weight_type(1, S_W)),
        tensor((5, 4), weight_type(1, S_W)),
        tensor((4,), bias_type(S_W)),
    ]
    found = evaluate(
        "tte.dense %0 weights(%1, %2) bias(%3)",
        [x, w[:4], w[4:], b],
        tensor((2, 4), RESULT),
        types=types,
    )
    np.testing.assert_array_equal(found, rescaled(acc))


@pytest.mark.parametrize(
    ("scales", "zero_points"),
    [
        ((0.1, 0.2, 0.25), (3, -4, 5)),
        ((0.5, 0.001, 0.02), (-128, 127, 0)),
        ((1e-6, 2e-6, 1.0), (0, 0, 0)),
    ],
)
def test_add(scales, zero_points):
    pairs = np.array(list(itertools.product([-128, -77, -1, 0, 1, 64, 127], repeat=2)), np.int8)
    a, b = pairs[:, 0], pairs[:, 1]
    kinds = [
        tensor(a.shape, f"!quant.uniform<i8:f32, {s:e}:{z}>")
        for s, z in zip(scales, zero_points, strict=True)
    ]
    ratios = [Fraction(scales[0] / scales[2]), Fraction(scales[1] / scales[2])]
    shift = max(s for s in range(1, 31) if round_half_up(max(ratios) * 2**s) <= 1 << 21)
    m_a, m_b = (round_half_up(ratio * 2**shift) for ratio in ratios)
    expected = []
    for q_a, q_b in zip(a.tolist(), b.tolist(), strict=True):
        total = (q_a - zero_points[0]) * m_a + (q_b - zero_points[1]) * m_b
        q = ((total + (1 << (shift - 1))) >> shift) + zero_points[2]
        expected.append(min(max(q, -100), 127))
    found = evaluate("tte.add %0, %1 clamp <-100.0, 127.0>", [a, b], kinds[2], types=kinds[:2])
    assert found.tolist() == expected


@pytest.mark.parametrize(("padding", "count"), [((0, 0, 0, 0), 4), ((1, 1, 1, 1), None)])
def test_average_pool_rounds_half_up_also_below_zero(padding, count):
    x = stored(np.random.default_rng(13), (1, 4, 4, 2))
    x[0, :2, :2, 0] = [[-1, -2], [-2, -1]]  # sum -6 of 4: -1.5 becomes -1
    size = (4 + padding[0] + padding[1] - 2) // 2 + 1
    expected = np.zeros((1, size, size, 2), np.int8)
    for index in np.ndindex(expected.shape):
        rows = range(max(index[1] * 2 - padding[0], 0), min(index[1] * 2 - padding[0] + 2, 4))
        columns = range(max(index[2] * 2 - padding[2], 0), min(index[2] * 2 - padding[2] + 2, 4))
        taps = [int(x[0, r, c, index[3]]) for r in rows for c in columns]
        assert count in (None, len(taps))
        expected[index] = round_half_up(Fraction(sum(taps), len(taps)))
    text = f"tte.avg_pool2d %0 kernel [2, 2] strides [2, 2] padding {list(padding)}"
    found = evaluate(text, [x], tensor(expected.shape, INPUT), types=[tensor(x.shape, INPUT)])
    np.testing.assert_array_equal(found, expected)
    if count:
        assert found[0, 0, 0, 0] == -1


def test_max_pool_ignores_padding():
    x = np.full((1, 2, 2, 1), -128, np.int8)
    kind = tensor(x.shape, INPUT)
    text = "tte.max_pool2d %0 kernel [3, 3] padding [1, 1, 1, 1]"
    np.testing.assert_array_equal(evaluate(text, [x], kind, types=[kind]), x)


def test_gradient_of_max_pool_goes_to_the_first_maximum():
    x = np.array([[5, 5, -128], [5, 5, -128], [-128, -128, -128]], np.int8).reshape(1, 3, 3, 1)
    gradient = np.array([[1.0, 2.0], [4.0, 8.0]], np.float32).reshape(1, 2, 2, 1)
    text = "tte.max_pool2d_grad %0, %1 kernel [2, 2]"
    types = [tensor(x.shape, INPUT), tensor(gradient.shape)]
    found = evaluate(text, [x, gradient], tensor(x.shape), types=types)
    # Windows start at (0, 0), (0, 1), (1, 0) and (1, 1).
    np.testing.assert_array_equal(found[0, ..., 0], [[1, 2, 0], [4, 8, 0], [0, 0, 0]])


def test_quantize_rounds_half_to_even_and_saturates():
    x = np.array([0.25, 0.75, 1.25, -0.25, -0.75, 1000, -1000, 0.0], np.float32)
    kind = "!quant.uniform<i8:f32, 0.5:10>"
    found = evaluate("tte.quantize %0", [x], tensor(x.shape, kind))
    assert found.tolist() == [10, 12, 12, 10, 8, 127, -128, 10]
    back = evaluate("tte.dequantize %0", [found], tensor(x.shape), types=[tensor(x.shape, kind)])
    assert back.tolist() == [0.0, 1.0, 1.0, 0.0, -1.0, 58.5, -69.0, 0.0]


def test_quantized_inputs_and_weights_enter_gradients_with_their_scales():
    random = np.random.default_rng(14)
    x, w = stored(random, (1, 4, 4, 3)), stored(random, (3, 3, 3, 4), -127)
    dy = random.normal(size=(1, 2, 2, 4))
    real_x, real_w = np.float32(S_X) * (x.astype(float) - Z_X), np.float32(S_W) * w.astype(float)
    types = [tensor(x.shape, INPUT), tensor(dy.shape)]
    found = evaluate("tte.conv2d_weight_grad %0, %1", [x, dy], tensor(w.shape), types=types)
    expected = evaluate("tte.conv2d_weight_grad %0, %1", [real_x, dy], tensor(w.shape))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    types = [tensor(dy.shape), tensor(w.shape, weight_type(3, S_W))]
    found = evaluate("tte.conv2d_input_grad %0 weights(%1)", [dy, w], tensor(x.shape), types=types)
    expected = evaluate("tte.conv2d_input_grad %0 weights(%1)", [dy, real_w], tensor(x.shape))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_clamp_grad_masks_on_the_stored_output():
    output = np.array([-128, -127, 0, 126, 127], np.int8)
    types = [tensor((5,)), tensor((5,), INPUT)]
    found = evaluate(
        "tte.clamp_grad %0, %1 <-128.0, 127.0>", [np.ones(5), output], tensor((5,)), types=types
    )
    assert found.tolist() == [0, 1, 1, 1, 0]
