# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Placements against brute force and against a checker of their own; perfect packings."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perfect_packings import generate

from tte_mlir import placement
from tte_mlir.dialects.tte import place_buffers


@dataclass(frozen=True)
class Pair:
    operand: int
    result: int
    traversal: str
    lag: int

    def allows(self, operand: int, operand_bytes: int, result: int, result_bytes: int) -> bool:
        """The definition, for two that are not disjoint."""
        if self.traversal == "ascending":
            return operand - result >= self.lag
        if self.traversal == "descending":
            return result + result_bytes - operand - operand_bytes >= self.lag
        return operand == result


@dataclass(frozen=True)
class Case:
    """Buffers (bytes, first, last, fixed offset or None) and pairs that may overlap."""

    buffers: list[tuple[int, int, int, int | None]]
    pairs: list[Pair]
    alignment: int

    def place(self, **options):
        pairs = [(p.operand, p.result, p.traversal, p.lag) for p in self.pairs]
        return place_buffers(self.buffers, pairs, self.alignment, **options)

    def is_safe(self, i: int, at: int, j: int, other: int) -> bool:
        (a, first, last, _), (b, other_first, other_last, _) = self.buffers[i], self.buffers[j]
        if last < other_first or other_last < first or at + a <= other or other + b <= at:
            return True
        for pair in self.pairs:
            if (pair.operand, pair.result) == (i, j):
                return pair.allows(at, a, other, b)
            if (pair.operand, pair.result) == (j, i):
                return pair.allows(other, b, at, a)
        return False

    def faults(self, offsets: list[int], height: int) -> list[str]:
        found = []
        for i, (size, _, _, fixed) in enumerate(self.buffers):
            if offsets[i] % self.alignment or offsets[i] < 0 or offsets[i] + size > height:
                found.append(f"{i} is misplaced at {offsets[i]}")
            if fixed is not None and offsets[i] != fixed:
                found.append(f"{i} lies at {offsets[i]}, must be at {fixed}")
            for j in range(i):
                if not self.is_safe(i, offsets[i], j, offsets[j]):
                    found.append(f"{i} at {offsets[i]} is not safe to {j} at {offsets[j]}")
        return found

    def least_height(self) -> int:
        """By trying every offset."""
        unit = self.alignment
        for height in itertools.count(0, unit):
            if self._fits(height, []):
                return height

    def _fits(self, height: int, offsets: list[int]) -> bool:
        index = len(offsets)
        if index == len(self.buffers):
            return True
        size, _, _, fixed = self.buffers[index]
        choices = range(0, height - size + 1, self.alignment) if fixed is None else [fixed]
        for at in choices:
            safe = all(self.is_safe(index, at, j, other) for j, other in enumerate(offsets))
            if at + size <= height and safe and self._fits(height, [*offsets, at]):
                return True
        return False


@st.composite
def cases(draw: st.DrawFn, overlaps: bool = False, fixed: bool = False) -> Case:
    alignment = draw(st.sampled_from([1, 4]))
    buffers = []
    for _ in range(draw(st.integers(1, 6))):
        first = draw(st.integers(0, 5))
        last = draw(st.integers(first, min(first + 4, 6)))
        buffers.append((draw(st.integers(1, 4 * alignment)), first, last, None))
    pairs = []
    if overlaps:
        taken: set[int] = set()  # a result has one operand, an operand one result
        for i, j in itertools.permutations(range(len(buffers)), 2):
            if taken & {i, j} or buffers[i][2] != buffers[j][1] or buffers[i][1] == buffers[j][1]:
                continue
            if buffers[j][1] == buffers[j][2]:
                continue
            traversal = draw(st.sampled_from(["ascending", "descending", "exact"]))
            pairs.append(Pair(i, j, traversal, draw(st.integers(-8, 8))))
            taken |= {i, j}
    if fixed:
        size, first, last, _ = buffers[0]
        buffers[0] = (size, first, last, alignment * draw(st.integers(0, 3)))
    return Case(buffers, pairs, alignment)


