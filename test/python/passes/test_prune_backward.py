# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A pruned step trains its ranges as the whole step does, bit for bit."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from mlir import ir
from mlir.dialects import ml_program
from stages import run_pass
from strategies.networks import calibrate, networks

from tte_mlir.dialects import tte
from tte_mlir.passes.update_scheme import mark_updates
from tte_mlir.reference.training import TrainingRun

LEARNING_RATE = 0.5
Scheme = dict[str, tuple[int | None, int, int]]


def global_ops(module: ir.Module) -> dict[str, ml_program.GlobalOp]:
    ops = (op for op in module.body.operations if isinstance(op, ml_program.GlobalOp))
    return {op.sym_name.value: op for op in ops}


def sliceable_axes(module: ir.Module) -> dict[str, int]:
    """The weights that may train in part, with the axis of their ranges."""
    (forward,) = (op for op in module.body.operations if op.operation.name == "func.func")
    axes = {}
    for op in forward.regions[0].blocks[0].operations:
        axis = tte.weight_axis(op.operation)
        grouped = "groups" in op.operation.attributes and op.groups.value != 1
        if axis == 3 or (axis >= 0 and not grouped):
            axes[op.weights[0].owner.attributes["global"].value] = axis
    return axes


@st.composite
def schemes(draw: st.DrawFn, module: ir.Module) -> Scheme:
    """Some parameters, each with axis, offset and size of the range that trains.

    What cannot train in part has the size of the whole, and no axis.
    """
    mark_updates(module, "full")
    axes, scheme = sliceable_axes(module), {}
    for name, op in global_ops(module).items():
        _, channels = tte.update_range(op.operation.attributes["tte.update"])
        offset, size = 0, channels
        if name in axes:
            size = draw(st.integers(1, channels))
            offset = draw(st.integers(0, channels - size))
        if draw(st.booleans()):
            scheme[name] = (axes.get(name), offset, size)
    return scheme or {name: (axes.get(name), offset, size)}


def mark(module: ir.Module, scheme: Scheme) -> None:
    for name, op in global_ops(module).items():
        if name in scheme:
            _, offset, size = scheme[name]
            op.operation.attributes["tte.update"] = tte.update_attr(module.context, offset, size)
        else:
            del op.operation.attributes["tte.update"]


@settings(max_examples=40, deadline=None)
@given(networks(), st.booleans(), st.data())
def test_ranges_train_as_in_the_whole(network, quantized, data):
    module = network.build()
    x = network.inputs(4)
    if quantized:
        calibrate(module, x)
        run_pass(module, "tte-quantize")
    scheme = data.draw(schemes(module), label="scheme")
    mark(module, scheme)
    run_pass(module, f"tte-autodiff{{seed={network.seed}}}")
    whole = TrainingRun(module)
    result = whole.train_step(whole.stored(x[0]), 1, LEARNING_RATE)

    run_pass(module, "tte-prune-backward")
    pruned = TrainingRun(module)
    assert pruned.state.keys() == scheme.keys()
    pruned_result = pruned.train_step(pruned.stored(x[0]), 1, LEARNING_RATE)
    np.testing.assert_array_equal(pruned_result.scores, result.scores)
    assert pruned_result.loss == result.loss
    for name, (axis, offset, size) in scheme.items():
        expected = whole.state[name]
        if axis is not None:
            expected = expected.take(range(offset, offset + size), axis)
        np.testing.assert_array_equal(pruned.state[name], expected, err_msg=name)
