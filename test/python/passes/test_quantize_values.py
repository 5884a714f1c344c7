# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What `tte-quantize` makes of parameters and values, measured in steps of their grid."""

import numpy as np
import pytest
from gradients import quantize
from hypothesis import given, settings
from mlir import ir
from mlir.dialects import ml_program
from strategies.networks import calibrate, networks

from tte_mlir.reference import Grid, Interpreter
from tte_mlir.reference.training import TrainingRun

torch_oracle = pytest.importorskip("torch_oracle", reason="torch is not installed (extra [torch])")


def parameters(module: ir.Module) -> dict[str, tuple[np.ndarray, Grid | None]]:
    interpreter = Interpreter(module)
    found = {}
    for op in module.body:
        if isinstance(op, ml_program.GlobalOp):
            name = op.sym_name.value
            found[name] = interpreter.constant(name), Grid.of(op.type_.value.element_type)
    return found


@settings(max_examples=25, deadline=None)
@given(networks())
def test_every_value_is_the_nearest_on_its_grid(network):
    module, inputs = network.build(), network.inputs(4)
    real = parameters(module)
    calibrate(module, inputs)
    quantize(module)
    for name, (stored, grid) in parameters(module).items():
        steps = real[name][0] / grid.real_scale(stored.ndim) - stored
        assert np.abs(steps).max() <= 0.5 + 1e-3, f"{name} is off by {np.abs(steps).max()} steps"
    run = TrainingRun(module)
    for x in inputs:
        for op, error in torch_oracle.rounding_errors(module, run.stored(x)):
            assert error <= 0.5 + 1e-3, f"{op} is off by {error} steps"
