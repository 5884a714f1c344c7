# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The search for a learning rate: the same trials for every row. Knows only numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

COARSE = 4.0
"""Factor between the rates of the first trials."""

_MORE_ROUNDS = 2
"""For a search whose best rate lies at an edge."""

_MARGIN = 1.5
"""Between a rate that is chosen and one that diverged in a trial."""

Accuracies = Callable[[Sequence[float]], Sequence[float]]


@dataclass(frozen=True)
class Choice:
    """The best rate, what each trial gave, and whether worse rates were tried on both sides."""

    rate: float
    trials: dict[float, float]

    @property
    def is_interior(self) -> bool:
        """Whether the best rate lies inside the range that was tried."""
        return min(self.trials) < self.rate < max(self.trials)


def choose(accuracies: Accuracies, start: float, rounds: int, chance: float) -> Choice:
    """Tries three rates a factor of 4 apart, then two in each further round.

    A round goes outward by that factor while the best rate lies at an edge, else into the gaps
    beside the best. A search that ends at an edge gets up to two rounds more; one that is still
    there says so in `is_interior`. Of equal accuracies the smaller rate wins. A rate just below
    one that diverged, which leaves an accuracy near `chance`, is passed over: with another seed it
    would diverge itself.
    """
    tried: dict[float, float] = {}
    candidates = [start / COARSE, start, start * COARSE]
    for turn in range(rounds + _MORE_ROUNDS):
        if turn >= rounds and Choice(_best(tried), tried).is_interior:
            break
        tried.update(zip(candidates, accuracies(candidates), strict=True))
        candidates = _next(tried)
    return Choice(_best(_stable(tried, chance)), tried)


def trial_count(rounds: int) -> int:
    """How many rates `choose` tries."""
    return 3 + 2 * (rounds - 1)


def _stable(tried: dict[float, float], chance: float) -> dict[float, float]:
    """The rates with no divergence within a factor of _MARGIN above; all, if there are none."""
    diverged = [rate for rate, accuracy in tried.items() if accuracy <= 1.5 * chance]
    return {
        rate: accuracy
        for rate, accuracy in tried.items()
        if not any(rate <= other <= _MARGIN * rate for other in diverged)
    } or tried


def _best(tried: dict[float, float]) -> float:
    return max(sorted(tried), key=tried.__getitem__)


def _next(tried: dict[float, float]) -> list[float]:
    best, rates = _best(tried), sorted(tried)
    if best == rates[0]:
        return [best / COARSE, best / COARSE**2]
    if best == rates[-1]:
        return [best * COARSE, best * COARSE**2]
    position = rates.index(best)
    return [(best * neighbour) ** 0.5 for neighbour in (rates[position - 1], rates[position + 1])]
