# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An int8 backbone under a classifier in f32, as some training engines have it."""

from __future__ import annotations

import mlir.ir as ir
import numpy as np
from mlir.dialects import ml_program, quant

from tte_mlir.dialects import tte
from tte_mlir.frontend.calibration import find_forward


def with_real_classifier(module: ir.Module) -> None:
    """Replaces the last dense layer of @forward by one on f32 with the same real parameters."""
    ops = [op.operation for op in find_forward(module).regions[0].blocks[0].operations]
    dense = next(op.opview for op in reversed(ops) if isinstance(op.opview, tte.DenseOp))
    symbols = ir.SymbolTable(module.operation)
    with module.context, dense.location, ir.InsertionPoint(dense):
        shape = ir.RankedTensorType(dense.input.type).shape
        real = tte.DequantizeOp(ir.RankedTensorType.get(shape, ir.F32Type.get()), dense.input)
        weights, bias = (_dequantize(symbols, value) for value in (dense.weights[0], dense.bias))
        layer = tte.DenseOp(dense.result.type, real.result, [weights], bias=bias)
        dense.result.replace_all_uses_with(layer.result)
    replaced = [value.owner for value in (dense.weights[0], dense.bias)]
    dense.operation.erase()
    for load in replaced:
        load.erase()
    module.operation.verify()


def _dequantize(symbols: ir.SymbolTable, value: ir.Value) -> ir.Value:
    """A load of the global behind `value`, whose content becomes f32."""
    load = value.owner.opview
    name = ir.SymbolRefAttr(load.operation.attributes["global"]).value[-1]
    old = symbols[name]
    tensor = ir.RankedTensorType(value.type)
    scales = np.array(_scales(tensor.element_type))
    stored = np.array(ir.DenseElementsAttr(old.attributes["value"]))
    array = np.ascontiguousarray((stored * scales).astype(np.float32))
    type_ = ir.RankedTensorType.get(tensor.shape, ir.F32Type.get())
    symbols.erase(old)
    with ir.InsertionPoint.at_block_begin(load.operation.parent.parent.regions[0].blocks[0]):
        ml_program.GlobalOp(
            name, type_, value=ir.DenseElementsAttr.get(array), sym_visibility="private"
        )
    return ml_program.GlobalLoadConstOp(type_, ir.FlatSymbolRefAttr.get(name)).result


def _scales(element: ir.Type) -> list[float]:
    """The scales per output channel of a quantized element type."""
    return list(quant.UniformQuantizedPerAxisType(element).scales)
