# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each pass on whole training programs of drawn networks keeps what they compute."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stages import Pipeline, Session
from strategies import schemes
from strategies.networks import calibrate, networks
from strategies.optimizers import optimizers

MEMORY_PASSES = [
    "func.func(tte-pack-masks)",
    "func.func(tte-fuse-update)",
    "func.func(tte-fuse-clamp-grad)",
    "func.func(tte-form-dispatches)",
    "func.func(tte-schedule)",
    "tte-plan-memory",
]
CLEAN_UP = ["canonicalize", "cse"]


def session(network, steps: int) -> Session:
    labels = [step % network.classes for step in range(steps)]
    return Session(network.inputs(steps), labels, learning_rate=0.5)


@settings(max_examples=20, deadline=None)
@given(networks())
def test_real_networks(network):
    passes = ["func.func(tte-fuse-clamp)", "tte-autodiff", *CLEAN_UP, *MEMORY_PASSES]
    Pipeline(passes).run(network.build(), session(network, 2))


# Folding s and s^-2 into 1 / s rounds differently: it counts as part of the pass.
QAS = ["func.func(tte-qas,canonicalize)"]


@pytest.mark.parametrize("qas", [[], QAS], ids=["plain", "qas"])
@settings(max_examples=20, deadline=None)
@given(networks(), st.sampled_from(["stochastic", "nearest"]))
def test_quantized_networks(qas, network, rounding):
    module = network.build()
    calibrate(module, network.inputs(4))
    autodiff = f"tte-autodiff{{rounding={rounding} seed={network.seed}}}"
    passes = ["func.func(tte-fuse-clamp)", "tte-quantize", autodiff, *qas, *CLEAN_UP]
    Pipeline([*passes, *MEMORY_PASSES]).run(module, session(network, 3))


@settings(max_examples=20, deadline=None)
@given(networks(), st.data())
def test_networks_that_train_in_parts(network, data):
    scheme = data.draw(schemes.schemes(network), label="scheme")
    module = network.build()
    schemes.apply(module, scheme)
    passes = ["tte-autodiff", "tte-prune-backward", *CLEAN_UP, *MEMORY_PASSES]
    if data.draw(st.booleans(), label="quantized"):
        calibrate(module, network.inputs(4))
        passes = ["func.func(tte-fuse-clamp)", "tte-quantize", *passes]
    Pipeline(passes).run(module, session(network, 2))


@settings(max_examples=20, deadline=None)
@given(networks(), optimizers(), st.data())
def test_optimizers_with_state(network, optimizer, data):
    scheme = data.draw(schemes.schemes(network), label="scheme")
    module = network.build()
    schemes.apply(module, scheme)
    calibrate(module, network.inputs(4))
    passes = ["func.func(tte-fuse-clamp)", "tte-quantize", "tte-autodiff", "tte-prune-backward"]
    passes += [*QAS, *optimizer, *CLEAN_UP, *MEMORY_PASSES]
    Pipeline(passes).run(module, session(network, 5))
