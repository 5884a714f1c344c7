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
    choice = choose(peak_at(START * factor), START, rounds=3, chance=-math.inf)
    assert abs(math.log2(choice.rate / (START * factor))) <= 1
    assert choice.is_interior


def test_tries_the_same_number_of_rates_unless_the_best_lies_at_an_edge():
    for factor in (1 / 30, 0.3, 1, 3, 30):
        choice = choose(peak_at(START * factor), START, rounds=3, chance=-math.inf)
        assert len(choice.trials) == trial_count(3)


@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_goes_on_from_an_edge(factor):
    choice = choose(peak_at(START * factor), START, rounds=3, chance=-math.inf)
    assert choice.is_interior
    assert trial_count(3) < len(choice.trials) <= trial_count(5)


def test_says_that_the_best_rate_lies_at_the_edge():
    choice = choose(peak_at(START * 1e9), START, rounds=3, chance=-math.inf)
    assert not choice.is_interior
    assert choice.rate == max(choice.trials)


def test_prefers_the_smaller_of_equal_rates():
    def plateau(rates):
        return [50.0 * (rate > START / 5) for rate in rates]

    choice = choose(plateau, START, rounds=1, chance=-1)
    assert choice.rate == START / 4


def test_passes_over_a_rate_just_below_one_that_diverged():
    def accuracies(rates):
        return [10.0 if rate > 1.2 * START else 50 + rate for rate in rates]

    choice = choose(accuracies, START, rounds=3, chance=10)
    assert START in choice.trials
    assert min(rate for rate, accuracy in choice.trials.items() if accuracy == 10) < 1.5 * START
    assert choice.rate == max(rate for rate in choice.trials if rate < START)
