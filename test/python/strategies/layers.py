# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers of drawn networks: what shape they give and which ops they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from mlir import ir
from mlir.dialects import func, ml_program

from tte_mlir.dialects import tte

Shape = tuple[int, ...]
Range = tuple[float, float]


class Builder:
    """Emits the ops of one `@forward` and the globals of its parameters."""

    def __init__(self, module: ir.Module, input_shape: Shape, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self._globals = ir.InsertionPoint.at_block_begin(module.body)
        kind = self.tensor(input_shape)
        with ir.InsertionPoint(module.body):
            self.function = func.FuncOp("forward", ([kind], []))
        role = ir.Attribute.parse("#tte.role<input>")
        self.function.arg_attrs = ir.ArrayAttr.get([ir.DictAttr.get({"tte.role": role})])
        self.body = ir.InsertionPoint(self.function.add_entry_block())
        self.values = [self.function.arguments[0]]

    @staticmethod
    def tensor(shape: Sequence[int]) -> ir.Type:
        return ir.RankedTensorType.get(list(shape), ir.F32Type.get())

    def parameter(self, name: str, shape: Shape, spread: float) -> ir.Value:
        """A normally distributed parameter, loaded from its global."""
        array = (self.random.normal(size=shape) * spread).astype(np.float32)
        kind = self.tensor(shape)
        with self._globals:
            ml_program.GlobalOp(
                name, kind, value=ir.DenseElementsAttr.get(array), sym_visibility="private"
            )
        reference = ir.SymbolRefAttr.get([name])
        return ml_program.GlobalLoadConstOp(kind, reference).result

    def add(self, name: str, layer: Layer) -> None:
        """Emit a layer that reads the last value."""
        with ir.Location.name(name), self.body:
            result = self.tensor(layer.shape(tuple(self.values[-1].type.shape)))
            self.values.append(layer.emit(self, name, self.values[-1], result))

    def finish(self) -> None:
        """Return the last value as the scores."""
        with ir.Location.unknown(), self.body:
            func.ReturnOp([self.values[-1]])
        kinds = ir.FunctionType.get([self.values[0].type], [self.values[-1].type])
        self.function.attributes["function_type"] = ir.TypeAttr.get(kinds)
        role = ir.Attribute.parse("#tte.role<scores>")
        self.function.res_attrs = ir.ArrayAttr.get([ir.DictAttr.get({"tte.role": role})])


class Layer:
    """One layer; what it computes is up to `emit`."""

    def shape(self, shape: Shape) -> Shape:
        """The shape of the result, given that of the input."""
        return shape

    def emit(self, builder: Builder, name: str, x: ir.Value, result: ir.Type) -> ir.Value:
        raise NotImplementedError


def _windowed(shape: Shape, channels: int, kernel, strides, padding, dilations) -> Shape:
    size = [
        (shape[d + 1] + padding[2 * d] + padding[2 * d + 1] - dilations[d] * (kernel[d] - 1) - 1)
        // strides[d]
        + 1
        for d in range(2)
    ]
    return (shape[0], *size, channels)


def _clamp(clamp: Range | None) -> ir.Attribute | None:
    return clamp and tte.clamp_attr(ir.Context.current, *clamp)


@dataclass(frozen=True)
class Convolution(Layer):
    channels: int
    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    groups: int = 1
    bias: bool = True
    clamp: Range | None = None

    def shape(self, shape: Shape) -> Shape:
        return _windowed(
            shape, self.channels, self.kernel, self.strides, self.padding, self.dilations
        )

    def emit(self, builder: Builder, name: str, x: ir.Value, result: ir.Type) -> ir.Value:
        inputs = x.type.shape[3] // self.groups
        spread = (inputs * self.kernel[0] * self.kernel[1]) ** -0.5
        weight = builder.parameter(f"{name}.weight", (*self.kernel, inputs, self.channels), spread)
        bias = builder.parameter(f"{name}.bias", (self.channels,), 0.2) if self.bias else None
        return tte.conv2d(
            result,
            x,
            [weight],
            bias=bias,
            strides=self.strides,
            padding=self.padding,
            dilations=self.dilations,
            groups=ir.IntegerAttr.get(ir.IntegerType.get_signless(64), self.groups),
            clamp=_clamp(self.clamp),
        )


@dataclass(frozen=True)
class Dense(Layer):
    channels: int
    bias: bool = True
    clamp: Range | None = None

    def shape(self, shape: Shape) -> Shape:
        return (shape[0], self.channels)

    def emit(self, builder: Builder, name: str, x: ir.Value, result: ir.Type) -> ir.Value:
        inputs = x.type.shape[1]
        weight = builder.parameter(f"{name}.weight", (inputs, self.channels), inputs**-0.5)
        bias = builder.parameter(f"{name}.bias", (self.channels,), 0.2) if self.bias else None
        return tte.dense(result, x, [weight], bias=bias, clamp=_clamp(self.clamp))


@dataclass(frozen=True)
class Add(Layer):
    other: int  # the earlier value, 0 is the input
    clamp: Range | None = None

    def emit(self, builder: Builder, name: str, x: ir.Value, result: ir.Type) -> ir.Value:
        return tte.add(result, x, builder.values[self.other], clamp=_clamp(self.clamp))


@dataclass(frozen=True)
class Pool(Layer):
    kind: str  # "avg" or "max"
    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)

    def shape(self, shape: Shape) -> Shape:
        return _windowed(shape, shape[3], self.kernel, self.strides, self.padding, (1, 1))

    def emit(self, builder: Builder, name: str, x: ir.Value, result: ir.Type) -> ir.Value:
        pool = {"avg": tte.avg_pool2d, "max": tte.max_pool2d}[self.kind]
        return pool(result, x, self.kernel, strides=self.strides, padding=self.padding)


