# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Seeded perfect packings: buffers that fill a rectangle of time and memory without a gap.

The optimum is the height, and there is no slack: at every time all of it is in use. The rectangle
is cut at random, each time a part drawn by its area, once straight through or, for one cut in
five, in five around a middle (so that no straight cut leads through). Names and order tell nothing
of where a buffer lies.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tte_mlir.placement import Buffer

HEIGHT = 2**20
DURATION = 1000  # short enough that many buffers begin or end at one time
_PINWHEELS = 0.2


@dataclass(frozen=True)
class Packing:
    buffers: list[Buffer]
    height: int


def generate(count: int, seed: int, height: int = HEIGHT, duration: int = DURATION) -> Packing:
    """A perfect packing of `count` buffers."""
    draw = random.Random(f"perfect packing {count} {seed} {height} {duration}")
    parts = [(0, duration, 0, height)]  # left, right, bottom, top
    while len(parts) < count:
        areas = [(right - left) * (top - bottom) for left, right, bottom, top in parts]
        (index,) = draw.choices(range(len(parts)), areas)
        parts[index : index + 1] = _cut(draw, *parts[index], room=count - len(parts))
    draw.shuffle(parts)
    buffers = [
        Buffer(f"b{i}", left, right, top - bottom)
        for i, (left, right, bottom, top) in enumerate(parts)
    ]
    return Packing(buffers, height)


def _cut(draw, left, right, bottom, top, room):
    """The part in two, in five, or whole where it is too narrow for the cut that was drawn."""
    if room >= 4 and right - left > 2 and top - bottom > 2 and draw.random() < _PINWHEELS:
        first, second = sorted(draw.sample(range(left + 1, right), 2))
        low, high = sorted(draw.sample(range(bottom + 1, top), 2))
        return [
            (left, second, bottom, low),
            (second, right, bottom, high),
            (first, right, high, top),
            (left, first, low, top),
            (first, second, low, high),
        ]
    if draw.random() < 0.5:
        if right - left < 2:
            return [(left, right, bottom, top)]
        at = draw.randrange(left + 1, right)
        return [(left, at, bottom, top), (at, right, bottom, top)]
    if top - bottom < 2:
        return [(left, right, bottom, top)]
    at = draw.randrange(bottom + 1, top)
    return [(left, right, bottom, at), (left, right, at, top)]
