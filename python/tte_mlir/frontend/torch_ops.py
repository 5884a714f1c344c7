# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One converter per PyTorch operator.

A converter takes a `Conversion` and the operator's arguments in the order of its schema: tensors
as `Tensor` or `Parameter`, the rest as Python values. It returns the operator's (first) result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import mlir.ir as ir
import numpy as np

from tte_mlir.dialects import tte
from tte_mlir.errors import TTEError
from tte_mlir.frontend.graph import (
    NCHW_TO_NHWC,
    GraphBuilder,
    Parameter,
    Tensor,
    f32_tensor,
    stored_shape,
)

Converter = Callable[..., Tensor]
CONVERTERS: dict[str, Converter] = {}
BATCH_NORMS = ("aten.batch_norm", "aten._native_batch_norm_legit_no_training")
LINEAR_OPERATORS = ("aten.conv2d", "aten.conv2d.padding", "aten.linear")


@dataclass(frozen=True)
class Affine:
    """y = scale * x + shift per channel, f64."""

    scale: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True)
class Conversion:
    """The operator at hand: where it stands, what it must produce, and what follows it."""

    builder: GraphBuilder
    module: str
    operator: str
    result_shape: tuple[int, ...]
    norm: Affine | None = None

    def refuse(self, reason: str) -> TTEError:
        return TTEError(f"{self.module}: {self.operator} {reason}")


def _converts(*operators: str) -> Callable[[Converter], Converter]:
    def register(converter: Converter) -> Converter:
        CONVERTERS.update(dict.fromkeys(operators, converter))
        return converter

    return register


def batch_norm_affine(
    op: Conversion,
    weight: Parameter | None,
    bias: Parameter | None,
    mean: Parameter | None,
    variance: Parameter | None,
    *rest: Any,
) -> Affine:
    """The affine map of a batch norm in evaluation mode."""
    if op.operator == "aten.batch_norm":
        training, _, epsilon, _ = rest
    else:
        training, (_, epsilon) = False, rest
    if training or mean is None or variance is None:
        raise op.refuse("uses batch statistics; export the network in evaluation mode")
    scale = 1.0 / np.sqrt(variance.array.astype(np.float64) + epsilon)
    if weight is not None:
        scale = scale * weight.array
    shift = -mean.array * scale
    if bias is not None:
        shift = shift + bias.array
    return Affine(scale, shift)


# Layers with weights


