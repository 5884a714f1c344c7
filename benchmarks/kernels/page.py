# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""docs/kernel-shapes.md: families over the grid, and the shapes that are too slow for theirs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from .grid import HOW
from .measure import Found

LIMIT = 1.8
"""A shape may take so many times the instructions a MAC of its family's median."""


def offenders(found: Sequence[Found]) -> list[Found]:
    """The shapes that are too slow for their family, the worst first."""
    medians = _medians(found)
    slow = [one for one in found if one.cost > LIMIT * medians[one.family]]
    return sorted(slow, key=lambda one: -one.cost / medians[one.family])


def _medians(found: Sequence[Found]) -> dict[str, float]:
    families: dict[str, list[float]] = {}
    for one in found:
        families.setdefault(one.family, []).append(one.cost)
    return {family: statistics.median(families[family]) for family in sorted(families)}


def page(found: Sequence[Found]) -> str:
    """The whole document."""
    medians = _medians(found)
    lines = [
        "# Kernels over a grid of shapes",
        "",
        "Made by `./dev bench-kernels`: instructions a MAC on the emulated Cortex-M7 (a weight for "
        "updates). A family must take no shape much worse than its other ones: at most "
        f"{LIMIT} x its median.",
        "",
        HOW,
        "",
        "| family | shapes | least | median | most | most / median | slowest shape |",
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for family, median in medians.items():
        members = sorted((one for one in found if one.family == family), key=lambda o: o.cost)
        least, most = members[0].cost, members[-1].cost
        lines.append(
            f"| {family} | {len(members)} | {least:.2f} | {median:.2f} | {most:.2f} | "
            f"{most / median:.2f} | {members[-1].shape.text} |"
        )
    slow = offenders(found)
    lines += ["", f"Shapes above {LIMIT} x the median of their family: {len(slow) or 'none'}.", ""]
    if slow:
        lines.append("| family | shape | MACs | cost | / median |")
        lines.append("| --- | --- | ---: | ---: | ---: |")
    for one in slow:
        ratio = one.cost / medians[one.family]
        shape = f"{one.shape.text} | {one.shape.case.macs:,}"
        lines.append(f"| {one.family} | {shape} | {one.cost:.2f} | {ratio:.2f} |")
    return "\n".join(lines).rstrip() + "\n"
