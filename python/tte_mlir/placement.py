# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Placement of buffers by itself: sizes and lifetimes in, offsets out. Needs no model and no IR."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tte_mlir.errors import TTEError

EFFORT = 8_000_000_000  # well under a minute on two cores, where nothing is proved earlier

_COLUMNS = ("id", "lower", "upper", "size")
_LARGEST = 2**63 - 1
_LARGEST_SUM = 2**61 - 1  # of sizes, aligned


@dataclass(frozen=True)
class Buffer:
    """`size` bytes, needed from time `lower` until before time `upper`."""

    name: str
    lower: int
    upper: int
    size: int


@dataclass(frozen=True)
class Placement:
    """Offsets in bytes, in the order of the buffers. No placement is lower than `lower_bound`."""

    offsets: list[int]
    height: int
    lower_bound: int

    @property
    def proved(self) -> bool:
        return self.height == self.lower_bound


def place(
    buffers: Sequence[Buffer],
    *,
    alignment: int = 1,
    capacity: int | None = None,
    effort: int = EFFORT,
    time_limit: float | None = None,
) -> Placement:
    """Places `buffers` as low as it can: within `capacity` first, then lower.

    `effort` limits all searches, each to half of what is left; a million is some 10 ms.
    `time_limit` is in seconds: with it the result depends on the machine.
    """
    from tte_mlir.dialects.tte import place_buffers  # loads MLIR

    lifetimes = [(b.size, b.lower, b.upper - 1, None) for b in buffers]
    return Placement(*place_buffers(lifetimes, [], alignment, effort, time_limit, capacity))


def check_capacity(buffers: Sequence[Buffer], placement: Placement, capacity: int) -> None:
    """Raises TTEError, with what is known, where `placement` exceeds `capacity`."""
    if placement.height <= capacity:
        return
    time, alive = _largest_demand(buffers)
    demand = sum(buffer.size for buffer in alive)
    if demand > capacity:
        largest = sorted(alive, key=lambda buffer: -buffer.size)
        names = ", ".join(f"{buffer.name} {buffer.size:,}" for buffer in largest[:3])
        more = f" and {len(alive) - 3} more" if len(alive) > 3 else ""
        raise TTEError(
            f"a capacity of {capacity:,} is too small by {demand - capacity:,}: at time {time} "
            f"{demand:,} are alive ({names}{more})"
        )
    if placement.lower_bound > capacity:
        raise TTEError(
            f"a capacity of {capacity:,} is too small: the search proved that at least "
            f"{placement.lower_bound:,} are needed"
        )
    raise TTEError(
        f"no placement within {capacity:,} found: the lowest found is {placement.height:,}, the "
        f"lower bound {placement.lower_bound:,}; a larger --effort may find one"
    )


def _largest_demand(buffers: Sequence[Buffer]) -> tuple[int, list[Buffer]]:
    """The first time at which most is alive, and what is alive then."""
    changes = sorted(
        change
        for buffer in buffers
        for change in ((buffer.lower, buffer.size), (buffer.upper, -buffer.size))
    )
    demand = largest = at = 0
    for time, change in changes:  # at one time ends come first
        demand += change
        if demand > largest:
            largest, at = demand, time
    return at, [buffer for buffer in buffers if buffer.lower <= at < buffer.upper]


# The field's CSV


def read_csv(path: Path) -> list[Buffer]:
    """Reads `id,lower,upper,size` (the format of MiniMalloc's benchmarks). TTEError names a line
    that is wrong."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file, strict=True))
    except OSError as error:
        raise TTEError(f"{path}: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error):
        raise TTEError(f"{path}: not a CSV file") from None
    if not rows:
        raise TTEError(f"{path}: empty, expected a line {','.join(_COLUMNS)}")
    header = [name.strip() for name in rows[0]]
    if sorted(set(header) - {"offset"}) != sorted(_COLUMNS) or len(set(header)) != len(header):
        raise TTEError(
            f"{path}: line 1 must name the columns {','.join(_COLUMNS)}, found '{','.join(header)}'"
        )
    buffers = list(_read_rows(path, header, rows[1:]))
    if sum(buffer.size for buffer in buffers) > _LARGEST_SUM:
        raise TTEError(f"{path}: the sizes add up to more than {_LARGEST_SUM}")
    return buffers


def _read_rows(path: Path, header: list[str], rows: Iterable[list[str]]) -> Iterator[Buffer]:
    names: dict[str, int] = {}
    for line, row in enumerate(rows, start=2):
        if not row:
            continue
        where = f"{path}: line {line}"
        if len(row) != len(header):
            raise TTEError(f"{where}: {len(row)} fields, expected {len(header)}")
        fields = dict(zip(header, (field.strip() for field in row), strict=True))
        name = fields["id"]
        if not name:
            raise TTEError(f"{where}: the id is empty")
        if name in names:
            raise TTEError(f"{where}: the id '{name}' stands in line {names[name]} already")
        names[name] = line
        lower, upper, size = (
            _read_number(f"{where}, {column} of '{name}'", fields[column])
            for column in _COLUMNS[1:]
        )
        if size < 1:
            raise TTEError(f"{where}: the size of '{name}' is {size}, expected at least 1")
        if upper <= lower:
            what = "ends as it begins" if upper == lower else "ends before it begins"
            raise TTEError(f"{where}: '{name}' {what}: lower {lower}, upper {upper}")
        yield Buffer(name, lower, upper, size)


def _read_number(where: str, text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise TTEError(f"{where}: '{text[:40]}' is not a whole number")
    digits = text.lstrip("+-").lstrip("0") or "0"
    if len(digits) > 19 or int(digits) > _LARGEST:
        raise TTEError(f"{where}: {text[:40]} needs more than 64 bits")
    return -int(digits) if text.startswith("-") else int(digits)


def format_csv(buffers: Sequence[Buffer], placement: Placement) -> str:
    """The CSV with a column `offset`."""
    lines = [",".join((*_COLUMNS, "offset"))]
    for buffer, offset in zip(buffers, placement.offsets, strict=True):
        lines.append(f"{_quote(buffer.name)},{buffer.lower},{buffer.upper},{buffer.size},{offset}")
    return "\n".join(lines)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if re.search(r'[",\r\n]', name) else name
