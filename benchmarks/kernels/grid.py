# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The shapes that are measured: which, and as which kernels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

from kernel_bench import Case
from modules import tensor
from test_lowered_kernels import Conv, activation, bias, kernel, update, weight

LEAST_MACS = 50_000
MOST_ELEMENTS = 1 << 16
"""Of an activation: what fits on a microcontroller."""
MAPS = (4, 5, 7, 8, 11, 14, 16, 32, 64)
WINDOWS = (3, 5, 7)
POINTWISE = (
    *((8, 8), (8, 24), (8, 384), (384, 8), (384, 384)),
    *((16, 48), (20, 60), (48, 16), (48, 192), (96, 384), (144, 24), (384, 96)),
)
DEPTHWISE = (8, 24, 60, 144, 384)
FIRST_LAYERS = ((32, 8), (64, 16), (97, 16), (128, 16))
"""Side of a colour image, channels: a 3x3 window at stride 2."""
HIDDEN_WINDOWS = (
    *((size, (16, 32), w, stride) for size in (5, 8, 16) for w in WINDOWS for stride in (1, 2)),
    *((size, channels, 3, 1) for size, channels in ((32, (8, 8)), (64, (8, 12)), (11, (20, 40)))),
    *((size, channels, 3, 1) for size, channels in ((4, (64, 96)), (8, (64, 48)))),
)
"""Side, channels, window, stride of convolutions that are neither 1x1 nor depthwise."""
DENSE = ((384, 256), (1280, 40), (160, 1000), (1001, 51))
"""Features, scores of a classifier."""

UPDATE = "update, a weight"

HOW = f"""The grid has the corners and sizes between them that divide nothing: maps of
{", ".join(map(str, MAPS))} pixels a side; 1x1 layers from {POINTWISE[0][0]} to
{POINTWISE[4][0]} channels, depthwise ones with {", ".join(map(str, DEPTHWISE))}; windows of 3, 5
and 7 at strides 1 and 2; other convolutions as first layers of colour images and hidden ones;
classifiers of one example. Of all combinations those count that have {LEAST_MACS:,}
multiply-accumulates and more and whose activations have at most {MOST_ELEMENTS:,} elements
(`benchmarks/kernels/grid.py`). Weights are frozen, hence packed where the compiler packs them,
but in the family that says otherwise. A family is that of `ttec report`, but that `conv kxk` holds
all windows. Weight gradients are measured without the update, whose cost goes with the weights and
not with the products; `update, a weight` is what quantization-aware scaling and a stochastic
update in the same kernel add for each weight. What trains a layer of p output pixels thus takes
the sum of the gradient's figure and a p-th of the update's."""


@dataclass(frozen=True)
class Shape:
    """A case of the grid; `text` says its sizes. Its instructions, less those of `without`, are
    held against `work`: MACs, or the weights of an update."""

    family: str
    text: str
    case: Case
    work: int
    without: Case | None = None

    @classmethod
    def of(cls, family: str, text: str, case: Case) -> Shape:
        return cls(family, text, case, case.macs)

    @classmethod
    def of_update(cls, text: str, updating: Case, gradient: Case, weights: int) -> Shape:
        """What an update adds to the kernel of a gradient."""
        return cls(UPDATE, text, updating, weights, gradient)


def grid() -> Iterator[Shape]:
    """All shapes that are large enough to count."""
    for shape in (*_pointwise(), *_depthwise(), *_other_windows(), *_dense()):
        if shape.case.macs >= LEAST_MACS:
            yield shape


def _pointwise() -> Iterator[Shape]:
    for size in MAPS:
        for channels in POINTWISE:
            if size * size * max(channels) <= MOST_ELEMENTS:
                conv, text = _conv(size, channels, 1, 1, 1)
                yield from _shapes(conv, "1x1", text)
                trained = conv.forward()
                trained = replace(trained, name=f"{trained.name}_trained")
                yield Shape.of("1x1, weights that train", text, trained)


def _depthwise() -> Iterator[Shape]:
    for window in WINDOWS:
        for stride in (1, 2):
            for size in MAPS:
                for channels in DEPTHWISE:
                    fits = size * size * channels <= MOST_ELEMENTS
                    if fits and size >= window // 2 + stride:
                        conv, text = _conv(size, (channels, channels), window, stride, channels)
                        yield from _shapes(conv, f"depthwise {window}x{window}", text)


def _other_windows() -> Iterator[Shape]:
    for size, channels in FIRST_LAYERS:
        conv, text = _conv(size, (3, channels), 3, 2, 1)
        # Nothing asks for the gradient of an image.
        yield from (
            shape
            for shape in _shapes(conv, "conv kxk", f"3x3 {text}")
            if not shape.family.endswith("input gradient")
        )
    for size, channels, window, stride in HIDDEN_WINDOWS:
        conv, text = _conv(size, channels, window, stride, 1)
        yield from _shapes(conv, "conv kxk", f"{window}x{window} {text}")


def _conv(
    size: int, channels: tuple[int, int], window: int, stride: int, groups: int
) -> tuple[Conv, str]:
    inputs, outputs = channels
    conv = Conv(
        f"conv_{size}_{inputs}_{outputs}_{window}_{stride}_{groups}",
        size=(size, size),
        channels=channels,
        kernel=window,
        stride=stride,
        padding=(window // 2,) * 4,
        groups=groups,
    )
    height = conv.output_shape[1]
    by = f", stride {stride}" if stride > 1 else ""
    return conv, f"{size}x{size}x{inputs} -> {height}x{height}x{outputs}{by}"


def _shapes(conv: Conv, family: str, text: str) -> Iterator[Shape]:
    gradient = conv.weight_grad()
    yield Shape.of(family, text, conv.forward(frozen=[0]))
    yield Shape.of(f"{family} input gradient", text, conv.input_grad(frozen=[0]))
    yield Shape.of(f"{family} weight gradient", text, gradient)
    yield Shape.of_update(text, conv.update(), gradient, prod(conv.weight_shapes[0]))


def _dense() -> Iterator[Shape]:
    for features, scores in DENSE:
        text, name = f"{features} -> {scores}", f"dense_{features}_{scores}"
        x, g = tensor((1, features), activation()), tensor((1, scores))
        w, b = tensor((features, scores), weight(scores, 1)), tensor((scores,), bias(scores))
        forward = kernel([x, w, b], "tte.dense %0 weights(%1) bias(%2)", g)
        backward = kernel([g, w], "tte.dense_input_grad %0 weights(%1)", tensor((1, features)))
        op, sizes = "tte.dense_weight_grad %0, %1 offset 0", (features, scores)
        weight_grad = kernel([x, g], op, tensor(sizes))
        macs = features * scores
        yield Shape.of("dense", text, Case(f"{name}_forward", forward, macs=macs))
        yield Shape.of("dense input gradient", text, Case(f"{name}_input", backward, macs=macs))
        gradient = Case(f"{name}_weight_grad", weight_grad, macs=macs)
        yield Shape.of("dense weight gradient", text, gradient)
        trained = replace(update(f"{name}_update", op, x, g, w, sizes), macs=macs)
        yield Shape.of_update(text, trained, gradient, macs)
