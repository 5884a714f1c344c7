# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes a parameter of each run of channels that trains, and of what lies between them.

For weights of which several runs train: their readers take the parts one after the other. A part
updates as its channels of the whole would (`tte_mlir.passes.origins`).
"""

from __future__ import annotations

from collections.abc import Iterator

import mlir.ir as ir
from mlir.dialects import ml_program

from tte_mlir import locations
from tte_mlir.dialects import tte
from tte_mlir.errors import TTEError
from tte_mlir.frontend.calibration import find_forward
from tte_mlir.passes import update_marks
from tte_mlir.passes.channel_order import runs
from tte_mlir.passes.origins import Origin
from tte_mlir.passes.parameters import loaded, parameters_of, take

_MAX_RUNS = 8
"""So many parts, and frozen ones between them, fit beside a kernel's other operands."""

Part = tuple[int, int, bool]
"""Offset, size, and whether the part trains."""


def split_parameters(module: ir.Module) -> None:
    """Splits the parameters of a module before `tte-autodiff`. Raises TTEError that names the layer
    where the channels of a weight lie in too many runs."""
    parameters = parameters_of(module)
    for op in list(find_forward(module).regions[0].blocks[0].operations):
        if tte.weight_axis(op.operation) < 0 or len(op.weights) != 1:
            continue
        name = loaded(op.weights[0])
        channels = None if name is None else update_marks.read(parameters[name])
        if channels and len(runs(channels)) > 1:
            _check(op, len(runs(channels)))
            _split(parameters[name], op, runs(channels))


def _check(op: ir.OpView, count: int) -> None:
    if count > _MAX_RUNS:
        raise TTEError(
            f"{locations.layer(op.operation)}: the channels that train lie in {count} runs and "
            f"cannot be brought together, expected at most {_MAX_RUNS}; choose the first channels"
        )
    if len(list(op.weights[0].uses)) > 1:
        raise TTEError(
            f"{locations.layer(op.operation)}: shares its weight with another layer, expected "
            "channels that follow each other"
        )


def _split(parameter: ml_program.GlobalOp, op: ir.OpView, trained: list[tuple[int, int]]) -> None:
    axis = tte.weight_axis(op.operation)
    parts = []
    for index, part in enumerate(_parts(trained, op.weights[0].type.shape[axis])):
        name = f"{parameter.sym_name.value}.{index}"
        new = _add_part(parameter, name, axis, part)
        with ir.InsertionPoint(op), op.location:
            type_ = new.operation.attributes["type"].value
            parts.append(ml_program.GlobalLoadConstOp(type_, ir.FlatSymbolRefAttr.get(name)).result)
    load = op.weights[0].owner
    _read_parts(op, parts)
    load.erase()
    parameter.erase()


def _parts(trained: list[tuple[int, int]], size: int) -> Iterator[Part]:
    """All parts, in order."""
    end = 0
    for offset, count in trained:
        if offset > end:
            yield end, offset - end, False
        yield offset, count, True
        end = offset + count
    if end < size:
        yield end, size - end, False


def _add_part(
    parameter: ml_program.GlobalOp, name: str, axis: int, part: Part
) -> ml_program.GlobalOp:
    offset, size, trains = part
    indices = range(offset, offset + size)
    type_, value = take(parameter, axis, indices)
    with ir.InsertionPoint(parameter), parameter.location:
        new = ml_program.GlobalOp(name, type_, value=value, sym_visibility="private")
    Origin.of(parameter).take(axis, indices).note(new)
    if trains:
        update_marks.write(new, range(size))
    return new


def _read_parts(op: ir.OpView, parts: list[ir.Value]) -> None:
    """Replaces a layer by one whose weight is given in parts."""
    old, bias = op.operation, [] if op.bias is None else [op.bias]
    attributes = {name: old.attributes[name] for name in old.attributes}
    attributes["operandSegmentSizes"] = ir.DenseI32ArrayAttr.get(
        [1, len(parts), len(bias)], old.context
    )
    with ir.InsertionPoint(op):
        new = ir.Operation.create(
            old.name, [op.result.type], [op.input, *parts, *bias], attributes, loc=old.location
        )
    op.result.replace_all_uses_with(new.result)
    old.erase()
