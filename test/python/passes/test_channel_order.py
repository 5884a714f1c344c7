# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Orders of channels, against all permutations."""

import itertools

import numpy as np
import pytest

from tte_mlir.passes.channel_order import order_channels, runs


def together(order, chosen) -> bool:
    places = sorted(order.index(channel) for channel in chosen)
    return places[-1] - places[0] == len(places) - 1


def possible(count, sets) -> list[bool]:
    """For each set whether it can lie together with those before it that can."""
    orders = list(itertools.permutations(range(count)))
    found = []
    for chosen in sets:
        left = [order for order in orders if together(order, chosen)]
        found.append(bool(left))
        orders = left or orders
    return found


@pytest.mark.parametrize("seed", range(40))
def test_sets_lie_together_where_an_order_exists(seed: int):
    random = np.random.default_rng(seed)
    count = 6
    sets = [
        frozenset(random.choice(count, random.integers(1, count), replace=False).tolist())
        for _ in range(random.integers(1, 5))
    ]
    order = order_channels(count, sets)
    assert sorted(order) == list(range(count))
    for chosen, expected in zip(sets, possible(count, sets), strict=True):
        assert together(order, chosen) == expected, f"seed {seed}: {sets}, {order}"


def test_two_sets_always_lie_together():
    order = order_channels(8, [frozenset({1, 5, 7}), frozenset({0, 5, 3})])
    assert together(order, {1, 5, 7}) and together(order, {0, 5, 3})
    assert order[-3:] == [2, 4, 6]  # in no set


def test_what_cannot_lie_together_falls_into_few_runs():
    sets = [frozenset(range(0, 60, 2)), frozenset(range(20)), frozenset(range(0, 60, 3))]
    order = order_channels(60, sets)
    assert together(order, sets[0]) and together(order, sets[1])
    assert len(runs(order.index(channel) for channel in sets[2])) <= 4


def test_many_sets_take_no_long_search():
    random = np.random.default_rng(0)
    sets = [frozenset(random.choice(240, 60, replace=False).tolist()) for _ in range(6)]
    order = order_channels(240, sets)
    assert together(order, sets[0]) and together(order, sets[1])


def test_runs():
    assert runs([5, 1, 2, 9, 8]) == [(1, 2), (5, 1), (8, 2)]
    assert runs([]) == []
