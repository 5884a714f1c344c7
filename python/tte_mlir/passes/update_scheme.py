# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Marks what of a network trains.

A scheme is one of

* ``full``: every parameter,
* ``bias``: every bias, and the classifier with its weight,
* ``last:K``: the last K blocks before the classifier, and the classifier; ``last:0`` is the
  classifier alone;
* the name of a YAML file (`tte_mlir.scheme`), whose layers train in part.

The classifier is the last layer to run. A block is what a builder of networks calls one: the layers
whose paths agree up to the first number (``features.15`` of ``features.15.conv.0.0``, ``layer1.0``
of ``layer1.0.conv2``), or, in a path without a number, up to its last name (``encoder`` of
``encoder.conv1``). A layer with a path of its own, such as ``conv1``, is a block of its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from pathlib import Path

import mlir.ir as ir
import numpy as np
from mlir.dialects import ml_program

from tte_mlir import locations, scheme
from tte_mlir.dialects import tte
from tte_mlir.errors import TTEError
from tte_mlir.frontend.calibration import find_forward
from tte_mlir.passes import update_marks
from tte_mlir.passes.parameters import loaded, parameters_of
from tte_mlir.reference.grid import Grid
from tte_mlir.scheme import LayerUpdate, Scheme

_LAST = re.compile(r"last:(\d+)")


@dataclass(frozen=True)
class Parameter:
    """A global that a layer reads, and its channels along the axis on which they count.

    `divisible` says whether a share of the channels may train.
    """

    name: str
    axis: int
    channels: int
    is_bias: bool
    divisible: bool


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

    def select(self, bias: bool) -> tuple[Parameter, ...]:
        """The biases of the layer, or its weights."""
        return tuple(p for p in self.parameters if p.is_bias == bias)


Trained = Mapping[str, Collection[int]]
"""For each parameter that trains the channels that do."""


def mark_updates(module: ir.Module, update: str) -> None:
    """Sets `tte.update` on the globals of the parameters that `update` trains, and on no other.

    The module is one before `tte-autodiff`, whose ``@forward`` loads its parameters. Raises
    TTEError for an unknown scheme, one that the network has not the layers for, and a network
    without parameters.
    """
    layers = list(_layers(module))
    if not layers:
        raise TTEError("the network has no parameters, so there is nothing to train")
    if scheme.is_file(update):
        trained = _FileScheme(Path(update), layers, parameters_of(module)).select()
    else:
        trained = {p.name: range(p.channels) for p in _select(layers, update)}
    for name, parameter in parameters_of(module).items():
        update_marks.write(parameter, trained.get(name, ()))


def _select(layers: list[Layer], update: str) -> Iterable[Parameter]:
    """The parameters that train as a whole; `layers` in the order of execution."""
    classifier = layers[-1]
    if update == "full":
        return _parameters(layers)
    if update == "bias":
        biases = (parameter for parameter in _parameters(layers) if parameter.is_bias)
        return (*biases, *classifier.parameters)
    last = _LAST.fullmatch(update)
    if last is None:
        raise TTEError(
            f"unknown update scheme '{update}': expected full, bias, last:K or a .yaml file"
        )
    blocks = list(dict.fromkeys(layer.block for layer in layers[:-1]))
    count = int(last[1])
    if count > len(blocks):
        raise TTEError(
            f"update scheme '{update}': the network has only {len(blocks)} blocks before "
            f"its classifier '{classifier.path}'"
        )
    trained = set(blocks[len(blocks) - count :])
    return _parameters([*(x for x in layers[:-1] if x.block in trained), classifier])


