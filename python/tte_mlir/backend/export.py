# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From the planned and lowered module to the data that a library is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import mlir.ir as ir
import numpy as np
from mlir.dialects import quant

from tte_mlir.backend.package import (
    Binding,
    Call,
    FlashLayout,
    Function,
    Input,
    Program,
    Schedule,
    Space,
    check_finite,
)
from tte_mlir.backend.poison import dead_ranges
from tte_mlir.dialects import tte
from tte_mlir.errors import TTEError

FLASH_ALIGNMENT = 4
"""What kernels ask of every buffer, in bytes."""

_CONSTANT_RATE = Schedule()


@dataclass(frozen=True)
class Layout:
    """Sizes and alignments of the memory plan, in bytes."""

    arena_bytes: int
    arena_alignment: int
    state_bytes: int
    state_alignment: int

    @staticmethod
    def of(module: ir.Module) -> Layout:
        """What `tte-plan-memory` wrote on the module."""
        attributes = module.operation.attributes
        if "tte.arena" not in attributes:
            raise TTEError("the module has no memory plan")
        return Layout(
            arena_bytes=ir.DictAttr(attributes["tte.arena"])["bytes"].value,
            arena_alignment=attributes["tte.arena_alignment"].value,
            state_bytes=attributes["tte.state_bytes"].value,
            state_alignment=attributes["tte.state_alignment"].value,
        )


def export_program(
    module: ir.Module,
    name: str,
    query_symbol: str,
    u8_scale: float,
    u8_offset: float,
    schedule: Schedule = _CONSTANT_RATE,
    poison: bool = False,
    fingerprint: bytes = b"",
) -> Program:
    """Reads the module after `tte-lower-kernels`; see `package.Program` for the parts.

    `query_symbol` is the entry point of the compiled kernels; a raw uint8 pixel u of the input
    stands for u * `u8_scale` + `u8_offset`. `fingerprint` is that of the planned module. With
    `poison` the runtime overwrites what is dead.
    """
    layout = Layout.of(module)
    reader = _Reader(module, layout.arena_bytes if poison else None)
    infer = reader.read_function("forward")
    train_step = reader.read_function("train_step") if "train_step" in reader.functions else None
    roles = reader.roles
    element = _quantized(roles["input"])
    return Program(
        name=name,
        input=Input(
            shape=tuple(ir.MemRefType(roles["input"].buffer.type).shape),
            scale=element.scale,
            zero_point=element.zero_point,
            offset=_offset(roles["input"]),
            u8_scale=u8_scale,
            u8_offset=u8_offset,
        ),
        class_count=_elements(roles["scores"]),
        infer=infer,
        train_step=train_step,
        kernel_count=len(reader.ordinals),
        query_symbol=query_symbol,
        arena_bytes=layout.arena_bytes,
        initial_state=reader.initial_state(layout.state_bytes),
        flash=reader.flash.data,
        arena_alignment=layout.arena_alignment,
        state_alignment=layout.state_alignment,
        schedule=schedule,
        flash_alignment=FLASH_ALIGNMENT,
        kernel_names=tuple(reader.ordinals),
        fingerprint=fingerprint,
        **{
            role: _offset(roles[role])
            for role in ("label", "learning_rate", "loss", "step")
            if role in roles
        },
    )


