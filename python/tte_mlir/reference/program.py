# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Semantics of functions, parameters, dispatches and the planned program."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mlir import ir
from mlir.dialects import arith, func, ml_program

from ..dialects import tte
from .interpreter import Frame, dense_array
from .memory import poison
from .registry import InterpreterError, semantics
from .updates import require_finite


@semantics(func.ReturnOp, tte.YieldOp)
def hand_on(op: func.ReturnOp | tte.YieldOp, frame: Frame) -> list[np.ndarray]:
    return frame.arrays(op.operation.operands)


@semantics(func.CallOp)
def call(op: func.CallOp, frame: Frame) -> Sequence[np.ndarray]:
    return frame.interpreter.call(op.callee.value, frame.arrays(op.operation.operands))


@semantics(arith.ConstantOp)
def constant(op: arith.ConstantOp, frame: Frame) -> np.ndarray:
    value = op.value
    if isinstance(value, ir.IntegerAttr | ir.FloatAttr):
        return np.asarray(value.value)
    return dense_array(value, "arith.constant")


@semantics(ml_program.GlobalLoadOp, ml_program.GlobalLoadConstOp)
def global_load(op: ml_program.GlobalLoadOp, frame: Frame) -> np.ndarray:
    return frame.interpreter.constant(_path(op.operation.attributes["global"]))


@semantics(tte.DispatchOp)
def dispatch(op: tte.DispatchOp, frame: Frame) -> Sequence[np.ndarray]:
    return frame.interpreter.run_region(op.body, frame.arrays(op.inputs), "tte.dispatch")


@semantics(tte.SubspanOp)
def subspan(op: tte.SubspanOp, frame: Frame) -> np.ndarray:
    memory = frame.interpreter.memory
    return memory.view(tte.enum_keyword(op.space), op.offset.value, op.buffer.type)


@semantics(tte.FlashOp)
def flash(op: tte.FlashOp, frame: Frame) -> np.ndarray:
    array = frame.interpreter.constant(_path(op.operation.attributes["global"])).view()
    array.flags.writeable = False
    return array


@semantics(tte.CallOp)
def call_kernel(op: tte.CallOp, frame: Frame) -> list[np.ndarray]:
    """Reads every input, then writes every output; scratch holds nothing afterwards."""
    _require_disjoint(op, frame)
    inputs = [array.copy() for array in frame.arrays(op.inputs)]
    results = frame.interpreter.call(_path(op.kernel), inputs)
    for buffer in frame.arrays(op.scratch):
        poison(buffer)
    for buffer, result in zip(frame.arrays(op.outputs), results, strict=True):
        buffer[...] = result
    return []


def _require_disjoint(op: tte.CallOp, frame: Frame) -> None:
    """What a call writes may overlap nothing else, but an output may lie over inputs: whether the
    kernel has read them by then is a matter of its traversal, which is not known here."""
    inputs = frame.arrays(op.inputs) + frame.arrays(op.tables)
    scratch, outputs = frame.arrays(op.scratch), frame.arrays(op.outputs)
    written = scratch + outputs
    clashes = [
        (a, b)
        for index, a in enumerate(written)
        for b in written[index + 1 :] + (inputs if index < len(scratch) else [])
        if np.may_share_memory(a, b)
    ]
    if clashes:
        a, b = clashes[0]
        raise InterpreterError(
            f"{op.layer}: {op.kernel} writes a buffer of {a.nbytes} bytes that overlaps another "
            f"one of {b.nbytes} bytes"
        )


@semantics(tte.RequireFiniteOp)
def require_finite_buffer(op: tte.RequireFiniteOp, frame: Frame) -> list[np.ndarray]:
    require_finite(frame[op.buffer], op.buffer)
    return []


def _path(reference: ir.Attribute) -> str:
    """`a::b` for the symbol reference @a::@b."""
    if isinstance(reference, ir.FlatSymbolRefAttr):
        return reference.value
    return "::".join(ir.SymbolRefAttr(reference).value)