@settings(max_examples=150, deadline=None)
@given(cases())
def test_least_height(case):
    offsets, height, bound = case.place()
    assert case.faults(offsets, height) == []
    assert height == bound == case.least_height()


@settings(max_examples=100, deadline=None)
@given(cases(fixed=True))
def test_fixed_offsets(case):
    offsets, height, bound = case.place()
    assert case.faults(offsets, height) == []
    assert height == bound == case.least_height()


@settings(max_examples=150, deadline=None)
@given(cases(overlaps=True))
def test_overlaps(case):
    offsets, height, bound = case.place(effort=300_000)
    assert case.faults(offsets, height) == []
    assert bound <= case.least_height() <= height


@settings(max_examples=60, deadline=None)
@given(cases(overlaps=True, fixed=True))
def test_overlaps_and_fixed_offsets(case):
    offsets, height, bound = case.place(effort=300_000)
    assert case.faults(offsets, height) == []
    assert bound <= case.least_height() <= height


def chain(traversal: str, lag: int) -> Case:
    """Three values, each written over the one before it, beside one that lives throughout."""
    buffers = [(64, 0, 1, None), (64, 1, 2, None), (64, 2, 3, None), (16, 0, 3, None)]
    return Case(buffers, [Pair(0, 1, traversal, lag), Pair(1, 2, traversal, lag)], 16)


@pytest.mark.parametrize(
    ("traversal", "lag", "height"),
    [
        ("exact", 0, 80),
        ("ascending", 0, 80),
        ("descending", 0, 80),
        ("ascending", -32, 80),
        ("ascending", 16, 112),
        ("descending", 16, 112),
        ("ascending", 64, 144),
    ],
)
def test_chain_in_place(traversal, lag, height):
    case = chain(traversal, lag)
    offsets, found, bound = case.place()
    assert case.faults(offsets, found) == []
    assert found == height == case.least_height()
    assert bound <= height


def many(seed: int, count: int) -> list[placement.Buffer]:
    draw = random.Random(seed)
    buffers = []
    for i in range(count):
        lower = draw.randrange(0, 200)
        size = 16 * draw.randrange(1, 200)
        buffers.append(placement.Buffer(str(i), lower, lower + draw.randrange(1, 40), size))
    return buffers


@pytest.mark.parametrize("seed", range(3))
def test_checker_on_large_ones(seed):
    buffers = many(seed, 150)
    found = placement.place(buffers, alignment=16, effort=2_000_000)
    case = Case([(b.size, b.lower, b.upper - 1, None) for b in buffers], [], 16)
    assert case.faults(found.offsets, found.height) == []
    assert found.lower_bound >= max(
        sum(b.size for b in buffers if b.lower <= time < b.upper) for time in range(240)
    )


def test_same_result_every_time():
    buffers = many(7, 120)
    first, second = (placement.place(buffers, effort=8_000_000) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("buffers", [100, 300, 500])
@pytest.mark.parametrize("seed", [1, 2])
def test_perfect_packing(buffers, seed):
    packing = generate(buffers, seed)
    assert len(packing.buffers) == buffers
    found = placement.place(packing.buffers, capacity=packing.height)
    case = Case([(b.size, b.lower, b.upper - 1, None) for b in packing.buffers], [], 1)
    assert case.faults(found.offsets, found.height) == []
    assert found.proved
    assert found.height == packing.height


def test_capacity_first():
    """Within the capacity is enough where the bound is out of reach of the effort."""
    buffers = many(3, 100)
    least = placement.place(buffers, effort=4_000_000)
    roomy = placement.place(buffers, capacity=2 * least.height, effort=0)
    assert least.height <= roomy.height <= 2 * least.height


def test_nothing_to_place():
    assert place_buffers([], []) == ([], 0, 0)
