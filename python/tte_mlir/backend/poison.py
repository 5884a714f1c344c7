# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a debug build may overwrite: the bytes of the arena that hold nothing between two calls."""

from __future__ import annotations

import math
from collections.abc import Iterator

import mlir.ir as ir

from tte_mlir.dialects import tte

_GIVEN = ("input", "label", "learning_rate")  # the caller writes them before the first call
_ASKED_FOR = ("loss", "scores")  # the caller reads them after the last call

Range = tuple[int, int]
"""Offset and size, in bytes."""


def dead_ranges(function: ir.OpView, arena_bytes: int) -> tuple[tuple[Range, ...], ...]:
    """For each call of a planned function, the ranges of the arena that hold nothing after it: no
    value that was written and will be read. Ascending, apart from each other."""
    places: dict[object, Range] = {}
    first: dict[object, int] = {}
    last: dict[object, int] = {}
    calls = [op for op in function.regions[0].blocks[0] if _is_call(op)]
    for op in function.regions[0].blocks[0]:
        if not isinstance(op, tte.SubspanOp) or tte.enum_keyword(op.space) != "arena":
            continue
        value = _value(op)
        places[value] = (op.offset.value, _bytes(op))
        attributes = op.operation.attributes
        role = tte.enum_keyword(attributes["tte.role"]) if "tte.role" in attributes else None
        if role in _GIVEN:
            first[value] = -1
        if role in _ASKED_FOR:
            last[value] = len(calls)
    for number, call in enumerate(calls):
        for operand in call.operation.operands:
            value = _value(operand.owner.opview)
            if value in places:
                first.setdefault(value, number)
                last[value] = max(last.get(value, number), number)
    return tuple(
        tuple(
            _gaps(
                sorted(
                    place
                    for value, place in places.items()
                    if first.get(value, len(calls)) <= number < last.get(value, -1)
                ),
                arena_bytes,
            )
        )
        for number in range(len(calls))
    )


def _gaps(taken: list[Range], size: int) -> Iterator[Range]:
    """What sorted ranges leave free of [0, size)."""
    end = 0
    for offset, length in taken:
        if offset > end:
            yield end, offset - end
        end = max(end, offset + length)
    if end < size:
        yield end, size - end


def _is_call(op: ir.OpView) -> bool:
    return isinstance(op, tte.CallOp | tte.RequireFiniteOp)


def _value(op: ir.OpView) -> object:
    """Which value a buffer shows: views of one share its number."""
    attributes = op.operation.attributes
    if "tte.value" in attributes:
        return ir.IntegerAttr(attributes["tte.value"]).value
    return op.operation


def _bytes(op: tte.SubspanOp) -> int:
    kind = ir.MemRefType(op.buffer.type)
    width = 4 if isinstance(kind.element_type, ir.F32Type) else kind.element_type.width // 8
    return math.prod(kind.shape) * width
