# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Trains a compiled program on the host, one image a step, as a board would."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mlir.ir as ir
import numpy as np
from accuracy.real_classifier import with_real_classifier
from accuracy.tasks import CLASSES, Images, Task, batches, to_rgb

import tte_mlir as tte
from tte_mlir.artifacts import Artifacts
from tte_mlir.backend.device import DeviceError
from tte_mlir.frontend.mcunet_checkpoint import load_checkpoint, pixel_scaling
from tte_mlir.recipe import InputScaling


@dataclass(frozen=True)
class Run:
    """One training: which rate, which seed (of the order, the classifier and the rounding)."""

    rate: float
    seed: int


@dataclass(frozen=True)
class DeviceTrainer:
    """Trains a compiled int8 backbone with a fresh classifier for each seed.

    `update` is a scheme as the recipe takes it. The classifier is int8 as all the rest, or f32.
    """

    checkpoint: Path
    update: str
    rounding: str = "stochastic"
    qas: bool = True
    real_classifier: bool = False

    def accuracies(
        self, task: Task, images: Sequence[Images], held_out: Images, runs: Sequence[Run]
    ) -> list[float]:
        """Percent of `held_out` that is right after each run on its images."""
        return [
            self._accuracy(task, training, held_out, run)
            for training, run in zip(images, runs, strict=True)
        ]

    def _accuracy(self, task: Task, images: Images, held_out: Images, run: Run) -> float:
        simulator = _program(self, run.seed).simulator()
        steps = batches(images, task.epochs, run.seed)
        try:
            for step, index in enumerate(steps):
                rate = run.rate * (1 - step / len(steps))
                simulator.train_step(to_rgb(images.x[index]), int(images.y[index]), rate)
        except DeviceError:  # the loss is not finite: this rate diverges
            return 0.0
        right = sum(
            int(np.argmax(simulator.infer(to_rgb(image)))) == label
            for image, label in zip(held_out.x, held_out.y, strict=True)
        )
        return 100 * float(right) / len(held_out)


@functools.lru_cache(6)
def _program(trainer: DeviceTrainer, seed: int) -> Artifacts:
    """The compiled program, kept as long as the process lives."""
    module = load_checkpoint(trainer.checkpoint, CLASSES, seed, ir.Context())
    scale, offset = pixel_scaling(module)
    if trainer.real_classifier:
        with_real_classifier(module)
    recipe = tte.Recipe(
        update=trainer.update,
        rounding=trainer.rounding,
        qas=trainer.qas,
        seed=seed,
        input=InputScaling(scale=scale, offset=offset),
    )
    program = tte.compile(module, recipe=recipe, target="host")
    return program.save(tempfile.mkdtemp(prefix="tte-accuracy-"))