class _Reader:
    """Collects flash constants, states and roles while it reads the functions."""

    def __init__(self, module: ir.Module, poisoned_bytes: int | None) -> None:
        self._poisoned_bytes = poisoned_bytes
        symbols = {
            ir.StringAttr(op.operation.attributes["sym_name"]).value: op
            for op in module.body.operations
            if "sym_name" in op.operation.attributes
        }
        self._globals = {
            name: op for name, op in symbols.items() if op.operation.name == "ml_program.global"
        }
        self.functions = {
            name: op for name, op in symbols.items() if op.operation.name == "func.func"
        }
        self.ordinals = _kernel_ordinals(symbols["kernels"])
        self.flash = FlashLayout(self._constants(), FLASH_ALIGNMENT)
        self.roles: dict[str, tte.SubspanOp] = {}
        self._states: dict[str, tte.SubspanOp] = {}

    def read_function(self, name: str) -> Function:
        """The calls of a function, and where it leaves the scores."""
        calls = []
        for op in self.functions[name].regions[0].blocks[0]:
            if isinstance(op, tte.SubspanOp):
                self._note(op)
            elif isinstance(op, tte.CallOp):
                calls.append(self._read_call(op))
            elif isinstance(op, tte.RequireFiniteOp):
                binding = self._bind(op.buffer)
                count = int(np.prod(ir.MemRefType(op.buffer.type).shape, dtype=np.int64))
                calls.append(check_finite(binding, count, "finite"))
        scores = self.roles["scores"]
        dead = ()
        if self._poisoned_bytes is not None:
            dead = dead_ranges(self.functions[name], self._poisoned_bytes)
        return Function(tuple(calls), _offset(scores), dead)

    def initial_state(self, size: int) -> bytes:
        """The values of the globals that train, each at its offset; the rest is 0."""
        state = bytearray(size)
        for name, subspan in self._states.items():
            data = self._data(name)
            offset = _offset(subspan)
            state[offset : offset + len(data)] = data
        return bytes(state)

    def _note(self, op: tte.SubspanOp) -> None:
        attributes = op.operation.attributes
        if "tte.role" in attributes:
            self.roles[tte.enum_keyword(attributes["tte.role"])] = op
        if "tte.state" in attributes:
            self._states[ir.FlatSymbolRefAttr(attributes["tte.state"]).value] = op

    def _read_call(self, op: tte.CallOp) -> Call:
        kernel = ir.SymbolRefAttr(op.kernel).value[-1]
        buffers = (*op.inputs, *op.tables, *op.scratch, *op.outputs)
        bindings = tuple(self._bind(buffer) for buffer in buffers)
        attributes = op.operation.attributes
        constants = tuple(attributes.get("tte.constants", ()))
        return Call(self.ordinals[kernel], bindings, constants, f"{op.layer.value}: {kernel}")

    def _bind(self, buffer: ir.Value) -> Binding:
        op = buffer.owner.opview
        if isinstance(op, tte.FlashOp):
            return self.flash[self._data(_global(op))]
        return Binding(Space[tte.enum_keyword(op.space).upper()], _offset(op))

    def _constants(self) -> Iterator[bytes]:
        """What the calls read from flash."""
        for function in self.functions.values():
            for op in function.regions[0].blocks[0]:
                if isinstance(op, tte.FlashOp):
                    yield self._data(_global(op))

    def _data(self, name: str) -> bytes:
        return np.ascontiguousarray(np.array(self._globals[name].value)).tobytes()


def _kernel_ordinals(kernels: ir.OpView) -> dict[str, int]:
    """Positions of the public functions of the module of kernels."""
    names = [
        ir.StringAttr(op.operation.attributes["sym_name"]).value
        for op in kernels.operation.regions[0].blocks[0]
        if op.operation.name == "func.func"
        and (
            "sym_visibility" not in op.operation.attributes
            or ir.StringAttr(op.operation.attributes["sym_visibility"]).value == "public"
        )
    ]
    return {name: ordinal for ordinal, name in enumerate(names)}


def _global(op: tte.FlashOp) -> str:
    return ir.FlatSymbolRefAttr(op.operation.attributes["global"]).value


def _offset(op: tte.SubspanOp) -> int:
    return op.offset.value


def _elements(op: tte.SubspanOp) -> int:
    return int(np.prod(ir.MemRefType(op.buffer.type).shape))


def _quantized(op: tte.SubspanOp) -> quant.UniformQuantizedType:
    tensor = ir.RankedTensorType(ir.TypeAttr(op.operation.attributes["tte.tensor"]).value)
    element = tensor.element_type
    if not isinstance(element, quant.UniformQuantizedType):
        raise TTEError(f"the network's input is of {element}, expected a quantized type")
    return element
