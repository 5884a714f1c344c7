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
from accuracy.movement import Movement, MovementCount
from accuracy.prefix import Features, PrefixedSimulator
from accuracy.real_classifier import with_real_classifier
from accuracy.tasks import CLASSES, Images, Task, batches, to_rgb

import tte_mlir as tte
from tte_mlir.artifacts import PLAN, Artifacts
from tte_mlir.backend.device import DeviceError
from tte_mlir.frontend.mcunet_checkpoint import load_checkpoint, pixel_scaling
from tte_mlir.passes.parameters import parameters_of
from tte_mlir.recipe import InputScaling
from tte_mlir.report import read_plan


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

    def movements(self, task: Task, images: Images, run: Run, count: int) -> list[Movement]:
        """What the first `count` steps of a run change of the trained i8 weights of each layer."""
        artifacts = _program(self, run.seed)
        simulator, layers = PrefixedSimulator(artifacts), _trained_weights(artifacts)

        def weights() -> dict[str, np.ndarray]:
            state = simulator.state.view(np.int8)
            return {layer: state[begin:end] for layer, (begin, end) in layers.items()}

        movement = MovementCount(weights())
        steps = batches(images, task.epochs, run.seed)
        for step, index in enumerate(steps[:count]):
            features = simulator.prefix("train_step", to_rgb(images.x[index]))
            rate = run.rate * (1 - step / len(steps))
            simulator.train_step(features, int(images.y[index]), rate)
            movement.step(weights())
        return movement.result()


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


def _trained_weights(artifacts: Artifacts) -> dict[str, tuple[int, int]]:
    """Where the i8 weights lie in the state, by the name of the layer."""
    module = ir.Module.parse((artifacts.directory / PLAN).read_text(), ir.Context())
    parameters = parameters_of(module)
    return {
        slot.name.removesuffix(".weight"): (slot.offset, slot.offset + slot.size)
        for slot in read_plan(module).states
        if slot.name.endswith(".weight") and np.array(parameters[slot.name].value).dtype == np.int8
    }


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
