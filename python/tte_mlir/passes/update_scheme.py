# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Marks what of a network trains.

A scheme is one of

* ``full``: every parameter,
* ``bias``: every bias, and the classifier with its weight,
* ``last:K``: the last K blocks before the classifier, and the classifier; ``last:0`` is the
  classifier alone.

The classifier is the last layer to run. A block is what a builder of networks calls one: the layers
whose paths agree up to the first number (``features.15`` of ``features.15.conv.0.0``, ``layer1.0``
of ``layer1.0.conv2``), or, in a path without a number, up to its last name (``encoder`` of
``encoder.conv1``). A layer with a path of its own, such as ``conv1``, is a block of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import mlir.ir as ir
from mlir.dialects import ml_program

from tte_mlir import locations
from tte_mlir.dialects import tte
from tte_mlir.errors import TTEError
from tte_mlir.frontend.calibration import find_forward

_UPDATE = "tte.update"
_LAST = re.compile(r"last:(\d+)")


@dataclass(frozen=True)
class Parameter:
    """A global that a layer reads, and its channels along the axis on which ranges count."""

    name: str
    channels: int
    is_bias: bool


@dataclass(frozen=True)
class Layer:
    """An op that reads parameters, by the path of its module."""

    path: str
    parameters: tuple[Parameter, ...]

    @property
    def block(self) -> str:
        """The path of the block that the layer belongs to."""
        names = self.path.split(".")
        numbers = [index for index, name in enumerate(names) if name.isdigit()]
        return ".".join(names[: numbers[0] + 1] if numbers else names[:-1] or names)


def mark_updates(module: ir.Module, scheme: str) -> None:
    """Sets `tte.update` on the globals of the parameters that `scheme` trains, and on no other.

    The module is one before `tte-autodiff`, whose ``@forward`` loads its parameters. Raises
    TTEError for an unknown scheme, a K that the network does not have, and a network without
    parameters.
    """
    layers = list(_layers(module))
    if not layers:
        raise TTEError("the network has no parameters, so there is nothing to train")
    trained = {parameter.name: parameter.channels for parameter in _select(layers, scheme)}
    for op in module.body.operations:
        if not isinstance(op, ml_program.GlobalOp):
            continue
        attributes, name = op.operation.attributes, op.sym_name.value
        if name in trained:
            attributes[_UPDATE] = tte.update_attr(module.context, 0, trained[name])
        elif _UPDATE in attributes:
            del attributes[_UPDATE]


def _select(layers: list[Layer], scheme: str) -> Iterable[Parameter]:
    """The parameters that train; `layers` in the order of execution."""
    classifier = layers[-1]
    if scheme == "full":
        return _parameters(layers)
    if scheme == "bias":
        biases = (parameter for parameter in _parameters(layers) if parameter.is_bias)
        return (*biases, *classifier.parameters)
    last = _LAST.fullmatch(scheme)
    if last is None:
        raise TTEError(f"unknown update scheme '{scheme}': expected full, bias or last:K")
    blocks = list(dict.fromkeys(layer.block for layer in layers[:-1]))
    count = int(last[1])
    if count > len(blocks):
        raise TTEError(
            f"update scheme '{scheme}': the network has only {len(blocks)} blocks before "
            f"its classifier '{classifier.path}'"
        )
    trained = set(blocks[len(blocks) - count :])
    return _parameters([*(x for x in layers[:-1] if x.block in trained), classifier])


def _parameters(layers: Iterable[Layer]) -> Iterator[Parameter]:
    return (parameter for layer in layers for parameter in layer.parameters)


def _layers(module: ir.Module) -> Iterator[Layer]:
    """The ops of @forward that read parameters, in the order of execution."""
    for view in find_forward(module).regions[0].blocks[0].operations:
        op = view.operation
        loads = [(value, load) for value in op.operands if (load := _load(value))]
        if loads:
            path = locations.layer(op)
            if path == op.name:  # no location: the name of the first parameter, less its last part
                path = loads[0][1].rpartition(".")[0] or loads[0][1]
            yield Layer(path, tuple(_parameter(op, value, name) for value, name in loads))


def _load(value: ir.Value) -> str | None:
    """The global that `value` is loaded from."""
    owner = value.owner
    if isinstance(owner, ir.Block) or not isinstance(owner.opview, ml_program.GlobalLoadConstOp):
        return None
    return ir.SymbolRefAttr(owner.attributes["global"]).value[-1]


def _parameter(op: ir.Operation, value: ir.Value, name: str) -> Parameter:
    shape = ir.RankedTensorType(value.type).shape
    is_bias = len(shape) == 1
    axis = 0 if is_bias else max(tte.weight_axis(op), 0)
    return Parameter(name, shape[axis], is_bias)
