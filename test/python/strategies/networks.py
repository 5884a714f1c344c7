# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small valid networks made of every op of a network, with random weights and inputs.

A failing test prints the drawn `Network`, which builds the same module again.
"""

from __future__ import annotations

import math

from hypothesis import strategies as st
from mlir import ir

from tte_mlir.dialects import tte
from tte_mlir.reference import Interpreter

from .layers import Add, Clamp, Convolution, Dense, Layer, Network, Permute, Pool, Reshape, Slice

_LIMIT = 160  # elements of a value

clamps = st.sampled_from([None, None, (0.0, math.inf), (0.0, 6.0), (-0.7, 0.9)])


@st.composite
def networks(draw: st.DrawFn, max_layers: int = 6) -> Network:
    """A classifier of 2 to 5 classes on an input of 3 to 8 pixels a side."""
    shape = (1, draw(st.integers(3, 8)), draw(st.integers(3, 8)), draw(st.integers(1, 4)))
    shapes, layers = [shape], []
    for _ in range(draw(st.integers(min(3, max_layers), max_layers))):
        layer = draw(draw(st.sampled_from(_choices(shapes))))
        layers.append(layer)
        shapes.append(layer.shape(shapes[-1]))
    layers += draw(_heads(shapes[-1]))
    return Network(shape, tuple(layers), draw(st.integers(0, 2**32 - 1)))


def calibrate(module: ir.Module, inputs) -> None:
    """Write the range of every value of `@forward` over some inputs as `tte.range`."""
    ranges: dict[ir.OpView, tuple[float, float]] = {}

    def observe(op: ir.OpView, results) -> None:
        low, high = ranges.get(op, (0.0, 0.0))
        ranges[op] = (min(low, float(results[0].min())), max(high, float(results[0].max())))

    interpreter = Interpreter(module)
    for x in inputs:
        interpreter.run("forward", x, observe=observe)
    context = module.context
    for op, (low, high) in ranges.items():
        if op.operation.name.startswith("tte."):
            op.operation.attributes["tte.range"] = tte.range_attr(context, low, high)
    function = interpreter.lookup("forward").opview
    with context:
        attributes = {item.name: item.attr for item in function.arg_attrs[0]}
        attributes["tte.range"] = tte.range_attr(
            context, min(0.0, float(inputs.min())), max(0.0, float(inputs.max()))
        )
        function.arg_attrs = ir.ArrayAttr.get([ir.DictAttr.get(attributes)])


def _choices(shapes: list[tuple[int, ...]]) -> list[st.SearchStrategy[Layer]]:
    shape = shapes[-1]
    choices = [
        _convolutions(shape),
        _convolutions(shape),
        _depthwise(shape),
        _pools(shape),
        _slices(shape),
        _permutations(shape),
        _reshapes(shape),
        st.sampled_from([(0.0, math.inf), (0.0, 6.0), (-0.5, 1.0)]).map(Clamp),
    ]
    partners = [index for index, other in enumerate(shapes) if other == shape]
    return [*choices, st.builds(Add, st.sampled_from(partners), clamps)]


@st.composite
def _convolutions(draw: st.DrawFn, shape, depthwise: bool = False) -> Convolution:
    channels = shape[3] if depthwise else draw(st.integers(1, 6))
    divisors = [g for g in range(1, 7) if shape[3] % g == 0 and channels % g == 0]
    window = _window(draw, shape, dilated=True)
    groups = shape[3] if depthwise else draw(st.sampled_from(divisors))
    layer = Convolution(
        channels, *window, groups=groups, bias=draw(st.booleans()), clamp=draw(clamps)
    )
    if math.prod(layer.shape(shape)) > _LIMIT:
        return Convolution(min(channels, shape[3]), (1, 1), strides=(2, 2))
    return layer


def _depthwise(shape) -> st.SearchStrategy[Convolution]:
    return _convolutions(shape, depthwise=True)


@st.composite
def _pools(draw: st.DrawFn, shape) -> Pool:
    kernel, strides, padding, _ = _window(draw, shape)
    return Pool(draw(st.sampled_from(["avg", "max"])), kernel, strides, padding)


def _window(draw: st.DrawFn, shape, dilated: bool = False):
    """Kernel, strides, padding and dilations that fit a shape; padding is less than the kernel."""
    kernel, strides, padding, dilations = [], [], [], []
    for size in shape[1:3]:
        k = draw(st.integers(1, min(3, size)))
        before, after = (draw(st.integers(0, k - 1)) for _ in range(2))
        widest = (size + before + after - 1) // (k - 1) if k > 1 and dilated else 1
        kernel.append(k)
        strides.append(draw(st.integers(1, 2)))
        padding += [before, after]
        dilations.append(draw(st.integers(1, min(2, max(1, widest)))))
    return tuple(kernel), tuple(strides), tuple(padding), tuple(dilations)


@st.composite
def _slices(draw: st.DrawFn, shape) -> Slice:
    sizes = [draw(st.integers((size + 1) // 2, size)) for size in shape]
    offsets = [draw(st.integers(0, size - part)) for size, part in zip(shape, sizes, strict=True)]
    return Slice(tuple(offsets), tuple(sizes))


def _permutations(shape) -> st.SearchStrategy[Permute]:
    return st.permutations([1, 2, 3]).map(lambda rest: Permute((0, *rest)))


def _reshapes(shape) -> st.SearchStrategy[Reshape]:
    n, h, w, c = shape
    return st.sampled_from([(n, w, h, c), (n, h * w, 1, c), (n, h, 1, w * c)]).map(Reshape)


@st.composite
def _heads(draw: st.DrawFn, shape) -> list[Layer]:
    """A flattened value through one or two dense layers."""
    layers: list[Layer] = []
    if draw(st.booleans()):
        layers.append(Pool("avg", shape[1:3]))
        shape = layers[-1].shape(shape)
    layers.append(Reshape((1, math.prod(shape))))
    if draw(st.booleans()):
        layers.append(Dense(draw(st.integers(2, 8)), clamp=draw(clamps)))
    return [*layers, Dense(draw(st.integers(2, 5)), bias=draw(st.booleans()))]
