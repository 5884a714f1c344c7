# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Brings the channels that train together, by permuting the frozen graph at compile time.

The parameters that `tte.update` marks with several runs of channels keep them in one run where
that is possible: channels are permuted through the graph, in the output channels of whatever
produces them (weights, biases, scales), through depthwise layers and sums, to the input channels of
whatever reads them. The input of the network and its scores keep their order, and a program costs
what one does that trains the first channels. Each permuted parameter says with `tte.origin` where
its elements came from; random numbers of its updates go by that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import mlir.ir as ir
import numpy as np
from mlir.dialects import ml_program

from tte_mlir.dialects import tte
from tte_mlir.frontend.calibration import find_forward
from tte_mlir.passes import update_marks
from tte_mlir.passes.channel_axes import Axis, AxisClasses
from tte_mlir.passes.channel_order import order_channels, runs
from tte_mlir.passes.origins import Origin
from tte_mlir.passes.parameters import load_name, loaded, parameters_of, take

Remark = Callable[[str], None]


def permute_channels(module: ir.Module, remark: Remark = lambda text: None) -> None:
    """Permutes the channels of a module before `tte-autodiff`.

    `remark` is told which parameters keep several runs, and why.
    """
    parameters, forward = parameters_of(module), find_forward(module)
    classes = AxisClasses(forward)
    wishes: dict[Axis, dict[str, frozenset[int]]] = defaultdict(dict)
    for name, axis in _weight_axes(forward).items():
        channels = update_marks.read(parameters[name])
        if channels:
            wishes[classes.of_parameter(name, axis)][name] = channels
    for axis, chosen in wishes.items():
        if all(len(runs(channels)) == 1 for channels in chosen.values()):
            continue
        if classes.is_fixed(axis):
            _explain(chosen, remark, "fixed: the network's input or a reshape needs their order")
            continue
        names = sorted(chosen, key=lambda name: -len(chosen[name]) * _size(parameters[name]))
        order = order_channels(axis[0].type.shape[axis[1]], [chosen[name] for name in names])
        for name, dimension in classes.parameters(axis):
            _permute(parameters[name], dimension, order)
        moved = {
            name: frozenset(i for i, channel in enumerate(order) if channel in chosen[name])
            for name in names
        }
        for name, channels in moved.items():
            update_marks.write(parameters[name], channels)
        _explain(moved, remark, "shared with layers that chose others: " + ", ".join(names))
    for op in forward.regions[0].blocks[0].operations:
        name = load_name(op)
        if name is not None:
            op.result.set_type(parameters[name].operation.attributes["type"].value)


def _weight_axes(forward: ir.Operation) -> dict[str, int]:
    """The dimension along which each weight's channels train."""
    axes: dict[str, int] = {}
    for op in forward.regions[0].blocks[0].operations:
        axis = tte.weight_axis(op.operation)
        if axis >= 0:
            axes |= {name: axis for name in map(loaded, op.weights) if name is not None}
    return axes


def _size(parameter: ml_program.GlobalOp) -> int:
    return np.array(parameter.value).size


def _explain(chosen: dict[str, frozenset[int]], remark: Remark, reason: str) -> None:
    for name, channels in chosen.items():
        count = len(runs(channels))
        if count > 1:
            remark(
                f"{name}: the {len(channels)} channels that train lie in {count} runs, each a "
                f"part of its own: their order is {reason}"
            )


def _permute(parameter: ml_program.GlobalOp, dimension: int, order: Sequence[int]) -> None:
    """Gives index i of a dimension what `order[i]` had, and notes where it came from."""
    origin = Origin.of(parameter).take(dimension, order)
    type_, value = take(parameter, dimension, order)
    attributes = parameter.operation.attributes
    attributes["type"], attributes["value"] = ir.TypeAttr.get(type_), value
    origin.note(parameter)
