# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers that differ in sizes alone run one function, which gets the sizes as arguments."""

import numpy as np
import pytest
from kernel_bench import Bench, Case, Outcome
from modules import tensor
from test_lowered_kernels import Conv, bias


def named(case: Case, suffix: int) -> Case:
    case.name += f"_{suffix}"
    return case


def bias_update(pixels: int, channels: int) -> Case:
    """Gradient of a bias, scaled, and its update."""
    gradient, result = tensor((1, 1, pixels, channels)), tensor((channels,))
    kind = tensor((channels,), bias(channels))
    body = (
        f"^bb0(%0: {gradient}, %1: {kind}, %2: tensor<f32>, %3: tensor<i32>):\n"
        f"%a = tte.bias_grad %0 : ({gradient}) -> {result}\n"
        f"%b = tte.scale_gradient %a by scale of {bias(channels)} to the -1 : {result}\n"
        f"%c = tte.sgd %1, %b rate %2 step %3 stochastic stream 5 : "
        f"({kind}, {result}, tensor<f32>, tensor<i32>) -> {kind}\n"
        f"tte.yield %c : {kind}"
    )
    data = {2: np.array(0.01, np.float32), 3: np.array(3, np.int32)}
    return Case("bias_update", body, tied={0: 1}, data=data)


def add(elements: int, zero_points: tuple[int, int]) -> Case:
    a, b = (
        tensor((1, 1, 1, elements), f"!quant.uniform<i8:f32, {scale}:{zero}>")
        for scale, zero in zip((0.05, 0.03), zero_points, strict=True)
    )
    body = f"^bb0(%0: {a}, %1: {b}):\n%2 = tte.add %0, %1 : ({a}, {b}) -> {a}\ntte.yield %2 : {a}"
    return Case("add", body)


def pointwise(name: str, *shapes: tuple[tuple[int, int], tuple[int, int]]) -> list[Conv]:
    return [Conv(name, size=size, channels=channels) for size, channels in shapes]


# Sizes are odd where the form allows it: rests of tiles must be those of the same form.
FORMS = {
    "pointwise": [
        c.forward(frozen=[0])
        for c in pointwise("pointwise", ((1, 5), (24, 14)), ((1, 11), (36, 6)), ((5, 7), (60, 22)))
    ],
    "input gradient": [
        c.input_grad() for c in pointwise("backward", ((3, 3), (13, 10)), ((1, 13), (19, 14)))
    ],
    "weight gradient": [
        c.update() for c in pointwise("update", ((5, 5), (5, 48)), ((5, 7), (7, 72)))
    ],
    "bias": [bias_update(17, 19), bias_update(25, 27), bias_update(33, 35)],
    "sum": [add(21, (-5, 3)), add(21, (7, -9)), add(37, (2, 1))],
}
# Rows of trained weights are far apart, which only a constant distance makes cheap.
APART = [c.forward() for c in pointwise("trained", ((1, 5), (24, 14)), ((1, 11), (36, 6)))]
CASES = [named(case, i) for cases in (*FORMS.values(), APART) for i, case in enumerate(cases)]


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench("", CASES, shares=True)


@pytest.fixture(scope="module")
def outcomes(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    return bench.run(tmp_path_factory.mktemp("shared"))


def test_a_form_is_one_function(bench: Bench, outcomes: dict[str, Outcome]) -> None:
    assert bench.functions == len(FORMS) + len(APART)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_size_is_right(case: Case, outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes[case.name]
    for host, board, expected in zip(outcome.host, outcome.board, outcome.expected, strict=True):
        np.testing.assert_array_equal(host.view(np.uint8), board.view(np.uint8))
        if np.issubdtype(expected.dtype, np.integer):
            np.testing.assert_array_equal(board, expected)
        else:
            scale = max(float(np.abs(expected).max()), 1e-30)
            np.testing.assert_allclose(board, expected, rtol=1e-5, atol=1e-6 * scale)
