# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whole training programs whose optimizer keeps state, against the arithmetic it stands for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stages import run_pass
from strategies import schemes
from strategies.networks import calibrate, networks

from tte_mlir.reference import NonFiniteError
from tte_mlir.reference.training import TrainingRun

RATE = 0.25


def compiled(network, *passes: str, scheme=None):
    module = network.build()
    if scheme is not None:
        schemes.apply(module, scheme)
    for text in passes:
        run_pass(module, text)
    return module


def gradients(network, x, label) -> dict[str, np.ndarray]:
    """Of the initial parameters, by what one plain step with rate 1 subtracts."""
    run = TrainingRun(compiled(network, "tte-autodiff"), real=np.float64)
    before = run.state
    run.train_step(x, label, 1.0)
    return {name: before[name] - moved for name, moved in run.state.items()}


@settings(max_examples=15, deadline=None)
@given(networks(max_layers=3), st.integers(2, 4))
def test_a_batch_is_one_step_along_the_mean(network, batch):
    module = compiled(network, "tte-autodiff", f"tte-accumulate{{batch={batch}}}")
    run = TrainingRun(module, real=np.float64)
    before, inputs = run.state, network.inputs(batch)
    parameters = [name for name in before if not name.endswith(".gradient")]
    for step, x in enumerate(inputs):
        for name in parameters:
            np.testing.assert_array_equal(run.state[name], before[name])
        run.train_step(x, step % network.classes, RATE)
    steps = [gradients(network, x, step % network.classes) for step, x in enumerate(inputs)]
    for name in parameters:
        expected = before[name] - RATE * np.mean([step[name] for step in steps], axis=0)
        assert np.abs(run.state[name] - expected).max() <= 1e-6 * (1 + np.abs(expected).max())


@settings(max_examples=15, deadline=None)
@given(networks(max_layers=3), st.data())
def test_states_are_as_large_as_what_trains(network, data):
    scheme = data.draw(schemes.schemes(network), label="scheme")
    optimizer = ["tte-accumulate{batch=2}", "tte-momentum", "tte-residual"]
    module = network.build()
    schemes.apply(module, scheme)
    calibrate(module, network.inputs(4))
    for text in ["tte-quantize", "tte-autodiff", "tte-prune-backward", *optimizer]:
        run_pass(module, text)
    state = TrainingRun(module).state
    for name in scheme:
        assert state[f"{name}.gradient"].shape == state[name].shape
        assert state[f"{name}.velocity"].shape == state[name].shape
        assert (f"{name}.residual" in state) == (state[name].dtype == np.int8)
    assert not any(state[name].any() for name in state if name not in scheme)


@settings(max_examples=10, deadline=None)
@given(networks(max_layers=3))
def test_a_failed_step_leaves_everything(network):
    optimizer = ["tte-accumulate{batch=2}", "tte-momentum"]
    run = TrainingRun(compiled(network, "tte-autodiff", *optimizer))
    inputs = network.inputs(3)
    run.train_step(inputs[0], 0, RATE)
    before = run.state
    with pytest.raises(NonFiniteError), np.errstate(all="ignore"):
        run.train_step(np.full_like(inputs[1], np.nan), 0, RATE)
    for name, array in run.state.items():
        np.testing.assert_array_equal(array, before[name])
    again = TrainingRun(compiled(network, "tte-autodiff", *optimizer))
    for x in (inputs[0], inputs[2]):
        again.train_step(x, 0, RATE)
    run.train_step(inputs[2], 0, RATE)
    for name, array in run.state.items():
        np.testing.assert_array_equal(array, again.state[name])
