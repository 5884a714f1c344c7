# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The rows of the study and what a row does on a task: choose a rate, train with each seed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from accuracy.device import DeviceTrainer, Run
from accuracy.fp32 import Fp32Trainer
from accuracy.movement import Movement
from accuracy.rates import Choice, choose
from accuracy.tasks import CLASSES, TASKS, Images, Task
from networks import SCHEMES, checkpoint

_BIASES = Path(__file__).with_name("mcunet-biases.yaml")

DEFAULT = "stochastic"
"""The rule of the default recipe."""

MOVING_STEPS = 1000
MOVING_TASK = "turned"
MOVING_ROWS = ("stochastic", "residual", "nearest", "no-qas", "qas-real", "no-qas-real")
"""Where the movements of single weights are looked at: the task on which rules differ most."""

_RATE = 4e-3
_RATE_WITHOUT_SCALING = 1024.0
"""Where the search starts: without quantization-aware scaling a step in the grid is s**2 times
smaller, s about 1e-3 in the networks of the study."""


class Trainer(Protocol):
    def accuracies(
        self, task: Task, images: Sequence[Images], held_out: Images, runs: Sequence[Run]
    ) -> list[float]: ...


@dataclass(frozen=True)
class Row:
    """One line of the table. With `rate_of` the rates are those of another row, not its own."""

    name: str
    network: str
    scheme: str
    rule: str
    trainer: Trainer
    start: float = _RATE
    rate_of: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a row gave on a task: percent of the test images by seed, and how its rate came.

    `seconds` is the processor time of all that, compilation and trials included.
    """

    row: str
    task: str
    rate: float
    trials: dict[str, float]
    accuracies: dict[str, float]
    seconds: float | None = None

    @property
    def is_interior(self) -> bool:
        """Whether lower and higher rates were tried and found no better."""
        rates = [float(rate) for rate in self.trials]
        return not rates or min(rates) < self.rate < max(rates)


@dataclass(frozen=True)
class Movements:
    """How far the first steps of a row on a task move the trained weights of each layer."""

    row: str
    task: str
    rate: float
    steps: int
    layers: list[Movement]


@dataclass(frozen=True)
class Study:
    """`rounds` of the search for a rate; `cut` shortens all tasks (`--quick`)."""

    rounds: int = 3
    cut: tuple[int, int] | None = None
    rows: tuple[Row, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(self._rows()))

    def task(self, name: str) -> Task:
        task = TASKS[name]
        return task if self.cut is None else task.shortened(*self.cut)

    def run(self, row: Row, task_name: str, known: Choice | None) -> Outcome:
        """Chooses a rate unless it is `known` from another row, then trains with every seed."""
        began = _processor_seconds()
        task = self.task(task_name)
        choice = known or self._choose(row, task)
        seeds = range(task.seeds)
        accuracies = row.trainer.accuracies(
            task,
            [task.training(seed) for seed in seeds],
            task.test(),
            [Run(choice.rate, seed) for seed in seeds],
        )
        return Outcome(
            row.name,
            task.name,
            choice.rate,
            {} if known else {str(rate): value for rate, value in choice.trials.items()},
            {str(seed): value for seed, value in zip(seeds, accuracies, strict=True)},
            round(_processor_seconds() - began, 1),
        )

    def move(self, row: Row, task_name: str, rate: float) -> Movements:
        """Trains with the first seed for at most MOVING_STEPS steps and sees what they change."""
        task = self.task(task_name)
        images = task.training(0)
        steps = min(MOVING_STEPS, task.epochs * len(images))
        assert isinstance(row.trainer, DeviceTrainer)
        layers = row.trainer.movements(task, images, Run(rate, 0), steps)
        return Movements(row.name, task_name, rate, steps, layers)

    def _choose(self, row: Row, task: Task) -> Choice:
        images, validation = task.trial(), task.validation()

        def accuracies(rates: Sequence[float]) -> list[float]:
            runs = [Run(rate, 0) for rate in rates]
            return row.trainer.accuracies(task, [images] * len(runs), validation, runs)

        return choose(accuracies, row.start, self.rounds, chance=100 / CLASSES)

    def _rows(self) -> Iterator[Row]:
        mcunet, middle = checkpoint("mcunet"), _scheme("mcunet-99kb")
        yield Row("fp32", "mcunet", "99 KB", "fp32 (PyTorch)", Fp32Trainer(mcunet, middle))
        for rule in (DEFAULT, "residual", "nearest"):
            trainer = DeviceTrainer(mcunet, middle, rounding=rule)
            yield Row(rule, "mcunet", "99 KB", rule, trainer)
        without = DeviceTrainer(mcunet, middle, qas=False)
        yield Row("no-qas", "mcunet", "99 KB", "stochastic, no QAS", without, _RATE_WITHOUT_SCALING)
        for qas in (True, False):
            trainer = DeviceTrainer(mcunet, middle, qas=qas, real_classifier=True)
            title = f"stochastic, {'' if qas else 'no '}QAS, f32 classifier, shared rate"
            name = "qas-real" if qas else "no-qas-real"
            yield Row(name, "mcunet", "99 KB", title, trainer, rate_of=DEFAULT)
        biases = DeviceTrainer(mcunet, str(_BIASES))
        yield Row("biases", "mcunet", "its biases", "stochastic", biases)
        yield Row(
            "classifier", "mcunet", "classifier", "stochastic", DeviceTrainer(mcunet, "last:0")
        )
        for budget in (49, 74, 148):
            update = _scheme(f"mcunet-{budget}kb")
            trainer = DeviceTrainer(mcunet, update)
            yield Row(f"mcunet-{budget}", "mcunet", f"{budget} KB", DEFAULT, trainer)
        yield Row("mcunet-full", "mcunet", "full", DEFAULT, DeviceTrainer(mcunet, "full"))
        mbv2 = checkpoint("mbv2")
        for budget in (49, 138):
            update = _scheme(f"mbv2-{budget}kb")
            pair = (("fp32", Fp32Trainer(mbv2, update)), (DEFAULT, DeviceTrainer(mbv2, update)))
            for rule, trainer in pair:
                title = "fp32 (PyTorch)" if rule == "fp32" else rule
                yield Row(f"mbv2-{budget}-{rule}", "mbv2", f"{budget} KB", title, trainer)


def _processor_seconds() -> float:
    """Of this process and of the compilers that it ran."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _scheme(name: str) -> str:
    """The update scheme of a file in examples/schemes/."""
    return str(SCHEMES / f"{name}.yaml")