@_converts("aten.conv2d", "aten.conv2d.padding")
def _conv2d(
    op: Conversion,
    x: Tensor,
    weight: Parameter,
    bias: Parameter | None,
    stride: Sequence[int],
    padding: Sequence[int] | str,
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    if len(x.shape) != 4:
        raise op.refuse(f"takes an input of shape {x.shape}, expected (1, channels, h, w)")
    kernel, dilation = weight.array.shape[2:], _pair(dilation)
    padding = _conv_padding(op, padding, kernel, dilation)
    array, shift = _apply_norm(op, weight, bias)
    result = tte.Conv2DOp(
        f32_tensor(stored_shape(op.result_shape)),
        x.value,
        [op.builder.parameter(weight.name, array.transpose(2, 3, 1, 0))],
        bias=_bias(op, weight, bias, shift),
        strides=_pair(stride),
        padding=padding,
        dilations=dilation,
        groups=groups,
    )
    return Tensor(result.result, op.result_shape)


@_converts("aten.linear")
def _linear(op: Conversion, x: Tensor, weight: Parameter, bias: Parameter | None = None) -> Tensor:
    if len(x.shape) != 2:
        raise op.refuse(f"takes an input of shape {x.shape}, expected (1, features)")
    array, shift = _apply_norm(op, weight, bias)
    array = array.T
    if x.flattened:  # reorder the rows once, here, not the activations in each step
        channels, height, width = x.flattened
        rows = np.arange(len(array)).reshape(channels, height, width)
        array = array[rows.transpose(1, 2, 0).reshape(-1)]
    result = tte.DenseOp(
        f32_tensor(op.result_shape),
        x.value,
        [op.builder.parameter(weight.name, array)],
        bias=_bias(op, weight, bias, shift),
    )
    return Tensor(result.result, op.result_shape)


@_converts(*BATCH_NORMS)
def _batch_norm(op: Conversion, x: Tensor, weight: Parameter | None, *rest: Any) -> Tensor:
    """A batch norm that follows no convolution: a depthwise 1x1 convolution."""
    if len(x.shape) != 4:
        raise op.refuse(f"of an input of shape {x.shape} must follow a linear layer")
    affine = batch_norm_affine(op, weight, *rest)
    channels = len(affine.scale)
    name = weight.name.rpartition(".")[0] if weight else op.module
    result = tte.Conv2DOp(
        f32_tensor(stored_shape(op.result_shape)),
        x.value,
        [op.builder.parameter(f"{name}.weight", affine.scale.reshape(1, 1, 1, channels))],
        bias=op.builder.parameter(f"{name}.bias", affine.shift),
        groups=channels,
    )
    return Tensor(result.result, op.result_shape)


def _apply_norm(
    op: Conversion, weight: Parameter, bias: Parameter | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Weight and bias with the batch norm that follows folded in; output channels first."""
    for parameter in (weight, bias):
        if parameter is not None and not isinstance(parameter, Parameter):
            raise op.refuse("takes a weight that is computed, expected a parameter")
    shift = None if bias is None else bias.array
    if op.norm is None:
        return weight.array, shift
    scale = op.norm.scale.reshape(-1, *[1] * (weight.array.ndim - 1))
    shift = op.norm.shift + (0.0 if shift is None else shift * op.norm.scale)
    return weight.array * scale, shift


def _bias(
    op: Conversion, weight: Parameter, bias: Parameter | None, shift: np.ndarray | None
) -> ir.Value | None:
    if shift is None:
        return None
    name = bias.name if bias else weight.name.rpartition(".")[0] + ".bias"
    return op.builder.parameter(name, shift)


def _conv_padding(
    op: Conversion, padding: Sequence[int] | str, kernel: Sequence[int], dilation: Sequence[int]
) -> list[int]:
    """[top, bottom, left, right]; "same" puts the odd row or column last, as PyTorch does."""
    if padding == "valid":
        return [0, 0, 0, 0]
    if padding == "same":
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return [side for total in totals for side in (total // 2, total - total // 2)]
    if isinstance(padding, str):
        raise op.refuse(f"with padding '{padding}' is not supported")
    return [side for size in _pair(padding) for side in (size, size)]


# Activations


@_converts("aten.relu")
def _relu(op: Conversion, x: Tensor) -> Tensor:
    return _clamp_to(op, x, 0.0, math.inf)


@_converts("aten.relu6")
def _relu6(op: Conversion, x: Tensor) -> Tensor:
    return _clamp_to(op, x, 0.0, 6.0)


@_converts("aten.hardtanh", "aten.clamp")
def _clamp(op: Conversion, x: Tensor, low: float | None, high: float | None = None) -> Tensor:
    return _clamp_to(op, x, -math.inf if low is None else low, math.inf if high is None else high)


@_converts("aten.clamp_min")
def _clamp_min(op: Conversion, x: Tensor, low: float) -> Tensor:
    return _clamp_to(op, x, low, math.inf)


@_converts("aten.clamp_max")
def _clamp_max(op: Conversion, x: Tensor, high: float) -> Tensor:
    return _clamp_to(op, x, -math.inf, high)


def _clamp_to(op: Conversion, x: Tensor, low: float, high: float) -> Tensor:
    if low > high:
        raise op.refuse(f"clamps to the empty range [{low}, {high}]")
    clamp = tte.clamp_attr(x.value.context, low, high)
    return replace(x, value=tte.ClampOp(x.value.type, x.value, clamp).result)


@_converts("aten.add.Tensor")
def _add(op: Conversion, x: Tensor, y: Tensor, alpha: float = 1) -> Tensor:
    if not (isinstance(x, Tensor) and isinstance(y, Tensor)):
        raise op.refuse("of a constant or a parameter is not supported")
    if alpha != 1 or x.shape != y.shape:
        raise op.refuse(f"of shapes {x.shape} and {y.shape} with alpha={alpha} is not supported")
    if x.flattened != y.flattened:
        x, y = op.builder.settle(x), op.builder.settle(y)
    result = tte.AddOp(x.value.type, x.value, y.value)
    return Tensor(result.result, x.shape, x.flattened)


# Pooling


@_converts("aten.avg_pool2d")
def _avg_pool2d(
    op: Conversion,
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
) -> Tensor:
    if divisor is not None:
        raise op.refuse(f"with divisor_override={divisor} is not supported")
    if any(padding) and count_include_pad:
        raise op.refuse("counts padding; set count_include_pad=False")
    return _pool(op, tte.AvgPool2DOp, x, kernel, stride, padding)


@_converts("aten.max_pool2d")
def _max_pool2d(
    op: Conversion,
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
) -> Tensor:
    if any(d != 1 for d in dilation):
        raise op.refuse(f"with dilation {list(dilation)} is not supported")
    return _pool(op, tte.MaxPool2DOp, x, kernel, stride, padding)


@_converts("aten.adaptive_avg_pool2d")
def _adaptive_avg_pool2d(op: Conversion, x: Tensor, _: Sequence[int]) -> Tensor:
    sizes = list(zip(x.shape[-2:], op.result_shape[-2:], strict=True))
    if any(size % count for size, count in sizes):
        raise op.refuse(f"from {x.shape[-2:]} to {op.result_shape[-2:]} has windows of many sizes")
    kernel = [size // count for size, count in sizes]
    return _pool(op, tte.AvgPool2DOp, x, kernel, kernel, [0, 0])


@_converts("aten.mean.dim")
def _mean(
    op: Conversion, x: Tensor, dims: Sequence[int] | None, keep: bool = False, dtype: Any = None
) -> Tensor:
    if len(x.shape) != 4 or not dims or {d % 4 for d in dims} - {2, 3}:
        raise op.refuse(f"of dimensions {dims} of {x.shape}: only height and width are supported")
    kernel = [x.shape[d] if d in {e % 4 for e in dims} else 1 for d in (2, 3)]
    pooled_shape = (*x.shape[:2], *(x.shape[d] // kernel[d - 2] for d in (2, 3)))
    pooled = _pool(replace(op, result_shape=pooled_shape), tte.AvgPool2DOp, x, kernel, kernel, [0])
    return pooled if keep else _reshape_to(op, pooled)


def _pool(
    op: Conversion,
    pool: type[tte.AvgPool2DOp] | type[tte.MaxPool2DOp],
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
) -> Tensor:
    if len(x.shape) != 4:
        raise op.refuse(f"takes an input of shape {x.shape}, expected (1, channels, h, w)")
    kernel = _pair(kernel)
    stride = _pair(stride) if stride else kernel
    sides: list[int] = []
    for size, count, k, s, p in zip(
        x.shape[2:], op.result_shape[2:], kernel, stride, _pair(padding), strict=True
    ):
        # Ceiling mode is more padding behind, which pools here never count.
        sides += [p, max(p, (count - 1) * s + k - size - p)]
    result = pool(
        f32_tensor(stored_shape(op.result_shape)), x.value, kernel, strides=stride, padding=sides
    )
    return Tensor(result.result, op.result_shape)


# Shapes


@_converts(
    "aten.view",
    "aten._unsafe_view",
    "aten.reshape",
    "aten.flatten.using_ints",
    "aten.unflatten.int",
    "aten.squeeze",
    "aten.squeeze.dim",
    "aten.squeeze.dims",
    "aten.unsqueeze",
)
def _reshape(op: Conversion, x: Tensor, *_: Any) -> Tensor:
    return _reshape_to(op, x)


def _reshape_to(op: Conversion, x: Tensor) -> Tensor:
    shape = op.result_shape
    if shape == x.shape:
        return x
    if len(x.shape) == 4 and shape == (x.shape[0], math.prod(x.shape[1:])):
        _, channels, height, width = x.shape
        ordered = height * width == 1 or channels == 1
        flattened = None if ordered else (channels, height, width)
        return Tensor(op.builder.reshape(x.value, shape), shape, flattened)
    value = op.builder.reshape(op.builder.in_torch_order(x), shape)
    return op.builder.from_torch_order(value)


@_converts("aten.permute")
def _permute(op: Conversion, x: Tensor, dims: Sequence[int]) -> Tensor:
    rank = len(x.shape)
    x, dims = op.builder.settle(x), [d % rank for d in dims]
    if rank == 4:  # dimension d of the stored tensor is dimension NCHW_TO_NHWC[d] of PyTorch's
        dims = [NCHW_TO_NHWC.index(dims[d]) for d in NCHW_TO_NHWC]
    value = op.builder.permute(x.value, dims)
    return Tensor(value, op.result_shape)


@_converts("aten.transpose.int")
def _transpose(op: Conversion, x: Tensor, first: int, second: int) -> Tensor:
    dims = list(range(len(x.shape)))
    dims[first], dims[second] = dims[second], dims[first]
    return _permute(op, x, dims)


@_converts("aten.t")
def _t(op: Conversion, x: Tensor) -> Tensor:
    return _permute(op, x, list(range(len(x.shape)))[::-1])


@_converts("aten.slice.Tensor")
def _slice(
    op: Conversion, x: Tensor, dim: int, start: int | None, end: int | None, step: int
) -> Tensor:
    if step != 1:
        raise op.refuse(f"with step {step} is not supported")
    size = x.shape[dim]
    return _narrow_to(op, x, dim % len(x.shape), slice(start, end).indices(size)[0])


@_converts("aten.narrow")
def _narrow(op: Conversion, x: Tensor, dim: int, start: int, _: int) -> Tensor:
    return _narrow_to(op, x, dim % len(x.shape), start % x.shape[dim])


def _narrow_to(op: Conversion, x: Tensor, dim: int, start: int) -> Tensor:
    if op.result_shape == x.shape:
        return x
    if 0 in op.result_shape:
        raise op.refuse(f"gives the empty shape {op.result_shape}")
    x = op.builder.settle(x)
    offsets = [start if d == dim else 0 for d in range(len(x.shape))]
    result = tte.SliceOp(
        f32_tensor(stored_shape(op.result_shape)), x.value, list(stored_shape(offsets))
    )
    return Tensor(result.result, op.result_shape)


# Nothing in evaluation mode


@_converts("aten.dropout", "aten.feature_dropout", "aten.alpha_dropout")
def _dropout(op: Conversion, x: Tensor, _: float, training: bool) -> Tensor:
    if training:
        raise op.refuse("is in training mode; export the network in evaluation mode")
    return x


@_converts("aten.clone", "aten.contiguous", "aten.detach", "aten.alias", "aten.lift_fresh_copy")
def _identity(op: Conversion, x: Tensor, *_: Any) -> Tensor:
    return x


def _pair(values: Sequence[int]) -> list[int]:
    return list(values) * 2 if len(values) == 1 else list(values)
