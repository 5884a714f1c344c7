# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The gradients inside a training step, by the parameter that they update."""

from __future__ import annotations

import numpy as np
from mlir import ir
from modules import relative_error
from stages import run_pass, state_name

from tte_mlir.dialects import tte
from tte_mlir.reference.training import TrainingRun


def quantize(module: ir.Module) -> None:
    """Turn a calibrated f32 module into an int8 one."""
    run_pass(module, "func.func(tte-fuse-clamp)")
    run_pass(module, "tte-quantize")


def built_gradients(
    module: ir.Module, x: np.ndarray, label: int, real: type[np.floating] = np.float64
) -> dict[str, np.ndarray]:
    """dL/dw of every trained parameter w in one training step on a stored input.

    These are the gradients of real values: the scaling to the integer grid is left out.
    """
    values: dict[ir.Value, np.ndarray] = {}
    found: dict[str, np.ndarray] = {}

    def observe(op: ir.OpView, results) -> None:
        values.update(zip(op.operation.results, results, strict=True))
        if isinstance(op, tte.SGDOp):
            gradient = op.gradient
            while isinstance(gradient.owner.opview, tte.ScaleGradientOp):
                gradient = gradient.owner.opview.gradient
            found[state_name(op.parameter)] = values[gradient]

    TrainingRun(module, real=real).train_step(x, label, 0.01, observe=observe)
    return found


def assert_close(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    """Each tensor within 1e-4 of its norm; a gradient that is zero is zero."""
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        if np.linalg.norm(gradient) < 1e-12:
            assert np.linalg.norm(found[name]) < 1e-9, name
        else:
            assert relative_error(found[name], gradient) < 1e-4, name
