# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which dimensions of values must keep one order of their indices.

An op says which dimensions of its operands and results may be permuted alike without a change of
what it computes; a dimension that no rule names is fixed, as are the network's input and its
scores. Parameters stand for the values that are loaded from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import mlir.ir as ir

from tte_mlir.dialects import tte
from tte_mlir.passes.parameters import load_name

Axis = tuple[ir.Value, int]
"""A dimension of a value."""

_RULES: dict[type, Callable[[ir.OpView], Iterable[list[Axis]]]] = {}


class AxisClasses:
    """The dimensions of the values of a function, in classes that share one order."""

    def __init__(self, function: ir.Operation) -> None:
        self._parents: dict[Axis, Axis] = {}
        self._fixed: set[Axis] = set()
        self._loads: dict[str, ir.Value] = {}
        block = function.regions[0].blocks[0]
        for argument in block.arguments:
            self._fix(_axes(argument))
        for op in block.operations:
            self._add(op)

    def of_parameter(self, name: str, dimension: int) -> Axis:
        """The class of a dimension of a parameter, by a representative."""
        return self._find((self._loads[name], dimension))

    def is_fixed(self, axis: Axis) -> bool:
        """Whether the order of a class cannot change."""
        return self._find(axis) in {self._find(fixed) for fixed in self._fixed}

    def parameters(self, axis: Axis) -> list[tuple[str, int]]:
        """The dimensions of parameters in a class."""
        return [
            (name, dimension)
            for name, value in self._loads.items()
            for dimension in range(value.type.rank)
            if self._find((value, dimension)) == self._find(axis)
        ]

    def _add(self, op: ir.OpView) -> None:
        name = load_name(op)
        if name is not None:
            first = self._loads.setdefault(name, op.result)
            self._join([first, op.result])
            return
        free: set[Axis] = set()
        for axes in _RULES.get(type(op), lambda op: ())(op):
            self._union(axes)
            free |= set(axes)
        values = [*op.operation.operands, *op.operation.results]
        self._fix(axis for value in values for axis in _axes(value) if axis not in free)

    def _join(self, values: list[ir.Value]) -> None:
        for dimension in range(values[0].type.rank):
            self._union([(value, dimension) for value in values])

    def _union(self, axes: list[Axis]) -> None:
        for axis in axes[1:]:
            root, other = self._find(axes[0]), self._find(axis)
            if root != other:
                self._parents[other] = root

    def _fix(self, axes: Iterable[Axis]) -> None:
        self._fixed |= set(axes)

    def _find(self, axis: Axis) -> Axis:
        while axis in self._parents:
            axis = self._parents[axis]
        return axis


def _axes(value: ir.Value) -> Iterator[Axis]:
    if isinstance(value.type, ir.RankedTensorType):
        yield from ((value, dimension) for dimension in range(value.type.rank))


def _rule(*kinds: type) -> Callable:
    def register(rule: Callable[..., Iterable[list[Axis]]]) -> Callable:
        _RULES.update(dict.fromkeys(kinds, rule))
        return rule

    return register


@_rule(tte.Conv2DOp, tte.DenseOp)
def _layer(op: tte.Conv2DOp | tte.DenseOp) -> Iterator[list[Axis]]:
    """Output channels, with biases and scales; input channels; depthwise both are one. A weight in
    parts has its input channels fixed, as has a grouped one all channels."""
    if not tte.allows_weight_parts(op.operation):
        return
    last, axis = op.input.type.rank - 1, tte.weight_axis(op.operation)
    outputs = [(op.result, last), *((part, part.type.rank - 1) for part in op.weights)]
    if op.bias is not None:
        outputs.append((op.bias, 0))
    is_depthwise = axis == op.weights[0].type.rank - 1
    is_whole = len(op.weights) == 1
    if not is_depthwise:
        yield outputs
        if is_whole:
            yield [(op.input, last), (op.weights[0], axis)]
    elif is_whole:
        yield [*outputs, (op.input, last)]


@_rule(tte.AddOp, tte.ClampOp, tte.QuantizeOp, tte.DequantizeOp)
def _elementwise(op: ir.OpView) -> Iterator[list[Axis]]:
    values = [*op.operation.operands, *op.operation.results]
    for dimension in range(values[0].type.rank):
        yield [(value, dimension) for value in values]


@_rule(tte.AvgPool2DOp, tte.MaxPool2DOp)
def _pool(op: tte.AvgPool2DOp | tte.MaxPool2DOp) -> Iterator[list[Axis]]:
    yield [(op.input, 3), (op.result, 3)]


@_rule(tte.ReshapeOp)
def _reshape(op: tte.ReshapeOp) -> Iterator[list[Axis]]:
    """The last dimension where it stays."""
    before, after = op.input.type, op.result.type
    if before.rank and after.rank and before.shape[-1] == after.shape[-1]:
        yield [(op.input, before.rank - 1), (op.result, after.rank - 1)]


@_rule(tte.PermuteOp)
def _permute(op: tte.PermuteOp) -> Iterator[list[Axis]]:
    for after, before in enumerate(op.permutation):
        yield [(op.input, before), (op.result, after)]
