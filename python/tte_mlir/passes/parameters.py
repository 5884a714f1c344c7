# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Parameters of a module, and new ones with some of the channels of another."""

from __future__ import annotations

from collections.abc import Sequence

import mlir.ir as ir
import numpy as np
from mlir.dialects import ml_program, quant


def parameters_of(module: ir.Module) -> dict[str, ml_program.GlobalOp]:
    """The globals of a module by name."""
    return {
        op.sym_name.value: op
        for op in module.body.operations
        if isinstance(op, ml_program.GlobalOp)
    }


def load_name(op: ir.OpView) -> str | None:
    """The global that an op loads, if it is such an op."""
    if not isinstance(op, ml_program.GlobalLoadConstOp):
        return None
    return ir.SymbolRefAttr(op.operation.attributes["global"]).value[-1]


def loaded(value: ir.Value) -> str | None:
    """The global that a value is loaded from, if it is so."""
    return None if isinstance(value.owner, ir.Block) else load_name(value.owner.opview)


def take(
    parameter: ml_program.GlobalOp, dimension: int, indices: Sequence[int]
) -> tuple[ir.RankedTensorType, ir.Attribute]:
    """Type and value of the parameter whose index i along a dimension is `indices[i]` of this one;
    scales go along."""
    whole = ir.RankedTensorType(parameter.operation.attributes["type"].value)
    values = np.take(np.array(parameter.value), indices, axis=dimension)
    element = whole.element_type
    if _is_per_axis(element, dimension):
        element = quant.UniformQuantizedPerAxisType.get(
            element.flags,
            element.storage_type,
            element.expressed_type,
            [element.scales[index] for index in indices],
            [element.zero_points[index] for index in indices],
            dimension,
            element.storage_type_min,
            element.storage_type_max,
        )
    type_ = ir.RankedTensorType.get(values.shape, element)
    return type_, ir.DenseElementsAttr.get(np.ascontiguousarray(values))


def _is_per_axis(element: ir.Type, dimension: int) -> bool:
    per_axis = isinstance(element, quant.UniformQuantizedPerAxisType)
    return per_axis and element.quantized_dimension == dimension
