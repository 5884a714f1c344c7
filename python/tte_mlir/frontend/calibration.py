# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ranges of activations from images."""

from __future__ import annotations

from collections.abc import Iterable

import mlir.ir as ir
import numpy as np

from tte_mlir import locations
from tte_mlir.dialects import tte
from tte_mlir.errors import TTEError
from tte_mlir.reference import Interpreter

_ATTRIBUTE = "tte.range"


def calibrate(
    module: ir.Module,
    images: Iterable[np.ndarray],
    input_range: tuple[float, float] | None = None,
) -> None:
    """Writes the least and the greatest value seen as ``tte.range`` on the ops of ``@forward``.

    `images` are f32 of the shape of its input (NHWC). The input's own range is `input_range`
    where the preprocessing determines it, else what the images show.
    """
    forward = find_forward(module)
    ranges: dict[ir.Operation, tuple[float, float]] = {}
    seen: tuple[float, float] | None = None

    def observe(op: ir.OpView, results: list[np.ndarray]) -> None:
        key = op.operation
        if key.name.startswith("tte."):
            ranges[key] = _extend(ranges.get(key), results[0], locations.layer(key))

    interpreter = Interpreter(module)
    for image in images:
        seen = _extend(seen, image, "input")
        interpreter.run("forward", image, observe=observe)
    if seen is None:
        raise TTEError("calibration needs at least one image")

    context = module.context
    for op, (low, high) in ranges.items():
        op.attributes[_ATTRIBUTE] = tte.range_attr(context, low, high)
    attributes = ir.ArrayAttr(forward.attributes["arg_attrs"])[0]
    entries = {entry.name: entry.attr for entry in ir.DictAttr(attributes)}
    entries[_ATTRIBUTE] = tte.range_attr(context, *(input_range or seen))
    with context:
        forward.attributes["arg_attrs"] = ir.ArrayAttr.get([ir.DictAttr.get(entries)])


def find_forward(module: ir.Module) -> ir.Operation:
    """The function ``@forward`` of a module."""
    for op in module.body.operations:
        attributes = op.operation.attributes
        if "sym_name" in attributes and attributes["sym_name"].value == "forward":
            return op.operation
    raise TTEError("the module has no function @forward")


def _extend(
    known: tuple[float, float] | None, values: np.ndarray, layer: str
) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise TTEError(f"{layer}: holds NaN or infinity during calibration")
    return (min(low, known[0]), max(high, known[1])) if known else (low, high)
