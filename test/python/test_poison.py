# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A debug build overwrites what is dead after each call, and computes the same."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from planned import NETWORK as PLANNED
from planned import run_passes

import tte_mlir as tte
from tte_mlir.artifacts import Artifacts
from tte_mlir.backend.device import Device
from tte_mlir.backend.poison import dead_ranges
from tte_mlir.certificate.program import Function, read
from tte_mlir.program import Program

NETWORK = """
ml_program.global private @"conv.weight"(dense<WEIGHTS> : tensor<3x3x2x6xf32>)
  : tensor<3x3x2x6xf32>
ml_program.global private @"dw.weight"(dense<0.25> : tensor<3x3x1x6xf32>) : tensor<3x3x1x6xf32>
ml_program.global private @"fc.weight"(dense<CLASSIFIER> : tensor<6x3xf32>) : tensor<6x3xf32>
ml_program.global private @"fc.bias"(dense<0.0> : tensor<3xf32>) : tensor<3xf32>
func.func @forward(%x: tensor<1x6x6x2xf32> {tte.role = #tte.role<input>})
    -> (tensor<1x3xf32> {tte.role = #tte.role<scores>}) {
  %0 = ml_program.global_load_const @"conv.weight" : tensor<3x3x2x6xf32>
  %1 = tte.conv2d %x weights(%0) padding [1, 1, 1, 1] clamp <0.0, 6.0>
    : (tensor<1x6x6x2xf32>, tensor<3x3x2x6xf32>) -> tensor<1x6x6x6xf32> loc("conv")
  %2 = ml_program.global_load_const @"dw.weight" : tensor<3x3x1x6xf32>
  %3 = tte.conv2d %1 weights(%2) padding [1, 1, 1, 1] groups 6 clamp <0.0, 6.0>
    : (tensor<1x6x6x6xf32>, tensor<3x3x1x6xf32>) -> tensor<1x6x6x6xf32> loc("dw")
  %4 = tte.add %1, %3 : (tensor<1x6x6x6xf32>, tensor<1x6x6x6xf32>) -> tensor<1x6x6x6xf32> loc("sum")
  %5 = tte.avg_pool2d %4 kernel [6, 6]
    : (tensor<1x6x6x6xf32>) -> tensor<1x1x1x6xf32> loc("pool")
  %6 = tte.reshape %5 : (tensor<1x1x1x6xf32>) -> tensor<1x6xf32>
  %7 = ml_program.global_load_const @"fc.weight" : tensor<6x3xf32>
  %8 = ml_program.global_load_const @"fc.bias" : tensor<3xf32>
  %9 = tte.dense %6 weights(%7) bias(%8)
    : (tensor<1x6xf32>, tensor<6x3xf32>, tensor<3xf32>) -> tensor<1x3xf32> loc("fc")
  return %9 : tensor<1x3xf32>
}
"""
RANDOM = np.random.default_rng(4)
IMAGES = RANDOM.integers(0, 256, (4, 2, 6, 6), np.uint8)
TOOLS = {"host": ["gcc"], "cortex-m7": ["arm-none-eabi-gcc", "qemu-system-arm"]}


def needed_bytes(function: Function, size: int) -> list[np.ndarray]:
    """After each call, the bytes of the arena that are read before they are written again."""
    needed = np.zeros(size, bool)
    for span in function.spans:
        if span.role in ("loss", "scores"):
            needed[span.offset : span.end] = True
    after = []
    for call in reversed(function.calls):
        after.append(needed.copy())
        for spans, value in (((*call.outputs, *call.scratch), False), (call.inputs, True)):
            for span in spans:
                if span.space == "arena":
                    needed[span.offset : span.end] = value
    return after[::-1]


@pytest.mark.parametrize("name", ["forward", "train_step"])
def test_what_is_not_read_again_is_dead(name):
    module = run_passes(PLANNED)
    program = read(module)
    (function,) = (f for f in program.functions if f.name == name)
    (op,) = (
        op for op in module.body if op.operation.name == "func.func" and op.sym_name.value == name
    )
    expected = needed_bytes(function, program.arena_bytes)
    ranges = dead_ranges(op, program.arena_bytes)
    assert len(ranges) == len(expected)
    for dead, needed in zip(ranges, expected, strict=True):
        free = np.zeros(program.arena_bytes, bool)
        for offset, length in dead:
            free[offset : offset + length] = True
        np.testing.assert_array_equal(free, ~needed)


def compiled(target: str, poison: bool, directory: Path) -> Program:
    random = np.random.default_rng(0)
    text = NETWORK.replace("WEIGHTS", str(random.normal(size=(3, 3, 2, 6)).tolist()))
    text = text.replace("CLASSIFIER", str(random.uniform(-2, 2, size=(6, 3)).tolist()))
    path = directory / "net.mlir"
    path.write_text(text)
    recipe = tte.Recipe(update="full", seed=1)
    return tte.compile(
        path, calibration=IMAGES, recipe=recipe, target=target, name="net", poison=poison
    )


def train(device: Device) -> tuple[list[float], np.ndarray, bytes]:
    images = IMAGES.transpose(0, 2, 3, 1)
    losses = [device.train_step(image, label % 3, 0.01) for label, image in enumerate(images)]
    return losses, device.infer(images[0]), device.save_state()


@pytest.mark.parametrize("target", TOOLS)
def test_results_are_unchanged(target, tmp_path):
    for tool in TOOLS[target]:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (Debian package of its name)")
    results = []
    for poison in (False, True):
        program = compiled(target, poison, tmp_path)
        artifacts = Artifacts.open(program.directory)
        with artifacts.simulator() if target == "host" else artifacts.emulator() as device:
            results.append(train(device))
            if target == "host":
                assert (device._arena == 0xFF).mean() > 0.3 or not poison
    plain, poisoned = results
    assert poisoned[0] == plain[0]
    np.testing.assert_array_equal(poisoned[1], plain[1])
    assert poisoned[2] == plain[2]
