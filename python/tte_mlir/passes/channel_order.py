# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An order of channels in which chosen sets of them lie together.

Knows sets of numbers alone. A set lies together where its channels follow each other without one
of another kind between them; orders in which all of several sets do may not exist (the
consecutive-ones property).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_SEARCH_LIMIT = 20_000
"""Steps after which a search for an order gives up; two or three sets take a handful."""

Atom = frozenset[int]
"""The sets that some channels are in, by their indices."""


def order_channels(count: int, sets: Sequence[frozenset[int]]) -> list[int]:
    """An order of the channels 0 to `count` - 1 in which the sets lie together.

    Where not all can, the earlier ones do, and the others fall into few runs. Channels that are in
    no set come last; apart from that channels stay in ascending order.
    """
    kept: list[int] = []
    atoms: list[Atom] = []
    for index in range(len(sets)):
        found = _arrange(_atoms(count, sets, [*kept, index]))
        if found is not None:
            kept, atoms = [*kept, index], found
    others = [index for index in range(len(sets)) if index not in kept]
    place = {atom: number for number, atom in enumerate([*atoms, frozenset()])}

    def key(channel: int) -> tuple:
        missing = [channel not in sets[index] for index in others]
        return place[_atom(channel, sets, kept)], missing, channel

    return sorted(range(count), key=key)


def runs(channels: Iterable[int]) -> list[tuple[int, int]]:
    """The runs (first channel, number of channels) of a set, in ascending order."""
    found: list[tuple[int, int]] = []
    for channel in sorted(channels):
        if found and sum(found[-1]) == channel:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((channel, 1))
    return found


def _atom(channel: int, sets: Sequence[frozenset[int]], kept: Iterable[int]) -> Atom:
    return frozenset(index for index in kept if channel in sets[index])


def _atoms(count: int, sets: Sequence[frozenset[int]], kept: list[int]) -> list[Atom]:
    """The atoms that channels have, but for the empty one, by their first channel."""
    atoms = dict.fromkeys(_atom(channel, sets, kept) for channel in range(count))
    return [atom for atom in atoms if atom]


def _arrange(atoms: list[Atom]) -> list[Atom] | None:
    """An order of atoms in which those of each set follow each other: a depth-first search, in
    which a set that has begun goes on until all its atoms are placed."""
    steps = 0

    def extend(placed: list[Atom], left: list[Atom]) -> list[Atom] | None:
        nonlocal steps
        steps += 1
        if not left or steps > _SEARCH_LIMIT:
            return None if left else placed
        begun = frozenset().union(*placed) & frozenset().union(*left)
        for atom in left:
            if begun <= atom:
                found = extend([*placed, atom], [other for other in left if other != atom])
                if found is not None:
                    return found
        return None

    return extend([], atoms)
