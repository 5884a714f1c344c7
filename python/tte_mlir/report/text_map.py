# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The memory map in characters, and what is alive when, for a terminal."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from .plan import FunctionPlan, Value

_MARKS = {"input": "i", "forward": "f", "backward": "b", "update": "u"}
_STYLES = {"input": "bright_black", "forward": "blue", "backward": "yellow", "update": "green"}
_FREE, _SHARED = "·", "#"


def render_map(function: FunctionPlan, width: int = 100, height: int = 24) -> Group:
    """Addresses upwards, calls to the right, each cell the phase of what fills most of it; under
    it the peak with what is alive then and why."""
    columns = min(width - 14, max(len(function.calls), 1))
    peak = function.peak()
    lines = [_row(function, row, height, columns) for row in reversed(range(height))]
    marker = Text(" " * (13 + _column(peak, function, columns)) + "^", style="red")
    legend = Text(
        " " * 13 + "i input, f forward, b backward, u update, # written over what is read"
    )
    return Group(*lines, marker, legend, render_live(function, peak))


def _column(call: int, function: FunctionPlan, columns: int) -> int:
    return call * columns // max(len(function.calls), 1)


def _row(function: FunctionPlan, row: int, height: int, columns: int) -> Text:
    """One line: the addresses of the `row`th of `height` parts of the arena."""
    size = max(function.arena.bytes, 1)
    begin, end = row * size // height, (row + 1) * size // height
    line = Text(f"{begin:>12,} ")
    count = max(len(function.calls), 1)
    for column in range(columns):
        first = column * count // columns
        last = max(first, (column + 1) * count // columns - 1)
        line.append(*_cell(function, begin, max(end, begin + 1), first, last))
    return line


def _cell(function: FunctionPlan, begin: int, end: int, first: int, last: int) -> tuple[str, str]:
    """Mark and style of what fills most of the addresses and calls of a cell."""
    filled: dict[str, int] = {}
    inside: list[Value] = []
    for value in function.values:
        height = min(value.end, end) - max(value.offset, begin)
        length = min(value.last, last) - max(value.first, first) + 1
        if height > 0 and length > 0:
            filled[value.phase] = filled.get(value.phase, 0) + height * length
            inside.append(value)
    if 2 * sum(filled.values()) < (end - begin) * (last - first + 1):
        return _FREE, "dim"
    phase = max(filled, key=lambda name: filled[name])
    shares = any(
        operand.last == result.first
        and first <= result.first <= last
        and _share(operand, result, begin, end)
        for result in inside
        for operand in inside
        if operand is not result
    )
    return (_SHARED if shares else _MARKS[phase]), _STYLES[phase]


def _share(one: Value, other: Value, begin: int, end: int) -> bool:
    """Whether both use the same bytes between two addresses."""
    first, last = one.shared(other)
    return max(first, begin) < min(last, end)


def render_live(function: FunctionPlan, index: int) -> Table:
    """What is alive during a call, from the top of the arena down, and why."""
    is_peak = index == function.peak()
    title = (
        f"{'peak: ' if is_peak else ''}call {index}, {function.describe(index)}: "
        f"{function.live_bytes(index):,} B alive"
    )
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("offset", justify="right")
    table.add_column("bytes", justify="right")
    table.add_column("value", overflow="fold")
    table.add_column("why", overflow="fold")
    for value in sorted(function.live(index), key=lambda value: (-value.offset, -value.size)):
        table.add_row(
            f"{value.offset:,}",
            f"{value.size:,}",
            Text(value.name, style=_STYLES[value.phase]),
            function.reason(value, index),
        )
    return table
