# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From an MCUNetV3 int8 checkpoint to a quantized module of the `tte` dialect."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mlir.ir as ir
import numpy as np
from mlir.dialects import func, ml_program

from tte_mlir.dialects import tte
from tte_mlir.errors import TTEError
from tte_mlir.frontend import mcunet_layers
from tte_mlir.frontend.bias_clamp import bounded_bias
from tte_mlir.frontend.grids import (
    ACTIVATION_RANGE,
    WEIGHT_RANGE,
    activation_type,
    bias_type,
    printable_scale,
    weight_type,
)
from tte_mlir.frontend.mcunet_layers import Activation, Block, Convolution, Network

_HEADROOM = 4.0


def load_checkpoint(
    path: Path, classes: int | None = None, seed: int = 0, context: ir.Context | None = None
) -> ir.Module:
    """The network of an MCUNetV3 checkpoint, as `tte-quantize` would leave it.

    ``@forward`` takes an int8 image (1, height, width, channels) and returns f32 scores
    (1, classes). Parameters and locations are named by block and role: the global
    ``blocks.3.pointwise1.weight`` holds the int8 weights of the checkpoint in HWIO. With `classes`
    the classifier is a fresh one, drawn with `seed`. Raises TTEError for a file that is not such a
    checkpoint.
    """
    network = mcunet_layers.read(Path(path))
    if classes is not None:
        network = replace(network, classifier=fresh_classifier(network.classifier, classes, seed))
    with context or ir.Context(), ir.Location.unknown():
        return _Builder(network).module()


def pixel_scaling(module: ir.Module) -> tuple[float, float]:
    """(scale, offset) by which a uint8 pixel u stands for u * scale + offset, where the network
    takes images as MCUNetV3 does: the stored input is u - 128."""
    function = ir.SymbolTable(module.operation)["forward"]
    element = ir.FunctionType(function.attributes["function_type"].value).inputs[0].element_type
    return element.scale, element.scale * (ACTIVATION_RANGE[0] - element.zero_point)


def fresh_classifier(original: Convolution, classes: int, seed: int) -> Convolution:
    """A classifier with weights drawn uniformly from +-1 / sqrt(inputs), and no bias.

    The int8 grid reaches four times as far: weights grow in training, and a grid that ends where
    they began would hold them.
    """
    if type(classes) is not int or classes < 2:
        raise TTEError(f"classes is {classes}, expected an integer of at least 2")
    inputs = original.input.channels
    initial = 1 / np.sqrt(inputs)
    scale = printable_scale(_HEADROOM * initial / WEIGHT_RANGE[1])
    weight = np.random.default_rng(seed).uniform(-initial, initial, (1, 1, inputs, classes))
    return replace(
        original,
        weight=np.rint(weight / scale).astype(np.int8),
        scales=np.full(classes, scale),
        bias=np.zeros(classes, np.int32),
        output=replace(original.output, channels=classes),
    )


class _Builder:
    """Emits a network. Needs an active context and location."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def module(self) -> ir.Module:
        module = ir.Module.create()
        image = _tensor(self.network.input)
        scores = ir.RankedTensorType.get(
            [1, self.network.classifier.output.channels], ir.F32Type.get()
        )
        with ir.InsertionPoint(module.body):
            self.function = func.FuncOp("forward", ir.FunctionType.get([image], [scores]))
        role = ir.DictAttr.get({"tte.role": ir.Attribute.parse("#tte.role<input>")})
        self.function.attributes["arg_attrs"] = ir.ArrayAttr.get([role])
        entry = ir.Block.create_at_start(self.function.body, [image], [ir.Location.name("input")])
        with ir.InsertionPoint(entry):
            value = entry.arguments[0]
            for block in self.network.blocks:
                value = self.block(block, value)
            func.ReturnOp([self.classifier(self.pool(value), scores)])
        module.operation.verify()
        return module

    def block(self, block: Block, source: ir.Value) -> ir.Value:
        value = source
        for layer in block.convolutions:
            with ir.Location.name(layer.name):
                value = self.convolution(layer, value)
        if block.sum is None:
            return value
        with ir.Location.name(f"{block.name}.residual"):
            return tte.AddOp(_tensor(block.sum), source, value).result

    def convolution(self, layer: Convolution, x: ir.Value) -> ir.Value:
        padding = [side for k in layer.weight.shape[:2] for side in (k // 2, k // 2)]
        return tte.Conv2DOp(
            _tensor(layer.output),
            x,
            [self.weight(layer, layer.weight)],
            bias=self.bias(layer, bounded_bias(layer)),
            strides=[layer.stride, layer.stride],
            padding=padding,
            groups=layer.groups,
        ).result

    def pool(self, x: ir.Value) -> ir.Value:
        _, height, width, channels = x.type.shape
        element = x.type.element_type
        with ir.Location.name("global_pool"):
            pooled = tte.AvgPool2DOp(
                ir.RankedTensorType.get([1, 1, 1, channels], element), x, [height, width]
            )
            flat = ir.RankedTensorType.get([1, channels], element)
            return tte.ReshapeOp(flat, pooled.result).result

    def classifier(self, x: ir.Value, scores: ir.Type) -> ir.Value:
        layer = self.network.classifier
        with ir.Location.name(layer.name):
            weight = self.weight(layer, layer.weight[0, 0])
            bias = self.bias(layer, bounded_bias(layer, requantized=False))
            return tte.DenseOp(scores, x, [weight], bias=bias).result

    def weight(self, layer: Convolution, array: np.ndarray) -> ir.Value:
        element = weight_type(layer.scales, axis=array.ndim - 1)
        return self.parameter(f"{layer.name}.weight", array, element)

    def bias(self, layer: Convolution, array: np.ndarray) -> ir.Value:
        scales = [printable_scale(layer.input.grid.scale * scale) for scale in layer.scales]
        return self.parameter(f"{layer.name}.bias", array, bias_type(scales, layer.products))

    def parameter(self, name: str, array: np.ndarray, element: ir.Type) -> ir.Value:
        """The value of a new global that holds `array` as stored numbers of `element`."""
        array = np.ascontiguousarray(array)
        type_ = ir.RankedTensorType.get(array.shape, element)
        with ir.InsertionPoint(self.function):
            data = ir.DenseElementsAttr.get(array)
            ml_program.GlobalOp(name, type_, value=data, sym_visibility="private")
        return ml_program.GlobalLoadConstOp(type_, ir.FlatSymbolRefAttr.get(name)).result


def _tensor(activation: Activation) -> ir.RankedTensorType:
    grid = activation.grid
    return ir.RankedTensorType.get(activation.shape, activation_type(grid.scale, grid.zero_point))
