# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What it costs to train each layer, read from a training step before it is scheduled."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mlir import ir

from .. import locations
from ..dialects import tte
from .schema import LayerCost, TrainingCost


def training_cost(module: ir.Module) -> TrainingCost:
    """The costs of a module whose @train_step consists of dispatches."""
    step = ir.SymbolTable(module.operation)["train_step"]
    block = step.regions[0].blocks[0]
    ledger = _Ledger()
    order = {op.operation: index for index, op in enumerate(block.operations)}
    check = next(i for i, op in enumerate(block.operations) if isinstance(op, tte.CheckFiniteOp))
    for index, op in enumerate(block.operations):
        if not isinstance(op, tte.DispatchOp):
            continue
        name, phase = locations.layer(op.operation), tte.enum_keyword(op.phase)
        if phase == "update":
            ledger.add(name, state_bytes=sum(_bytes(result.type) for result in op.results))
        if phase == "forward":
            ledger.add(name)
        else:
            ledger.add(name, macs_backward=sum(map(tte.macs, _body(op))))
        if index < check:
            for result in op.results:
                _add_saved(ledger, result, order, check)
    _add_saved(ledger, _input(step), order, check)
    return ledger.total()


class _Ledger:
    """Costs by layer, in the order in which layers are first named."""

    def __init__(self) -> None:
        self._layers: dict[str, dict[str, int]] = {}

    def add(self, name: str, **costs: int) -> None:
        layer = self._layers.setdefault(
            name, {"state_bytes": 0, "saved_bytes": 0, "macs_backward": 0}
        )
        for key, cost in costs.items():
            layer[key] += cost

    def total(self) -> TrainingCost:
        layers = [LayerCost(name=name, **costs) for name, costs in self._layers.items()]
        costly = tuple(layer for layer in layers if layer.any)
        return TrainingCost(
            state_bytes=sum(layer.state_bytes for layer in costly),
            saved_bytes=sum(layer.saved_bytes for layer in costly),
            macs_backward=sum(layer.macs_backward for layer in costly),
            layers=costly,
        )


def _add_saved(ledger: _Ledger, value: ir.Value, order: dict, check: int) -> None:
    """Charges a value of the forward pass to the layer that keeps it alive longest."""
    users = [use.owner.operation for use in value.uses]
    late = [user for user in users if check < order[user] < len(order) - 1]
    if late:
        ledger.add(locations.layer(max(late, key=order.get)), saved_bytes=_bytes(value.type))


def _input(step: ir.Operation) -> ir.Value:
    marks = [ir.DictAttr(mark) for mark in step.attributes["arg_attrs"]]
    index = next(
        i
        for i, mark in enumerate(marks)
        if "tte.role" in mark and tte.enum_keyword(mark["tte.role"]) == "input"
    )
    return step.regions[0].blocks[0].arguments[index]


def _body(op: tte.DispatchOp) -> Iterator[ir.Operation]:
    yield from (inner.operation for inner in op.body.blocks[0].operations)


def _bytes(kind: ir.Type) -> int:
    element = kind.element_type
    if hasattr(element, "storage_type_integral_width"):
        width = element.storage_type_integral_width
    else:
        width = element.width
    return math.prod(kind.shape) * width // 8
