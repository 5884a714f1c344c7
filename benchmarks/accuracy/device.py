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
from accuracy.prefix import Features, PrefixedSimulator
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
        accuracies = []
        known = _Prefixes()
        for training, run in zip(images, runs, strict=True):
            simulator = PrefixedSimulator(_program(self, run.seed))
            steps = known.of(simulator, "train_step", training)
            judged = known.of(simulator, "infer", held_out)
            trained = _train(simulator, task, steps, training, run)
            accuracies.append(_percent_right(simulator, judged, held_out) if trained else 0.0)
        return accuracies


class _Prefixes:
    """What the frozen prefix makes of images, kept for all seeds: they share its weights."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], list[Features]] = {}

    def of(self, simulator: PrefixedSimulator, function: str, images: Images) -> list[Features]:
        key = (function, id(images))
        if key not in self._known:
            self._known[key] = [simulator.prefix(function, to_rgb(image)) for image in images.x]
        return self._known[key]


def _train(
    simulator: PrefixedSimulator, task: Task, features: list[Features], images: Images, run: Run
) -> bool:
    """Trains; false where the loss stops being finite, as it does at too high a rate."""
    steps = batches(images, task.epochs, run.seed)
    try:
        for step, index in enumerate(steps):
            rate = run.rate * (1 - step / len(steps))
            simulator.train_step(features[index], int(images.y[index]), rate)
    except DeviceError:
        return False
    return True


def _percent_right(simulator: PrefixedSimulator, features: list[Features], images: Images) -> float:
    predictions = [int(np.argmax(simulator.infer(one))) for one in features]
    return 100 * float(np.mean(np.equal(predictions, images.y)))


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
