# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The quantized network, with the head it was pretrained with, against the network in f32."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from mlir import ir

from tte_mlir import pipeline, stages
from tte_mlir.frontend import data, models
from tte_mlir.recipe import Recipe
from tte_mlir.reference import Interpreter

EXAMPLE = Path(__file__).parents[2] / "examples" / "mobilenet_v2"
IMAGES = 200
AGREEMENT = 0.97


def load_example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"quantized_{name}", EXAMPLE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_top_1_agrees_with_f32():
    torch = pytest.importorskip("torch", reason="torch is not installed (extra [torch])")
    fashion_mnist = load_example("fashion_mnist")
    if not fashion_mnist.DIRECTORY.is_dir():
        pytest.skip(f"Debian package {fashion_mnist.PACKAGE} is not installed")
    classes = fashion_mnist.PRETRAINING_CLASSES
    calibration = data.check(*fashion_mnist.subset("train", classes, 64, seed=1), "calibration")
    x, _ = fashion_mnist.subset("test", classes, IMAGES, seed=2)
    network = load_example("model").pretrained_model()

    module = models.import_model(network, (1, *x.shape[1:]), ir.Context())
    table = pipeline.planning(Recipe(), calibration)
    quantized = next(i for i, stage in enumerate(table) if stage.name == "quantized")
    stages.run(module, table[: quantized + 1])
    interpreter = Interpreter(module)
    # the input's grid is the pixels' own: scale 1/255, zero point -128
    stored = (x.transpose(0, 2, 3, 1).astype(np.int16) - 128).astype(np.int8)
    found = np.concatenate([interpreter.run("forward", image[None])[0] for image in stored])

    with torch.no_grad():
        expected = network(torch.from_numpy(x).float() / 255).numpy()
    assert (found.argmax(1) == expected.argmax(1)).mean() >= AGREEMENT
