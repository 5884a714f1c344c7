# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The layers of an MCUNetV3 int8 checkpoint, checked field by field.

The format is that of the data files of "On-Device Training Under 256KB Memory" (Lin et al.,
NeurIPS 2022), https://github.com/mit-han-lab/tiny-training: a dict of convolutions and residual
sums with their quantization parameters.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tte_mlir.errors import TTEError
from tte_mlir.frontend import safe_pickle
from tte_mlir.frontend.grids import ACTIVATION_RANGE, WEIGHT_RANGE, bias_bound, printable_scale

_OIHW_TO_HWIO = (2, 3, 1, 0)
_SCALE_RANGE = (1e-15, 1e6)
_FACTOR_LIMIT = 2.0**29  # of tte.conv2d's requantization
_SUM_RATIO_LIMIT = 2.0**20  # of tte.add


@dataclass(frozen=True)
class Grid:
    """x = scale * (q - zero_point), q in int8."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class Activation:
    """A square NHWC map of `size` * `size` * `channels`."""

    size: int
    channels: int
    grid: Grid

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (1, self.size, self.size, self.channels)


@dataclass(frozen=True)
class Convolution:
    """A convolution with padding k // 2 on each side; a clamp is part of its output's grid.

    `weight` int8 HWIO, `scales` f64 (O), `bias` int32 (O) with the scale of the input times
    `scales`.
    """

    name: str
    weight: np.ndarray
    scales: np.ndarray
    bias: np.ndarray
    stride: int
    groups: int
    input: Activation
    output: Activation

    @property
    def products(self) -> int:
        """Products that an output sums."""
        return math.prod(self.weight.shape[:3])


@dataclass(frozen=True)
class Block:
    """Convolutions in a row; with `sum` its input is added to their result."""

    name: str
    convolutions: tuple[Convolution, ...]
    sum: Activation | None


@dataclass(frozen=True)
class Network:
    """Blocks in a row, global average pooling, and a 1x1 convolution to the scores."""

    blocks: tuple[Block, ...]
    classifier: Convolution

    @property
    def input(self) -> Activation:
        return self.blocks[0].convolutions[0].input


def read(path: Path) -> Network:
    """Reads a checkpoint. Raises TTEError that names the layer, the field and what it may be."""
    return _Reader(path).network(safe_pickle.load(path))


class _Fields:
    """A dict of the file, and what it is called in errors."""

    def __init__(self, path: Path, name: str, fields: Any) -> None:
        self.path, self.name = path, name
        if not isinstance(fields, dict):
            raise self.refuse(f"is {_describe(fields)}, expected a dict")
        self._fields = fields

    def refuse(self, problem: str) -> TTEError:
        where = f"{self.path}: {self.name}: " if self.name else f"{self.path}: "
        return TTEError(where + problem)

    def get(self, key: str) -> Any:
        if key not in self._fields:
            known = ", ".join(map(str, self._fields)) or "nothing"
            raise self.refuse(f"has no field '{key}', found {known}")
        return self._fields[key]

    def fields(self, key: str, name: str) -> _Fields:
        return _Fields(self.path, name, self.get(key))

    def require(self, key: str, expected: Any, reason: str = "") -> None:
        """Refuses another value than the one expected."""
        value = self.get(key)
        if type(value) is not type(expected) or value != expected:
            raise self.refuse(f"{key} is {_describe(value)}, expected {expected}{reason}")

    def integer(self, key: str, low: int, high: int) -> int:
        value = self.get(key)
        if type(value) is not int or not low <= value <= high:
            raise self.refuse(f"{key} is {_describe(value)}, expected an integer {low} to {high}")
        return value

    def size(self, key: str) -> int:
        return self.integer(key, 1, 1 << 16)

    def scale(self, key: str) -> float:
        value = self.get(key)
        low, high = _SCALE_RANGE
        if type(value) not in (int, float) or not low <= value <= high:
            raise self.refuse(f"{key} is {_describe(value)}, expected a scale {low} to {high}")
        return printable_scale(value)

    def grid(self, tensor: str) -> Grid:
        return Grid(
            self.scale(f"{tensor}_scale"), self.integer(f"{tensor}_zero", *ACTIVATION_RANGE)
        )

    def array(self, key: str, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
        value = self.get(key)
        array = value.array if isinstance(value, safe_pickle.PickledArray) else None
        if array is None or array.dtype != dtype or array.shape != shape:
            raise self.refuse(
                f"{key} is {_describe(value)}, expected {np.dtype(dtype).name} of shape {shape}"
            )
        return array


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path

    def network(self, checkpoint: Any) -> Network:
        top = _Fields(self.path, "", checkpoint)
        stem = top.fields("first_conv", "first_conv")
        stem_grid = _Fields(self.path, "first_conv.params", stem.get("params")).grid("x")
        source = Activation(stem.size("in_shape"), stem.size("in_channel"), stem_grid)
        blocks = [Block("first_conv", (self.convolution(stem, source),), None)]
        for index, fields in enumerate(self.block_list(top)):
            blocks.append(self.block(fields, f"blocks.{index}", _output(blocks[-1])))
        if top.get("feature_mix") is not None:
            mix = top.fields("feature_mix", "feature_mix")
            blocks.append(Block(mix.name, (self.convolution(mix, _output(blocks[-1])),), None))
        classifier = self.classifier(top.fields("classifier", "classifier"), _output(blocks[-1]))
        return Network(tuple(blocks), classifier)

    def block_list(self, top: _Fields) -> list[Any]:
        blocks = top.get("blocks")
        if not isinstance(blocks, list):
            raise top.refuse(f"blocks is {_describe(blocks)}, expected a list")
        return blocks

    def block(self, value: Any, name: str, source: Activation) -> Block:
        block = _Fields(self.path, name, value)
        block.require("se", None, " (squeeze-and-excitation is not supported)")
        convolutions: list[Convolution] = []
        for role in self.roles(block):
            fields = block.fields(role, f"{name}.{role}")
            x = convolutions[-1].output if convolutions else source
            convolutions.append(self.convolution(fields, x))
        total = None
        if block.get("residual") is not None:
            residual = block.fields("residual", f"{name}.residual")
            total = self.sum(residual, source, convolutions[-1].output)
        return Block(name, tuple(convolutions), total)

    def roles(self, block: _Fields) -> Iterator[str]:
        if block.get("pointwise1") is not None:
            yield "pointwise1"
        yield from ("depthwise", "pointwise2")

    def convolution(self, fields: _Fields, source: Activation) -> Convolution:
        fields.require("in_shape", source.size, " (the layer before gives that)")
        fields.require("act", None, " (a clamp is the range of the output's grid)")
        fields.require("depthwise", fields.size("groups") > 1, " (groups above 1)")
        kernel, stride = self.kernel(fields), fields.size("stride")
        size = fields.size("out_shape")
        expected = [(source.size + 2 * (k // 2) - k) // stride + 1 for k in kernel]
        if expected != [size, size]:
            raise fields.refuse(
                f"out_shape is {size}, expected {expected[0]} from in_shape {source.size}, "
                f"kernel_size {kernel} and stride {stride}"
            )
        return self.layer(fields, source, kernel, stride, size)

    def classifier(self, fields: _Fields, source: Activation) -> Convolution:
        """A convolution of the pooled map, whose grid pooling keeps."""
        kernel = self.kernel(fields)
        if kernel != (1, 1):
            raise fields.refuse(f"kernel_size is {kernel}, expected (1, 1)")
        fields.require("stride", 1)
        fields.require("groups", 1)
        return self.layer(fields, Activation(1, source.channels, source.grid), kernel, 1, 1)

    def layer(
        self, fields: _Fields, source: Activation, kernel: tuple[int, int], stride: int, size: int
    ) -> Convolution:
        fields.require("in_channel", source.channels, " (the layer before gives that)")
        channels, groups = fields.size("out_channel"), fields.size("groups")
        if source.channels % groups or channels % groups:
            raise fields.refuse(
                f"groups is {groups}, expected a divisor of in_channel {source.channels} and "
                f"out_channel {channels}"
            )
        params = _Fields(self.path, f"{fields.name}.params", fields.get("params"))
        _require_grid(params, source.grid)
        shape = (channels, source.channels // groups, *kernel)
        layer = Convolution(
            name=fields.name,
            weight=self.weight(params, shape),
            scales=self.weight_scales(params, channels),
            bias=params.array("bias", np.int32, (channels,)),
            stride=stride,
            groups=groups,
            input=source,
            output=Activation(size, channels, params.grid("y")),
        )
        self.check_range(params, layer)
        return layer

    def kernel(self, fields: _Fields) -> tuple[int, int]:
        kernel = fields.get("kernel_size")
        pair = isinstance(kernel, tuple | list) and len(kernel) == 2
        if not pair or any(type(k) is not int or k < 1 for k in kernel):
            raise fields.refuse(f"kernel_size is {_describe(kernel)}, expected (height, width)")
        return tuple(kernel)

    def weight(self, params: _Fields, shape: tuple[int, ...]) -> np.ndarray:
        weight = params.array("weight", np.int8, shape)
        low, high = WEIGHT_RANGE
        if weight.min() < low:
            raise params.refuse(f"weight holds {weight.min()}, expected {low} to {high}")
        return np.ascontiguousarray(weight.transpose(_OIHW_TO_HWIO))

    def weight_scales(self, params: _Fields, channels: int) -> np.ndarray:
        scales = params.array("w_scales", np.float32, (channels,)).astype(np.float64)
        low, high = _SCALE_RANGE
        wrong = ~((scales >= low) & (scales <= high))
        if wrong.any():
            o = int(np.argmax(wrong))
            raise params.refuse(
                f"w_scales of channel {o} is {scales[o]}, expected a scale {low} to {high}"
            )
        return np.array([printable_scale(scale) for scale in scales])

    def check_range(self, params: _Fields, layer: Convolution) -> None:
        """Refuses what `tte.conv2d` cannot accumulate or requantize."""
        if bias_bound(layer.products) < 1:
            raise params.refuse(
                f"an output sums {layer.products} products, which may overflow 32 bits"
            )
        factors = layer.input.grid.scale * layer.scales / layer.output.grid.scale
        if factors.max() >= _FACTOR_LIMIT:
            o = int(np.argmax(factors))
            raise params.refuse(
                f"x_scale * w_scales / y_scale of channel {o} is {factors[o]:g}, expected less "
                f"than {_FACTOR_LIMIT:g}"
            )

    def sum(self, fields: _Fields, source: Activation, branch: Activation) -> Activation:
        fields.require("in_shape", source.size, " (the block's input)")
        fields.require("in_channel", source.channels, " (the block's input)")
        if branch.shape != source.shape:
            raise fields.refuse(
                f"adds maps of shape {source.shape} and {branch.shape}, expected equal ones"
            )
        params = _Fields(self.path, f"{fields.name}.params", fields.get("params"))
        _require_grid(params, source.grid)
        grid = params.grid("y")
        ratio = max(source.grid.scale, branch.grid.scale) / grid.scale
        if ratio > _SUM_RATIO_LIMIT:
            raise params.refuse(
                f"y_scale is {ratio:g} times finer than an operand's, expected at most "
                f"{_SUM_RATIO_LIMIT:g}"
            )
        return Activation(source.size, source.channels, grid)


def _output(block: Block) -> Activation:
    return block.sum or block.convolutions[-1].output


def _require_grid(params: _Fields, expected: Grid) -> None:
    """The grid of a layer's input is that of the result of the layer before."""
    found = params.grid("x")
    if found != expected:
        raise params.refuse(
            f"x_scale and x_zero are {found.scale} and {found.zero_point}, expected "
            f"{expected.scale} and {expected.zero_point} (the layer before gives that)"
        )


def _describe(value: Any) -> str:
    """A value of the file in a few words."""
    array = value.array if isinstance(value, safe_pickle.PickledArray) else None
    if array is not None:
        return f"{array.dtype} of shape {array.shape}"
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)[:80]
    if isinstance(value, tuple | list) and len(value) < 5:
        return repr(value)[:80]
    return type(value).__name__
