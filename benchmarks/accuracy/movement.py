# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How far single steps move the i8 weights of a program: which layers lose their steps, and where.

A step smaller than half a quantum changes nothing when it rounds to nearest; rounded stochastically
the mean change is the mean step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

_BOUND = 127


@dataclass(frozen=True)
class Movement:
    """Of the trained weights of one layer, over all steps: how far a weight moves in a step, in
    quanta, what share of the weights moves, and what share lies at a bound at the end."""

    layer: str
    distance: float
    moved: float
    bounded: float


class MovementCount:
    """Adds up what steps change of `weights`: i8, by the name of the layer."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self._last = {layer: array.astype(np.int16) for layer, array in weights.items()}
        self._distance = dict.fromkeys(weights, 0.0)
        self._moved = dict.fromkeys(weights, 0.0)
        self._steps = 0

    def step(self, weights: Mapping[str, np.ndarray]) -> None:
        """Counts the change to `weights` as that of one step."""
        self._steps += 1
        for layer, array in weights.items():
            change = array - self._last[layer]
            self._distance[layer] += float(np.abs(change).mean())
            self._moved[layer] += float((change != 0).mean())
            self._last[layer] += change

    def result(self) -> list[Movement]:
        """A movement a layer, in the order of the weights."""
        return [
            Movement(
                layer,
                self._distance[layer] / self._steps,
                self._moved[layer] / self._steps,
                float((np.abs(last) >= _BOUND).mean()),
            )
            for layer, last in self._last.items()
        ]


def mean(movements: Iterable[Movement]) -> Movement:
    """The mean over layers, each counted once."""
    found = list(movements)
    values = np.mean([(m.distance, m.moved, m.bounded) for m in found], axis=0)
    return Movement("mean", *map(float, values))
