# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The gradients that `tte-autodiff` builds against torch.autograd in f64."""

from __future__ import annotations

import pytest
from gradients import assert_close, built_gradients, quantize
from hypothesis import given, settings
from hypothesis import strategies as st
from stages import run_pass
from strategies.layers import Add, Clamp, Convolution, Dense, Network, Permute, Pool, Reshape, Slice
from strategies.networks import calibrate, networks

from tte_mlir.reference.training import TrainingRun

torch_oracle = pytest.importorskip("torch_oracle", reason="torch is not installed (extra [torch])")

LOSSES = ["softmax_cross_entropy", "mean_squared_error"]


def assert_gradients_match(network: Network, *, quantized: bool, loss: str, label: int) -> None:
    module, inputs = network.build(), network.inputs(4)
    if quantized:
        calibrate(module, inputs)
        quantize(module)
    x = TrainingRun(module).stored(inputs[0])
    _, expected = torch_oracle.gradients(module, x, label, loss)
    run_pass(module, f"tte-autodiff{{loss={loss}}}")
    assert_close(built_gradients(module, x, label), expected)


HEAD = (Reshape((1, 2 * 2 * 4)), Dense(3))
ONE_OP = {
    "convolution": (Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1)), *HEAD),
    "uneven padding": (Convolution(4, (3, 2), (2, 2), (0, 2, 1, 0)), *HEAD),
    "dilated": (Convolution(4, (2, 2), (1, 1), (0, 0, 0, 0), (2, 2)), *HEAD),
    "grouped": (Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1), groups=2), *HEAD),
    "depthwise": (Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1), groups=4), *HEAD),
    "relu6": (Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1), clamp=(0.0, 6.0)), *HEAD),
    "clamp": (Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1)), Clamp((-0.4, 0.5)), *HEAD),
    "no bias": (Convolution(4, (3, 3), (2, 2), (1, 1, 1, 1), bias=False), *HEAD),
    "average pool": (
        Convolution(4, (1, 1)),
        Pool("avg", (3, 3), (2, 2), (1, 1, 1, 1)),
        *HEAD,
    ),
    "max pool": (Convolution(4, (1, 1)), Pool("max", (3, 3), (2, 2), (1, 1, 1, 1)), *HEAD),
    "skip": (
        Convolution(4, (1, 1), (2, 2)),
        Convolution(4, (3, 3), (1, 1), (1, 1, 1, 1)),
        Add(1, (-1.0, 1.0)),
        *HEAD,
    ),
    "twice the same": (Convolution(4, (1, 1), (2, 2)), Add(1), *HEAD),
    "slice": (Convolution(5, (1, 1)), Slice((0, 1, 0, 1), (1, 2, 2, 4)), *HEAD),
    "permute": (Convolution(4, (1, 1), (2, 2)), Permute((0, 2, 3, 1)), *HEAD),
    "dense with relu": (
        Reshape((1, 4 * 4 * 4)),
        Dense(6, clamp=(0.0, float("inf"))),
        Dense(3, bias=False),
    ),
}


@pytest.mark.parametrize("quantized", [False, True], ids=["f32", "int8"])
@pytest.mark.parametrize("name", ONE_OP)
def test_gradients_op_by_op(name, quantized):
    network = Network((1, 4, 4, 4), ONE_OP[name], seed=1)
    assert_gradients_match(network, quantized=quantized, loss=LOSSES[0], label=2)


@pytest.mark.parametrize("quantized", [False, True], ids=["f32", "int8"])
@pytest.mark.parametrize("loss", LOSSES)
def test_losses(loss, quantized):
    network = Network((1, 4, 4, 4), ONE_OP["skip"], seed=3)
    assert_gradients_match(network, quantized=quantized, loss=loss, label=1)


@settings(max_examples=40, deadline=None)
@given(networks(), st.booleans(), st.sampled_from(LOSSES), st.integers(0, 1))
def test_gradients_of_drawn_networks(network, quantized, loss, label):
    assert_gradients_match(network, quantized=quantized, loss=loss, label=label)
