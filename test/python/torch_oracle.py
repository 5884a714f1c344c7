# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Gradients of a module's `@forward` by torch.autograd in f64.

Each op of the network is the torch function of its real values. A quantized result takes the value
that is stored, and its gradient goes straight through where the stored value is not clamped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from mlir import ir
from mlir.dialects import func, ml_program

from tte_mlir.dialects import tte
from tte_mlir.reference import Grid, Interpreter

Real = Callable[[ir.Value], torch.Tensor]
_TORCH: dict[str, Callable] = {}

LOSSES = {
    "softmax_cross_entropy": F.cross_entropy,
    "mean_squared_error": lambda scores, labels: F.mse_loss(
        scores, F.one_hot(labels, scores.shape[1]).double()
    ),
}


def gradients(
    module: ir.Module, x: np.ndarray, label: int, loss: str = "softmax_cross_entropy"
) -> tuple[float, dict[str, np.ndarray]]:
    """The loss and dL/dw, by name, of every parameter w of `@forward` for a stored input."""
    function, stored = _stored_values(module, x)
    reals = {function.arguments[0]: torch.tensor(_dequantized(function.arguments[0], x))}
    parameters: dict[str, torch.Tensor] = {}
    for op in function.body.blocks[0]:
        if isinstance(op, func.ReturnOp):
            result = LOSSES[loss](reals[op.operands[0]], torch.tensor([label]))
            result.backward()
            break
        (value,) = op.operation.results
        if isinstance(op, ml_program.GlobalLoadConstOp):
            leaf = torch.tensor(_dequantized(value, stored[value]), requires_grad=True)
            name = ir.SymbolRefAttr(op.operation.attributes["global"]).value[0]
            parameters[name] = reals[value] = leaf
        else:
            real = _TORCH[op.operation.name](op, reals.__getitem__)
            reals[value] = _straight_through(op, value, real, stored[value])
    return result.item(), {name: leaf.grad.numpy() for name, leaf in parameters.items()}


def rounding_errors(module: ir.Module, x: np.ndarray) -> Iterator[tuple[str, float]]:
    """For each op of a quantized `@forward`, how many steps its stored result is off the exact
    result on its stored operands."""
    function, stored = _stored_values(module, x)
    stored[function.arguments[0]] = x

    def real(value: ir.Value) -> torch.Tensor:
        return torch.tensor(_dequantized(value, stored[value]))

    for op in function.body.blocks[0]:
        results = op.operation.results
        grid = Grid.of(results[0].type.element_type) if len(results) else None
        if grid is None or op.operation.name not in _TORCH:
            continue
        low, high = _stored_range(op, grid)
        exact = _TORCH[op.operation.name](op, real).numpy() / grid.scales + grid.zero_point
        yield str(op), float(np.abs(np.clip(exact, low, high) - stored[results[0]]).max())


def _stored_values(module: ir.Module, x: np.ndarray):
    """`@forward` and the stored values of its ops' results for a stored input."""
    stored: dict[ir.Value, np.ndarray] = {}

    def observe(op: ir.OpView, results) -> None:
        stored.update(zip(op.operation.results, results, strict=True))

    interpreter = Interpreter(module, real=np.float64)
    interpreter.run("forward", x, observe=observe)
    return interpreter.lookup("forward").opview, stored


def _clamp(op) -> ir.Attribute | None:
    attributes = op.operation.attributes
    return next((attributes[name] for name in ("clamp", "range") if name in attributes), None)


def _stored_range(op, grid: Grid) -> tuple[float, float]:
    """The range to which a quantized result is clamped."""
    clamp = _clamp(op)
    return (grid.minimum, grid.maximum) if clamp is None else tte.interval(clamp)


def _dequantized(value: ir.Value, array: np.ndarray) -> np.ndarray:
    grid = Grid.of(value.type.element_type)
    if grid is None:
        return array.astype(np.float64)
    return grid.real_scale(array.ndim).astype(np.float64) * (
        array.astype(np.float64) - grid.zero_point
    )


def _straight_through(op, value: ir.Value, real: torch.Tensor, stored: np.ndarray) -> torch.Tensor:
    """`real` with the value that is stored and the gradient of a clamp."""
    grid = Grid.of(value.type.element_type)
    if grid is None:
        clamp = _clamp(op)
        return real if clamp is None else torch.clamp(real, *tte.interval(clamp))
    if isinstance(op, tte.Conv2DOp | tte.DenseOp | tte.AddOp | tte.ClampOp | tte.QuantizeOp):
        low, high = _stored_range(op, grid)
        real = real * torch.tensor((low < stored) & (stored < high))
    return real + (torch.tensor(_dequantized(value, stored)) - real).detach()


def _torch(op_class: type[ir.OpView]):
    def register(function):
        _TORCH[op_class.OPERATION_NAME] = function
        return function

    return register


@_torch(tte.Conv2DOp)
def _conv2d(op, real: Real) -> torch.Tensor:
    x = real(op.input)
    depthwise = op.groups.value == x.shape[3] == op.result.type.shape[3]
    weight = torch.cat([real(part) for part in op.weights], 3 if depthwise else 2)
    bias = None if op.bias is None else real(op.bias)
    padded = _padded(x, op.padding)
    y = F.conv2d(
        padded,
        weight.permute(3, 2, 0, 1).contiguous(),
        bias,
        tuple(op.strides),
        0,
        tuple(op.dilations),
        op.groups.value,
    )
    return y.permute(0, 2, 3, 1)


@_torch(tte.DenseOp)
def _dense(op, real: Real) -> torch.Tensor:
    y = real(op.input) @ torch.cat([real(part) for part in op.weights], 0)
    return y if op.bias is None else y + real(op.bias)


@_torch(tte.AddOp)
def _add(op, real: Real) -> torch.Tensor:
    return real(op.lhs) + real(op.rhs)


@_torch(tte.AvgPool2DOp)
def _avg_pool2d(op, real: Real) -> torch.Tensor:
    x = real(op.input)
    kernel, strides = tuple(op.kernel), tuple(op.strides)
    sums = F.avg_pool2d(_padded(x, op.padding), kernel, strides)
    shares = F.avg_pool2d(_padded(torch.ones_like(x), op.padding), kernel, strides)
    return (sums / shares).permute(0, 2, 3, 1)


@_torch(tte.MaxPool2DOp)
def _max_pool2d(op, real: Real) -> torch.Tensor:
    padded = _padded(real(op.input), op.padding, -torch.inf)
    return F.max_pool2d(padded, tuple(op.kernel), tuple(op.strides)).permute(0, 2, 3, 1)


@_torch(tte.ClampOp)
@_torch(tte.QuantizeOp)
@_torch(tte.DequantizeOp)
def _same(op, real: Real) -> torch.Tensor:
    return real(op.input)


@_torch(tte.ReshapeOp)
def _reshape(op, real: Real) -> torch.Tensor:
    return real(op.input).reshape(list(op.result.type.shape))


@_torch(tte.SliceOp)
def _slice(op, real: Real) -> torch.Tensor:
    ends = zip(op.offsets, op.result.type.shape, strict=True)
    return real(op.input)[tuple(slice(start, start + size) for start, size in ends)]


@_torch(tte.PermuteOp)
def _permute(op, real: Real) -> torch.Tensor:
    return real(op.input).permute(list(op.permutation))


def _padded(x: torch.Tensor, padding, value: float = 0.0) -> torch.Tensor:
    """NHWC to NCHW with padding [top, bottom, left, right]."""
    top, bottom, left, right = padding
    return F.pad(x.permute(0, 3, 1, 2), (left, right, top, bottom), value=value)
