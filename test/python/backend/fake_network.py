# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The network of test/runtime/fake_kernels.c: four int8 features, three classes, squared loss."""

import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np

from tte_mlir.backend import resources, toolchain
from tte_mlir.backend.package import (
    Binding,
    Call,
    FlashLayout,
    Function,
    Input,
    Program,
    Space,
    check_finite,
)
from tte_mlir.backend.targets import Target

FEATURES, CLASSES = 4, 3
TARGET = 1.0
UNUSED_STATE = bytes(range(200))  # more than the arena, and several pieces of a saved state
KERNELS = Path(__file__).parents[2] / "runtime"

_IMAGE, _SCORES, _LABEL, _RATE, _LOSS, _GRADIENT = 16, 32, 48, 52, 56, 64


def initial_weights() -> np.ndarray:
    """0.25 * (class - feature), f32[3, 4]."""
    classes, features = np.mgrid[0:CLASSES, 0:FEATURES]
    return (0.25 * (classes - features)).astype(np.float32)


def initial_bias() -> np.ndarray:
    return (0.5 * np.arange(CLASSES)).astype(np.float32)


def make_program(name: str = "net", query_symbol: str = "fake_library_query") -> Program:
    def arena(offset: int) -> Binding:
        return Binding(Space.ARENA, offset)

    constant = initial_bias().tobytes()
    other = bytes(len(constant) + 1)  # so that the bias lies at an offset
    flash = FlashLayout([constant, other], 4)
    bias = flash[constant]
    weights = Binding(Space.STATE, 0)
    forward = Call(0, (arena(_IMAGE), weights, bias, arena(_SCORES)), name="scores")
    target = struct.unpack("I", struct.pack("f", TARGET))[0]
    loss = Call(
        1, (arena(_SCORES), arena(_LABEL), arena(_LOSS), arena(_GRADIENT)), (target,), "loss"
    )
    update = Call(2, (arena(_IMAGE), arena(_GRADIENT), arena(_RATE), weights), name="update")
    step = (
        forward,
        loss,
        check_finite(arena(_LOSS), 1, "loss"),
        check_finite(arena(_GRADIENT), CLASSES, "gradient"),
        update,
    )
    state = initial_weights().tobytes() + UNUSED_STATE + struct.pack("<i", 0)
    return Program(
        name=name,
        input=Input((1, 2, 2, 1), 0.5, 3, _IMAGE, u8_scale=0.25, u8_offset=-8.0),
        class_count=CLASSES,
        infer=Function((forward,), _SCORES),
        train_step=Function(step, _SCORES),
        kernel_count=3,
        query_symbol=query_symbol,
        arena_bytes=_GRADIENT + 4 * CLASSES,
        initial_state=state,
        flash=flash.data,
        flash_alignment=flash.alignment,
        label=_LABEL,
        learning_rate=_RATE,
        loss=_LOSS,
        step=len(state) - 4,
    )


def make_frozen_program() -> Program:
    return replace(make_program("frozen"), train_step=None)


class Oracle:
    """The same network in numpy, f32 in the order of the C loops."""

    def __init__(self) -> None:
        self.weights = initial_weights()

    def scores(self, image: np.ndarray) -> np.ndarray:
        scores = initial_bias()
        for k, value in enumerate(image.reshape(-1).astype(np.float32)):
            scores = scores + self.weights[:, k] * value
        return scores

    def train_step(self, image: np.ndarray, label: int, learning_rate: float) -> np.float32:
        gradient = self.scores(image)
        gradient[label] -= np.float32(TARGET)
        loss = np.float32(0)
        for value in gradient:
            loss += np.float32(0.5) * value * value
        pixels = image.reshape(-1).astype(np.float32)
        self.weights -= (np.float32(learning_rate) * gradient)[:, None] * pixels
        return loss


def compile_kernels(target: Target, directory: Path, *flags: str) -> Path:
    """The object of the C kernels; `flags` can rename its symbols."""
    output = directory / f"fake-{target.name}.o"
    source = KERNELS / "fake_kernels.c"
    include = f"-I{resources.path('runtime')}"
    command = [toolchain.find(target.tool("gcc")), *target.c_flags, include, *flags]
    subprocess.run([*command, "-c", source, "-o", output], check=True)
    return output
