# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The planned IR as plain data: which call reads and writes which bytes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from mlir import ir
from mlir.dialects import func, quant

from ..dialects import tte
from ..errors import TTEError
from .traversal import Walk, walk


@dataclass(frozen=True)
class Span:
    """A buffer: `size` bytes at `offset` of `space` ("arena", "state" or "flash").

    `value` tells which value the buffer shows; `role` and `state` what it is to the caller.
    """

    space: str
    offset: int
    size: int
    shape: tuple[int, ...]
    width: int
    value: object
    role: str | None = None
    state: str | None = None

    @property
    def end(self) -> int:
        return self.offset + self.size

    def overlaps(self, other: Span) -> bool:
        return self.space == other.space and self.offset < other.end and other.offset < self.end


@dataclass(frozen=True)
class Call:
    """A kernel on buffers, or with `kernel` None a check of its one input by the runtime."""

    name: str
    kernel: str | None
    inputs: tuple[Span, ...]
    outputs: tuple[Span, ...] = ()
    scratch: tuple[Span, ...] = ()
    tables: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Kernel:
    """Shapes and element widths of arguments and results, and the order in which it reads and
    writes them, worked out where it is asked for. `sums` are the results that accumulate a batch:
    others read them after the update, not before."""

    arguments: tuple[tuple[tuple[int, ...], int], ...]
    results: tuple[tuple[tuple[int, ...], int], ...]
    walk: Callable[[int], Walk | None]
    sums: frozenset[int] = frozenset()


@dataclass
class Function:
    name: str
    spans: list[Span] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)


@dataclass
class Program:
    arena_bytes: int
    arena_alignment: int
    state_bytes: int
    state_alignment: int
    functions: list[Function]
    kernels: dict[str, Kernel]


def read(module: ir.Module) -> Program:
    """Reads a module after `tte-plan-memory`; raises TTEError where it is not one."""
    attributes = module.operation.attributes
    if "tte.arena" not in attributes:
        raise TTEError("the module has no memory plan: run tte-plan-memory first")
    functions, kernels = [], {}
    for op in module.body:
        if isinstance(op, func.FuncOp) and not op.is_external:
            functions.append(_read_function(op))
        elif op.operation.name == "builtin.module":
            prefix = ir.StringAttr(op.operation.attributes["sym_name"]).value
            for kernel in op.operation.regions[0].blocks[0]:
                if isinstance(kernel, tte.KernelOp):
                    kernels[f"{prefix}::{kernel.sym_name.value}"] = _read_kernel(kernel)
    return Program(
        arena_bytes=ir.IntegerAttr(ir.DictAttr(attributes["tte.arena"])["bytes"]).value,
        arena_alignment=ir.IntegerAttr(attributes["tte.arena_alignment"]).value,
        state_bytes=ir.IntegerAttr(attributes["tte.state_bytes"]).value,
        state_alignment=ir.IntegerAttr(attributes["tte.state_alignment"]).value,
        functions=functions,
        kernels=kernels,
    )


def _read_function(op: func.FuncOp) -> Function:
    function = Function(op.name.value)
    spans: dict[ir.Value, Span] = {}
    for number, inner in enumerate(op.entry_block):
        if isinstance(inner, tte.SubspanOp):
            spans[inner.result] = _subspan(inner, number)
        elif isinstance(inner, tte.FlashOp):
            spans[inner.result] = _flash(inner)
        elif isinstance(inner, tte.CallOp):
            function.calls.append(_call(inner, spans))
        elif isinstance(inner, tte.RequireFiniteOp):
            name = f"check of {_location_name(inner.location) or 'a value'}"
            function.calls.append(Call(name, None, (spans[inner.buffer],)))
        elif not isinstance(inner, func.ReturnOp):
            raise TTEError(f"@{function.name}: '{inner.operation.name}' in a planned function")
    function.spans = list(spans.values())
    return function


def _subspan(op: tte.SubspanOp, number: int) -> Span:
    shape, width = _layout(op.buffer.type)
    attributes = op.operation.attributes
    role = state = None
    value: object = ("buffer", number)
    if "tte.value" in attributes:
        value = ("value", ir.IntegerAttr(attributes["tte.value"]).value)
    if "tte.role" in attributes:
        role = tte.enum_keyword(attributes["tte.role"])
    if "tte.state" in attributes:
        state = ir.FlatSymbolRefAttr(attributes["tte.state"]).value
        value = ("state", state)
    return Span(
        space=tte.enum_keyword(op.space),
        offset=op.offset.value,
        size=math.prod(shape) * width,
        shape=shape,
        width=width,
        value=value,
        role=role,
        state=state,
    )


def _flash(op: tte.FlashOp) -> Span:
    shape, width = _layout(op.buffer.type)
    name = ir.FlatSymbolRefAttr(op.operation.attributes["global"]).value
    return Span("flash", 0, math.prod(shape) * width, shape, width, ("constant", name))


def _call(op: tte.CallOp, spans: dict[ir.Value, Span]) -> Call:
    path = ir.SymbolRefAttr(op.operation.attributes["kernel"]).value
    kernel = "::".join(path)
    layer = op.layer.value

    def read(values: ir.OpOperandList) -> tuple[Span, ...]:
        return tuple(spans[value] for value in values)

    return Call(
        name=f"{path[-1]} of layer {layer}" if layer else path[-1],
        kernel=kernel,
        inputs=read(op.inputs),
        outputs=read(op.outputs),
        scratch=read(op.scratch),
        tables=read(op.tables),
    )


def _location_name(location: ir.Location) -> str:
    return location.name_str if location.is_a_name() else ""


def _layout(kind: ir.Type) -> tuple[tuple[int, ...], int]:
    """Shape and bytes of an element as stored, of a memref or a tensor."""
    shaped = ir.ShapedType(kind)
    element = shaped.element_type
    if isinstance(element, quant.QuantizedType):
        bits = element.storage_type_integral_width
    else:
        bits = 32 if isinstance(element, ir.F32Type) else ir.IntegerType(element).width
    return tuple(shaped.shape), bits // 8


def _read_kernel(op: tte.KernelOp) -> Kernel:
    block = op.body.blocks[0]
    results = list(block.operations)[-1].operation.operands
    return Kernel(
        arguments=tuple(_layout(argument.type) for argument in block.arguments),
        results=tuple(_layout(result.type) for result in results),
        walk=cache(lambda result: walk(op, result)),
        sums=frozenset(i for i, result in enumerate(results) if _is_sum(result)),
    )


def _is_sum(result: ir.Value) -> bool:
    return not isinstance(result.owner, ir.Block) and result.owner.name == "tte.accumulate"
