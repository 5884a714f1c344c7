# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Builds the function ``@forward`` of the stage "imported"."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import mlir.ir as ir
import numpy as np
from mlir.dialects import func, ml_program

from tte_mlir.dialects import tte
from tte_mlir.errors import TTEError

NCHW_TO_NHWC = (0, 2, 3, 1)
NHWC_TO_NCHW = (0, 3, 1, 2)


@dataclass(frozen=True)
class Parameter:
    """A named f32 array in PyTorch's layout, not yet read by any op."""

    name: str
    array: np.ndarray


@dataclass(frozen=True)
class Tensor:
    """A value of `shape` in PyTorch's order of dimensions.

    Rank 4 is stored NHWC, other ranks as they are. `flattened` is (channels, height, width) where
    a map was flattened and its elements still lie in the order height, width, channels.
    """

    value: ir.Value
    shape: tuple[int, ...]
    flattened: tuple[int, int, int] | None = None


def stored_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """How a tensor of PyTorch's `shape` lies in memory: NHWC where it has rank 4."""
    return tuple(shape[d] for d in NCHW_TO_NHWC) if len(shape) == 4 else tuple(shape)


def f32_tensor(shape: Sequence[int]) -> ir.RankedTensorType:
    return ir.RankedTensorType.get(list(shape), ir.F32Type.get())


class GraphBuilder:
    """Emits ops into ``@forward``. Needs an active context and location."""

    def __init__(self, input_shape: Sequence[int]) -> None:
        self.module = ir.Module.create()
        input_type = f32_tensor(stored_shape(input_shape))
        with ir.InsertionPoint(self.module.body):
            self._function = func.FuncOp("forward", ir.FunctionType.get([input_type], []))
        role = ir.DictAttr.get({"tte.role": ir.Attribute.parse("#tte.role<input>")})
        self._function.attributes["arg_attrs"] = ir.ArrayAttr.get([role])
        block = ir.Block.create_at_start(
            self._function.body, [input_type], [ir.Location.name("input")]
        )
        self.insertion_point = ir.InsertionPoint(block)
        self.input = Tensor(block.arguments[0], tuple(input_shape))
        self._loads: dict[str, tuple[np.ndarray, ir.Value]] = {}

    def parameter(self, name: str, array: np.ndarray) -> ir.Value:
        """The value of the global `name`, which holds `array` in the dialect's layout."""
        array = np.ascontiguousarray(array, np.float32)
        if name not in self._loads:
            type_ = f32_tensor(array.shape)
            data = ir.DenseElementsAttr.get(array, type=ir.F32Type.get(), shape=array.shape)
            with ir.InsertionPoint(self._function):
                ml_program.GlobalOp(name, type_, value=data, sym_visibility="private")
            load = ml_program.GlobalLoadConstOp(type_, ir.FlatSymbolRefAttr.get(name))
            self._loads[name] = (array, load.result)
        known, value = self._loads[name]
        if known.shape != array.shape or not np.array_equal(known, array, equal_nan=True):
            raise TTEError(f"{name}: is used by several layers that need different values of it")
        return value

    def reshape(self, value: ir.Value, shape: Sequence[int]) -> ir.Value:
        type_ = f32_tensor(shape)
        return value if value.type == type_ else tte.ReshapeOp(type_, value).result

    def permute(self, value: ir.Value, permutation: Sequence[int]) -> ir.Value:
        shape = ir.RankedTensorType(value.type).shape
        if _keeps_order(shape, permutation):
            return self.reshape(value, [shape[d] for d in permutation])
        result = f32_tensor([shape[d] for d in permutation])
        return tte.PermuteOp(result, value, list(permutation)).result

    def in_torch_order(self, tensor: Tensor) -> ir.Value:
        """The value with dimensions and elements in PyTorch's order."""
        if tensor.flattened:
            channels, height, width = tensor.flattened
            batch = math.prod(tensor.shape) // (channels * height * width)
            value = self.reshape(tensor.value, (batch, height, width, channels))
            return self.reshape(self.permute(value, NHWC_TO_NCHW), tensor.shape)
        if len(tensor.shape) == 4:
            return self.permute(tensor.value, NHWC_TO_NCHW)
        return tensor.value

    def from_torch_order(self, value: ir.Value) -> Tensor:
        """The inverse of `in_torch_order`."""
        shape = tuple(ir.RankedTensorType(value.type).shape)
        stored = self.permute(value, NCHW_TO_NHWC) if len(shape) == 4 else value
        return Tensor(stored, shape)

    def settle(self, tensor: Tensor) -> Tensor:
        """The tensor with its elements in the order that its shape implies."""
        if not tensor.flattened:
            return tensor
        return replace(tensor, value=self.in_torch_order(tensor), flattened=None)

    def finish(self, result: Tensor) -> ir.Module:
        value = self.settle(result).value
        func.ReturnOp([value])
        inputs = self._function.type.inputs
        type_ = ir.FunctionType.get(inputs, [value.type])
        self._function.attributes["function_type"] = ir.TypeAttr.get(type_)
        self.module.operation.verify()
        return self.module


def _keeps_order(shape: Sequence[int], permutation: Sequence[int]) -> bool:
    """Whether the permutation moves only dimensions of size 1."""
    moved = [d for d in permutation if shape[d] != 1]
    return moved == sorted(moved)