class _FileScheme:
    """The scheme of a file, applied to the layers of a network."""

    def __init__(
        self, path: Path, layers: Sequence[Layer], parameters: Mapping[str, ml_program.GlobalOp]
    ) -> None:
        self.path, self.scheme = path, Scheme.read(path)
        *self.backbone, self.classifier = layers
        self.layers = {layer.path: layer for layer in layers}
        self.parameters = parameters
        self.trained: dict[str, Collection[int]] = {}

    def select(self) -> Trained:
        """What trains. Raises TTEError that names the layer and what would be accepted."""
        updates = self.updates()
        for layer in self.layers.values():
            update = updates.get(layer.path, LayerUpdate())
            self.add_biases(layer, update)
            if update.weight is not None or update.channels is not None:
                self.add_weights(layer, update)
        return self.trained

    def updates(self) -> dict[str, LayerUpdate]:
        """What the file says of layers, by their paths; with the classifier's default."""
        named: dict[str, LayerUpdate] = {}
        for name, update in self.scheme.layers.items():
            path = self.find(name).path
            if path in named:
                raise self.refuse(path, f"is named twice, once as '{name}'")
            named[path] = update
        if self.scheme.classifier:
            named.setdefault(self.classifier.path, LayerUpdate(weight=Fraction(1), bias=True))
        return named

    def find(self, name: int | str) -> Layer:
        if isinstance(name, str):
            if name not in self.layers:
                near = scheme.nearest(name, self.layers)
                raise TTEError(f"{self.path}: the network has no layer '{name}': {near}")
            return self.layers[name]
        if not 0 <= name < len(self.backbone):
            raise TTEError(
                f"{self.path}: the network has no layer {name}, expected 0 to "
                f"{len(self.backbone) - 1} (before its classifier '{self.classifier.path}')"
            )
        return self.backbone[name]

    def refuse(self, layer: str, problem: str) -> TTEError:
        return TTEError(f"{self.path}: layer '{layer}': {problem}")

    def add_biases(self, layer: Layer, update: LayerUpdate) -> None:
        biases = layer.select(bias=True)
        if update.bias and not biases:
            raise self.refuse(layer.path, "bias is true, but the layer has none; leave it out")
        trains = layer.path in self.last_biases() if update.bias is None else update.bias
        self.trained |= {bias.name: range(bias.channels) for bias in biases if trains}

    def last_biases(self) -> set[str]:
        """The paths of the layers that `biases` counts."""
        count, known = self.scheme.biases, len(self.backbone)
        if count == "all":
            count = known
        if count > known:
            raise TTEError(
                f"{self.path}: biases is {count}, expected at most {known}, the layers before the "
                f"classifier '{self.classifier.path}'"
            )
        return {layer.path for layer in self.backbone[known - count :]}

    def add_weights(self, layer: Layer, update: LayerUpdate) -> None:
        for weight in layer.select(bias=False):
            channels = self.choose(layer, weight, update)
            if len(channels) < weight.channels and not weight.divisible:
                raise self.refuse(
                    layer.path,
                    f"{len(channels)} of {weight.channels} channels shall train, but a grouped "
                    "convolution trains as a whole, expected weight: 1",
                )
            if set(self.trained.setdefault(weight.name, channels)) != set(channels):
                raise self.refuse(
                    layer.path,
                    f"shares '{weight.name}' with another layer that trains other channels, "
                    "expected the same",
                )

    def choose(self, layer: Layer, weight: Parameter, update: LayerUpdate) -> Collection[int]:
        """The channels of a weight that train."""
        choice = update.channels or self.scheme.channels
        if isinstance(choice, tuple):
            beyond = [channel for channel in choice if channel >= weight.channels]
            if beyond:
                raise self.refuse(
                    layer.path,
                    f"channels names {beyond[0]}, expected 0 to {weight.channels - 1}",
                )
            return choice
        count = max(1, floor(update.weight * weight.channels + Fraction(1, 2)))
        if choice == "first" or count == weight.channels:
            return range(count)
        norms = _norms(self.parameters[weight.name], weight.axis)
        return np.argsort(-norms, kind="stable")[:count].tolist()


def _norms(parameter: ml_program.GlobalOp, axis: int) -> np.ndarray:
    """The L2 norm of the real values of each channel of a weight."""
    real = np.array(parameter.value).astype(np.float64)
    type_ = ir.RankedTensorType(parameter.operation.attributes["type"].value)
    grid = Grid.of(type_.element_type)
    if grid is not None:
        real *= grid.real_scale(real.ndim)
    return np.sqrt(np.square(real).sum(axis=tuple(d for d in range(real.ndim) if d != axis)))


def _parameters(layers: Iterable[Layer]) -> Iterator[Parameter]:
    return (parameter for layer in layers for parameter in layer.parameters)


def _layers(module: ir.Module) -> Iterator[Layer]:
    """The ops of @forward that read parameters, in the order of execution."""
    for view in find_forward(module).regions[0].blocks[0].operations:
        op = view.operation
        loads = [(value, load) for value in op.operands if (load := loaded(value))]
        if loads:
            path = locations.layer(op)
            if path == op.name:  # no location: the name of the first parameter, less its last part
                path = loads[0][1].rpartition(".")[0] or loads[0][1]
            yield Layer(path, tuple(_parameter(op, value, name) for value, name in loads))


def _parameter(op: ir.Operation, value: ir.Value, name: str) -> Parameter:
    shape = ir.RankedTensorType(value.type).shape
    if len(shape) == 1:
        return Parameter(name, 0, shape[0], is_bias=True, divisible=False)
    axis = max(tte.weight_axis(op), 0)
    divisible = tte.allows_weight_parts(op)
    return Parameter(name, axis, shape[axis], is_bias=False, divisible=divisible)
