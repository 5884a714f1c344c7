# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Each pass on the forward function of drawn networks keeps its results."""

from hypothesis import given, settings
from stages import Pipeline, Session
from strategies.networks import calibrate, networks

MEMORY_PASSES = ["func.func(tte-form-dispatches)", "func.func(tte-schedule)", "tte-plan-memory"]


@settings(max_examples=30, deadline=None)
@given(networks())
def test_real_networks(network):
    passes = ["canonicalize", "func.func(tte-fuse-clamp)", "cse", *MEMORY_PASSES]
    Pipeline(passes).run(network.build(), Session(network.inputs(2)))


@settings(max_examples=30, deadline=None)
@given(networks())
def test_quantized_networks(network):
    module, inputs = network.build(), network.inputs(4)
    calibrate(module, inputs)
    passes = ["func.func(tte-fuse-clamp)", "tte-quantize", "canonicalize", "cse", *MEMORY_PASSES]
    Pipeline(passes).run(module, Session(inputs))
