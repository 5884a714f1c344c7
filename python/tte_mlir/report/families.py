# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What kernels compute, in the words that benchmarks compare them by."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mlir import ir

from ..dialects import tte

_ROLES = {
    tte.Conv2DOp: "",
    tte.Conv2DInputGradOp: " input gradient",
    tte.Conv2DWeightGradOp: " weight gradient",
}
_MINOR = (
    "tte.yield",
    "tte.scale_gradient",
    "tte.clamp_grad",
    "tte.apply_mask",
    "tte.accumulate",
    "tte.momentum",
    "tte.sgd",
    "tte.sgd_residual",
)


def family(ops: Sequence[ir.OpView]) -> str:
    """As "1x1", "conv 3x3", "depthwise 3x3 input gradient" or "dense"; " + " joins fused ones.

    What is applied element by element to the result of another op does not count, unless there
    is nothing else.
    """
    named = [_family(op) for op in ops if op.operation.name not in _MINOR]
    return " + ".join(named or (_family(op) for op in ops[:1]))


def shape(ops: Sequence[ir.OpView]) -> str:
    """Sizes of the first operand and of the last result, as "16x16x48 -> 16x16x192"."""
    if not ops or not ops[0].operation.operands or not ops[-1].operation.results:
        return ""
    return f"{_sizes(ops[0].operation.operands[0])} -> {_sizes(ops[-1].operation.results[0])}"


def _family(op: ir.OpView) -> str:
    role = _ROLES.get(type(op))
    if role is None:
        name = op.operation.name.removeprefix("tte.")
        return re.sub("_grad$", " gradient", name).replace("_", " ")
    weights = op.result if type(op) is tte.Conv2DWeightGradOp else op.weights[0]
    height, width, per_group, _ = ir.ShapedType(weights.type).shape
    window = f"{height}x{width}"
    if op.groups.value > 1 and per_group == 1:
        return f"depthwise {window}{role}"
    return f"{window}{role}" if window == "1x1" else f"conv {window}{role}"


def _sizes(value: ir.Value) -> str:
    sizes = ir.ShapedType(value.type).shape
    return "x".join(map(str, sizes[1:] if sizes and sizes[0] == 1 else sizes)) or "1"
