# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The demo's MobileNetV2: its gradients against torch.autograd in f64, and what each pass keeps."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from gradients import assert_close, built_gradients, quantize
from mlir import ir
from modules import parse
from stages import Pipeline, Session, run_pass
from strategies import schemes
from strategies.networks import calibrate

from tte_mlir.reference.training import TrainingRun

torch_oracle = pytest.importorskip("torch_oracle", reason="torch is not installed (extra [torch])")
pytest.importorskip("torch_mlir", reason="torch-mlir is not installed (extra [torch])")

from tte_mlir.frontend.torch_import import import_torch  # noqa: E402

EXAMPLE = Path(__file__).parents[3] / "examples" / "mobilenet_v2"


@pytest.fixture(scope="module")
def imported() -> str:
    spec = importlib.util.spec_from_file_location("demo_model", EXAMPLE / "model.py")
    model = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(model)
    module = import_torch(model.demo_model(), (1, *model.INPUT_SHAPE), ir.Context())
    return module.operation.get_asm(enable_debug_info=True)


@pytest.fixture
def module(imported: str) -> ir.Module:
    return parse(imported)


def images(count: int) -> np.ndarray:
    """Random patches in [0, 1], NHWC."""
    patches = np.random.default_rng(0).random((count, 1, 8, 8, 3), np.float32)
    return patches.repeat(8, axis=2).repeat(8, axis=3)


@pytest.mark.parametrize("real", [np.float64, np.float32], ids=["f64", "f32"])
def test_real_gradients(module, real):
    run_pass(module, "func.func(tte-fuse-clamp)")
    x = images(1)[0]
    loss, expected = torch_oracle.gradients(module, x, 3)
    run_pass(module, "tte-autodiff")
    found = built_gradients(module, x, 3, real)
    assert len(found) == 2 * 52 + 2
    assert_close(found, expected)
    assert TrainingRun(module).train_step(x, 3, 0.0).loss == pytest.approx(loss, rel=1e-5)


def test_int8_gradients(module):
    inputs = images(8)
    calibrate(module, inputs)
    quantize(module)
    x = TrainingRun(module).stored(inputs[0])
    loss, expected = torch_oracle.gradients(module, x, 3)
    run_pass(module, "tte-autodiff")
    found = built_gradients(module, x, 3, np.float32)
    assert_close(found, expected)
    assert TrainingRun(module).train_step(x, 3, 0.0).loss == pytest.approx(loss, rel=1e-5)


def test_every_pass_keeps_the_program(module):
    """Two inverted bottlenecks, one in half of its channels, and the classifier train."""
    schemes.apply(
        module,
        {
            "features.15.conv.0.0.weight": (8, 24),
            "features.15.conv.0.0.bias": (0, 336),
            "features.15.conv.1.0.weight": (100, 168),
            "features.16.conv.2.weight": (0, 336),
            "classifier.1.weight": (0, 256),
            "classifier.1.bias": (0, 5),
        },
    )
    inputs = images(3)
    calibrate(module, inputs)
    passes = [
        "func.func(tte-fuse-clamp)",
        "tte-quantize",
        "tte-autodiff",
        "tte-prune-backward",
        "canonicalize",
        "cse",
        "func.func(tte-qas,canonicalize)",
        "func.func(tte-pack-masks)",
        "func.func(tte-fuse-update)",
        "func.func(tte-fuse-clamp-grad)",
        "func.func(tte-form-dispatches)",
        "func.func(tte-schedule)",
        "tte-plan-memory",
    ]
    Pipeline(passes).run(module, Session(inputs[:2], [1, 4], learning_rate=0.1))
