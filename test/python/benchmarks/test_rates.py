# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The search for a learning rate against accuracies with a known best rate."""

import math
from collections.abc import Callable, Sequence

import pytest
from accuracy.rates import choose, trial_count

START = 4e-3


def peak_at(best: float) -> Callable[[Sequence[float]], list[float]]:
    """Accuracies that fall with the distance from `best` in factors."""
    return lambda rates: [-abs(math.log(rate / best)) for rate in rates]


@pytest.mark.parametrize("factor", [1 / 30, 0.5, 1, 1.4, 2, 30])
def test_finds_the_best_rate_within_a_factor_of_two(factor):
    choice = choose(peak_at(START * factor), START, rounds=3)
    assert abs(math.log2(choice.rate / (START * factor))) <= 1
    assert choice.is_interior


def test_tries_the_same_number_of_rates_unless_the_best_lies_at_an_edge():
    for factor in (1 / 30, 0.3, 1, 3, 30):
        assert len(choose(peak_at(START * factor), START, rounds=3).trials) == trial_count(3)


@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_goes_on_from_an_edge(factor):
    choice = choose(peak_at(START * factor), START, rounds=3)
    assert choice.is_interior
    assert trial_count(3) < len(choice.trials) <= trial_count(5)


def test_says_that_the_best_rate_lies_at_the_edge():
    choice = choose(peak_at(START * 1e9), START, rounds=3)
    assert not choice.is_interior
    assert choice.rate == max(choice.trials)


def test_prefers_the_smaller_of_equal_rates():
    plateau = choose(lambda rates: [50.0 * (r > START / 5) for r in rates], START, rounds=1)
    assert plateau.rate == START / 4
