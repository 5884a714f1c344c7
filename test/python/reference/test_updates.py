# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The interpreter on updates against scalar Python."""

import math

import numpy as np
import pytest
from modules import evaluate, parse, tensor

from tte_mlir.reference import Interpreter, NonFiniteError

WORD = 0xFFFFFFFF
WEIGHT = "!quant.uniform<i8<-127:127>:f32:1, {0.5, 0.25}>"
BIAS = "!quant.uniform<i32<-1000:1000>:f32:0, {0.5, 0.25}>"


def mix(x: int) -> int:
    x ^= x >> 16
    x = x * 0x7FEB352D & WORD
    x ^= x >> 15
    x = x * 0x846CA68B & WORD
    return x ^ x >> 16


def uniform(index: int, step: int, stream: int) -> float:
    key = mix(step * 0x85EBCA6B + stream & WORD)
    return (mix(index * 0x9E3779B9 + key & WORD) >> 8) * 2.0**-24


def update(parameter, gradient, kind, rounding, *, rate=0.1, step=3, stream=7, origin=""):
    parameter_type = tensor(parameter.shape, kind)
    types = [parameter_type, tensor(gradient.shape), "tensor<f32>", "tensor<i32>"]
    text = f"tte.sgd %0, %1 rate %2 step %3 {rounding} stream {stream}{origin}"
    operands = [parameter, gradient, np.float32(rate), np.int32(step)]
    return evaluate(text, operands, parameter_type, types=types, real=np.float32)


def case(rows: int):
    random = np.random.default_rng(20)
    parameter = random.integers(-127, 128, (rows, 2)).astype(np.int8)
    return parameter, (random.normal(size=(rows, 2)) * 60).astype(np.float32)


@pytest.mark.parametrize(("step", "stream"), [(0, 0), (3, 7), (2**31 - 1, -1)])
def test_stochastic_rounding_follows_the_generator(step, stream):
    parameter, gradient = case(50)
    found = update(parameter, gradient, WEIGHT, "stochastic", step=step, stream=stream)
    moves = -np.float32(0.1) * gradient
    for index, (row, column) in enumerate(np.ndindex(parameter.shape)):
        u = np.float32(uniform(index, step, stream))
        moved = int(parameter[row, column]) + math.floor(moves[row, column] + u)
        assert found[row, column] == min(max(moved, -127), 127)


def test_stochastic_rounding_is_unbiased():
    parameter, gradient = np.zeros((20000, 2), np.int8), np.full((20000, 2), -3.3, np.float32)
    found = update(parameter, gradient, WEIGHT, "stochastic", rate=1.0)
    assert set(np.unique(found)) == {3, 4}
    assert abs(found.mean() - 3.3) < 5 * math.sqrt(0.3 * 0.7 / 40000)


def test_a_slice_is_updated_like_its_part_of_the_whole():
    parameter, gradient = case(12)
    whole = update(parameter, gradient, WEIGHT, "stochastic")
    part = update(
        parameter[5:9], gradient[5:9], WEIGHT, "stochastic", origin=" origin <[12, 2], [5, 0]>"
    )
    np.testing.assert_array_equal(part, whole[5:9])


def test_permuted_channels_are_updated_where_they_came_from():
    parameter, gradient = case(6)
    whole = update(parameter, gradient, WEIGHT, "stochastic")
    rows = [4, 0, 3, 1, 5, 2]
    part = update(
        parameter[rows][1:4, ::-1],
        gradient[rows][1:4, ::-1],
        WEIGHT,
        "stochastic",
        origin=" origin <[6, 2], [0, 0]> "
        f"{{tte.places = [array<i64: {str(rows[1:4])[1:-1]}>, array<i64: 1, 0>]}}",
    )
    np.testing.assert_array_equal(part, whole[rows][1:4, ::-1])


def test_nearest_rounds_half_to_even_and_saturates():
    parameter = np.array([[0, 0], [0, 0], [126, -126]], np.int8)
    gradient = np.array([[-0.5, -1.5], [2.5, 0.4], [-3e30, 3e30]], np.float32)
    found = update(parameter, gradient, WEIGHT, "nearest", rate=1.0)
    assert found.tolist() == [[0, 2], [-2, 0], [127, -127]]


def test_biases_round_to_nearest_within_their_bound():
    parameter, gradient = np.array([10, 990], np.int32), np.array([0.4, -20.6], np.float32)
    found = update(parameter, gradient, BIAS, "stochastic", rate=1.0)
    assert found.tolist() == [10, 1000]


def test_real_parameters():
    parameter, gradient = np.float32([1.0, -2.0]), np.float32([0.5, 3.0])
    np.testing.assert_array_equal(
        update(parameter, gradient, "f32", "nearest"), parameter - np.float32(0.1) * gradient
    )


@pytest.mark.parametrize("power", [-2, -1, 1])
def test_scale_gradient(power):
    gradient = np.ones((3, 2))
    kind = tensor(gradient.shape)
    text = f"tte.scale_gradient %0 by scale of {WEIGHT} to the {power} : {kind}"
    np.testing.assert_array_equal(evaluate(text, [gradient], kind)[0], [0.5**power, 0.25**power])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_check_finite_ends_the_run(value):
    module = parse("""
      func.func @f(%a: tensor<f32>, %b: tensor<2xf32>) -> tensor<2xf32> {
        %0:2 = tte.check_finite %a, %b
          : (tensor<f32>, tensor<2xf32>) -> (tensor<f32>, tensor<2xf32>)
        return %0#1 : tensor<2xf32>
      }""")
    interpreter = Interpreter(module)
    fine = np.float32([1, 2])
    np.testing.assert_array_equal(interpreter.run("f", np.float32(0), fine)[0], fine)
    with pytest.raises(NonFiniteError, match="not finite"):
        interpreter.run("f", np.float32(0), np.float32([1, value]))