@dataclass(frozen=True)
class Clamp(Layer):
    range: Range

    def emit(self, builder: Builder, name: str, x: ir.Value, result: ir.Type) -> ir.Value:
        return tte.clamp(result, x, _clamp(self.range))


@dataclass(frozen=True)
class Slice(Layer):
    offsets: Shape
    sizes: Shape

    def shape(self, shape: Shape) -> Shape:
        return self.sizes

    def emit(self, builder: Builder, name: str, x: ir.Value, result: ir.Type) -> ir.Value:
        return tte.slice(result, x, self.offsets)


@dataclass(frozen=True)
class Permute(Layer):
    permutation: Shape

    def shape(self, shape: Shape) -> Shape:
        return tuple(shape[d] for d in self.permutation)

    def emit(self, builder: Builder, name: str, x: ir.Value, result: ir.Type) -> ir.Value:
        return tte.permute(result, x, self.permutation)


@dataclass(frozen=True)
class Reshape(Layer):
    sizes: Shape

    def shape(self, shape: Shape) -> Shape:
        return self.sizes

    def emit(self, builder: Builder, name: str, x: ir.Value, result: ir.Type) -> ir.Value:
        return tte.reshape(result, x)


@dataclass(frozen=True)
class Network:
    """A feed-forward network, by its layers and the seed of its parameters and inputs."""

    input_shape: Shape
    layers: tuple[Layer, ...]
    seed: int = 0
    names: tuple[str, ...] = field(default=(), repr=False)

    def build(self) -> ir.Module:
        """Its f32 module, in a context of its own."""
        with ir.Context(), ir.Location.unknown():
            module = ir.Module.create()
            builder = Builder(module, self.input_shape, self.seed)
            for index, layer in enumerate(self.layers):
                name = self.names[index] if self.names else f"layers.{index}"
                builder.add(name, layer)
            builder.finish()
            module.operation.verify()
            return module

    def inputs(self, count: int) -> np.ndarray:
        """`count` inputs, each of the shape of the input."""
        random = np.random.default_rng(self.seed + 1)
        return random.normal(size=(count, *self.input_shape)).astype(np.float32)

    @property
    def classes(self) -> int:
        shape = self.input_shape
        for layer in self.layers:
            shape = layer.shape(shape)
        return shape[-1]
