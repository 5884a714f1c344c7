# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantization-aware scaling against gradients of PyTorch, for scales of any size.

With it the step in the integer grid is that of real-valued SGD divided by the scale; without it
the step is that of SGD on the stored integers, scale times the gradient.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modules import parse
from stages import run_pass

from tte_mlir.reference.training import TrainingRun

torch = pytest.importorskip("torch")

INPUTS, CLASSES = 6, 3
BOUND = 2**30  # of biases


def keep_digits(scale: float) -> float:
    """A scale that the text of a type keeps, which has seven digits."""
    return float(f"{scale:.4e}")


magnitudes = st.floats(-6, 0).map(lambda power: keep_digits(10**power))


def network(scale: float, scales: list[float], weight: np.ndarray, bias: np.ndarray) -> str:
    """A quantized dense layer that trains."""
    channels, products = (
        ", ".join(f"{s:.6e}" for s in values) for values in (scales, [scale * s for s in scales])
    )
    return f"""
      !x = !quant.uniform<i8:f32, {scale:.4e}:-3>
      !w = !quant.uniform<i8<-127:127>:f32:1, {{{channels}}}>
      !b = !quant.uniform<i32<-{BOUND}:{BOUND}>:f32:0, {{{products}}}>
      ml_program.global private @w(dense<{weight.tolist()}> : tensor<{INPUTS}x{CLASSES}xi8>)
        : tensor<{INPUTS}x{CLASSES}x!w>
      ml_program.global private @b(dense<{bias.tolist()}> : tensor<{CLASSES}xi32>)
        : tensor<{CLASSES}x!b>
      func.func @forward(%x: tensor<1x{INPUTS}x!x> {{tte.role = #tte.role<input>}})
          -> tensor<1x{CLASSES}xf32> {{
        %w = ml_program.global_load_const @w : tensor<{INPUTS}x{CLASSES}x!w>
        %b = ml_program.global_load_const @b : tensor<{CLASSES}x!b>
        %0 = tte.dense %x weights(%w) bias(%b) : (tensor<1x{INPUTS}x!x>,
          tensor<{INPUTS}x{CLASSES}x!w>, tensor<{CLASSES}x!b>) -> tensor<1x{CLASSES}xf32>
        return %0 : tensor<1x{CLASSES}xf32>
      }}"""


def real_gradients(scale, scales, x, weight, bias, label) -> tuple[np.ndarray, np.ndarray]:
    """dL/dw and dL/db of the real values, in f64 by PyTorch."""
    w = torch.tensor(weight * scales, dtype=torch.float64, requires_grad=True)
    b = torch.tensor(bias * scale * scales, dtype=torch.float64, requires_grad=True)
    logits = torch.tensor(scale * (x + 3.0), dtype=torch.float64) @ w + b
    torch.nn.functional.cross_entropy(logits, torch.tensor([label])).backward()
    return w.grad.numpy(), b.grad.numpy()


def assert_rounds(moved: np.ndarray, exact: np.ndarray) -> None:
    """`moved` is `exact` rounded to nearest, but for the digits of scales and of f32."""
    slack = 1e-4 * np.abs(exact).max() + 1e-4
    assert (np.abs(moved - exact) <= 0.5 + slack).all(), (moved, exact)


@pytest.mark.parametrize("qas", [True, False])
@settings(max_examples=60, deadline=None)
@given(
    spread=st.floats(0.1, 10),
    scales=st.lists(magnitudes, min_size=CLASSES, max_size=CLASSES),
    seed=st.integers(0, 2**32 - 1),
    label=st.integers(0, CLASSES - 1),
)
def test_integer_steps(qas, spread, scales, seed, label):
    random = np.random.default_rng(seed)
    weight = random.integers(-60, 61, (INPUTS, CLASSES))
    bias = random.integers(-500, 501, CLASSES)
    x = random.integers(-128, 128, (1, INPUTS))
    units = np.array(scales)
    # Scores of moderate size: their gradients are far from 0.
    scale = keep_digits(spread / np.abs(((x + 3) @ weight + bias) * units).max())
    gradients = real_gradients(scale, units, x, weight, bias, label)
    power = -1 if qas else 1
    per_rate = gradients[0] * units**power
    rate = np.float32(50 / np.abs(per_rate).max())  # the largest step of a weight is 50 numbers

    module = parse(network(scale, scales, weight, bias))
    run_pass(module, "tte-autodiff{rounding=nearest}")
    if qas:
        run_pass(module, "func.func(tte-qas,canonicalize)")
    run = TrainingRun(module)
    run.train_step(x.astype(np.int8), label, float(rate))

    moved = run.state["w"].astype(np.int64) - weight
    assert_rounds(moved, -float(rate) * per_rate)
    exact = -float(rate) * gradients[1] * (scale * units) ** power
    exact = np.clip(bias + np.clip(exact, -BOUND, BOUND), -BOUND, BOUND) - bias
    assert_rounds(run.state["b"] - bias, exact)
