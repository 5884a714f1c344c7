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


def optimize(parameter, low, gradient, *, bits, rate=0.1, step=3, times="", every=""):
    """The parameter and its residual after a step."""
    parameter_type, low_type = tensor(parameter.shape, WEIGHT), tensor(parameter.shape, "i8")
    types = [parameter_type, low_type, tensor(parameter.shape), "tensor<f32>", "tensor<i32>"]
    operands = [parameter, low, gradient, np.float32(rate), np.int32(step)]
    moved = evaluate(
        f"tte.sgd %0, %2 rate %3 step %4 residual stream 7 low %1 bits {bits} {times} {every} : "
        f"({', '.join([types[0], *types[2:], low_type])}) -> {parameter_type}",
        operands,
        parameter_type,
        types=types,
        real=np.float32,
    )
    left = evaluate(
        f"tte.sgd_residual %0 low %1 bits {bits}, %2 rate %3 step %4 {times} {every}",
        operands,
        low_type,
        types=types,
        real=np.float32,
    )
    return moved, left


@pytest.mark.parametrize("bits", range(2, 9))
def test_residual_is_the_rest_of_a_finer_number(bits):
    random = np.random.default_rng(bits)
    parameter = random.integers(-127, 128, (40, 2)).astype(np.int8)
    half = 1 << bits - 1
    low = random.integers(-half, half, (40, 2)).astype(np.int8)
    gradient = (random.normal(size=(40, 2)) * 10.0 ** random.uniform(-3, 4)).astype(np.float32)
    moved, left = optimize(parameter, low, gradient, bits=bits, times="times 2.5")
    for place in np.ndindex(parameter.shape):
        change = float(-np.float32(0.1) * np.float32(2.5) * gradient[place])
        fine = int(parameter[place]) * 2**bits + int(low[place]) + round(change * 2**bits)
        fine = min(max(fine, -127 * 2**bits), 127 * 2**bits)
        assert int(moved[place]) * 2**bits + int(left[place]) == fine
        assert -half <= left[place] < half


def test_residuals_gather_steps_that_are_too_small_alone():
    parameter, low = np.zeros((1, 2), np.int8), np.zeros((1, 2), np.int8)
    gradient = np.full((1, 2), 0.1, np.float32)
    for _ in range(100):  # of 1.28 numbers of the finer grid
        parameter, low = optimize(parameter, low, gradient, bits=7, rate=0.1)
    assert parameter.tolist() == [[-1, -1]]
    assert low.tolist() == [[28, 28]]


@pytest.mark.parametrize(("step", "moves"), [(0, False), (2, True), (3, False), (2**31 - 1, False)])
def test_periods_end_with_their_last_step(step, moves):
    parameter, gradient = case(4)
    low = np.zeros_like(parameter)
    moved, left = optimize(parameter, low, gradient, bits=4, step=step, every="every 3")
    assert (not np.array_equal(moved, parameter)) == moves
    assert left.any() == moves


def test_momentum_descends_as_torch_does():
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(3)
    weight = torch.nn.Parameter(torch.zeros(5, dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], lr=0.5, momentum=0.9)
    velocity, descended = np.zeros(5, np.float32), np.zeros(5, np.float32)
    kind, scalar = tensor((5,)), "tensor<i32>"
    for step in range(6):
        gradient = random.normal(size=5).astype(np.float32)
        weight.grad = torch.from_numpy(gradient.astype(np.float64))
        optimizer.step()
        velocity = evaluate(
            "tte.momentum %0, %1 factor 0.9 step %2",
            [velocity, gradient, np.int32(step)],
            kind,
            types=[kind, kind, scalar],
            real=np.float32,
        )
        descended = update(descended, velocity, "f32", "nearest", rate=0.5)
    np.testing.assert_allclose(descended, weight.detach().numpy(), rtol=1e-5)


def test_accumulation_is_the_mean_of_a_batch():
    gradients = np.random.default_rng(4).normal(size=(6, 5)).astype(np.float32)
    total, kind = np.full(5, np.nan, np.float32), tensor((5,))
    for step, gradient in enumerate(gradients):
        total = evaluate(
            "tte.accumulate %0, %1 step %2 batch 3",
            [total, gradient, np.int32(step)],
            kind,
            types=[kind, kind, "tensor<i32>"],
            real=np.float32,
        )
    np.testing.assert_allclose(total, gradients[3:].astype(np.float64).mean(0), rtol=1e-5)
