# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The planned program as a person sees it: calls, and values with their lifetimes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from mlir import ir
from mlir.dialects import func

from ..dialects import tte
from ..errors import TTEError
from . import families
from .schema import Arena, Schedule

_GIVEN = ("input", "label", "learning_rate")
_ASKED_FOR = ("loss", "scores")


@dataclass
class Value:
    """A value of the arena, alive from call `first` through call `last`.

    What the caller provides is alive from call 0 on; loss and scores are through the last call.
    `phase` is that of the call that makes it, "input" for what the caller provides; `uses` are
    the calls that read or write it.
    """

    name: str
    phase: str
    offset: int
    size: int
    first: int
    last: int
    uses: list[int] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.offset + self.size

    def shared(self, other: Value) -> tuple[int, int]:
        """The bytes that both use, from and to; empty where they do not overlap."""
        return max(self.offset, other.offset), min(self.end, other.end)


@dataclass(frozen=True)
class PlannedCall:
    """A kernel or a check at position `index`; `offset` is that of its first output."""

    index: int
    name: str
    kind: str
    family: str
    shape: str
    phase: str
    macs: int
    output_bytes: int
    offset: int


@dataclass
class FunctionPlan:
    name: str
    calls: list[PlannedCall]
    values: list[Value]
    schedule: Schedule
    arena: Arena

    def live(self, index: int) -> list[Value]:
        """The values alive during call `index`, largest first."""
        alive = (value for value in self.values if value.first <= index <= value.last)
        return sorted(alive, key=lambda value: (-value.size, value.offset))

    def live_bytes(self, index: int) -> int:
        """The bytes in use during call `index`; those that two values share count once."""
        total = end = 0
        for value in sorted(self.live(index), key=lambda value: value.offset):
            total += max(0, value.end - max(value.offset, end))
            end = max(end, value.end)
        return total

    def peak(self) -> int:
        """The first call during which most bytes are alive."""
        return max(range(len(self.calls)), key=self.live_bytes, default=0)

    def describe(self, index: int) -> str:
        """What call `index` does, and for which layer."""
        call = self.calls[index]
        return f"{call.kind} of {call.name}" if call.name else call.kind

    def reason(self, value: Value, index: int) -> str:
        """Why `value` is alive during call `index`."""
        if index in value.uses:
            if value.first == index and value.phase != "input":
                return "scratch" if value.name.endswith("(scratch)") else "written"
            return "read for the last time" if value.last == index else "read"
        following = [use for use in value.uses if use > index]
        if following:
            return f"kept for call {following[0]}, {self.describe(following[0])}"
        return "kept for the caller"

    def overlaps(self) -> Iterator[tuple[Value, Value, int]]:
        """The pairs that share bytes, operand and result, and the call that writes the one over the
        other."""
        ending: dict[int, list[Value]] = {}
        for value in self.values:
            ending.setdefault(value.last, []).append(value)
        for result in self.values:
            for operand in ending.get(result.first, ()):
                begin, end = result.shared(operand)
                if operand is not result and begin < end:
                    yield operand, result, result.first


@dataclass(frozen=True)
class StateSlot:
    """Where a parameter lies in the state, in bytes."""

    name: str
    offset: int
    size: int


@dataclass
class Plan:
    functions: dict[str, FunctionPlan]
    arena: Arena
    state_bytes: int
    states: list[StateSlot]

    @property
    def largest(self) -> FunctionPlan:
        """The function that needs most of the arena."""
        return max(self.functions.values(), key=lambda function: function.arena.bytes)

    @property
    def step(self) -> FunctionPlan:
        """The training step, or inference where nothing trains."""
        return self.functions.get("train_step") or self.largest


def read_plan(module: ir.Module) -> Plan:
    """Reads a module after `tte-plan-memory`."""
    attributes = module.operation.attributes
    if "tte.arena" not in attributes:
        raise TTEError("the module has no memory plan: run tte-plan-memory first")
    kernels = dict(_kernels(module))
    functions = {
        op.name.value: _read_function(op, kernels)
        for op in module.body
        if isinstance(op, func.FuncOp) and not op.is_external
    }
    return Plan(
        functions=functions,
        arena=Arena(**_numbers(attributes["tte.arena"])),
        state_bytes=ir.IntegerAttr(attributes["tte.state_bytes"]).value,
        states=sorted(set(_read_states(module)), key=lambda slot: slot.offset),
    )


def _read_states(module: ir.Module) -> Iterator[StateSlot]:
    """The parameters that train, from every function that names them."""
    for function in module.body:
        if not isinstance(function, func.FuncOp):
            continue
        for op in function.entry_block:
            if isinstance(op, tte.SubspanOp) and "tte.state" in op.operation.attributes:
                name = ir.FlatSymbolRefAttr(op.operation.attributes["tte.state"]).value
                yield StateSlot(name, op.offset.value, _byte_size(op.buffer.type))


def _numbers(attribute: ir.Attribute) -> dict[str, int | bool]:
    return {entry.name: entry.attr.value for entry in ir.DictAttr(attribute)}


@dataclass(frozen=True)
class _Kernel:
    kind: str  # its ops, joined by "+"
    family: str
    shape: str


def _kernels(module: ir.Module) -> Iterator[tuple[tuple[str, ...], _Kernel]]:
    for outer in module.body:
        if outer.operation.name != "builtin.module":
            continue
        prefix = ir.StringAttr(outer.operation.attributes["sym_name"]).value
        for kernel in outer.operation.regions[0].blocks[0]:
            if isinstance(kernel, tte.KernelOp):
                ops = list(kernel.body.blocks[0])[:-1]
                kind = "+".join(op.operation.name.removeprefix("tte.") for op in ops)
                what = _Kernel(kind, families.family(ops), families.shape(ops))
                yield (prefix, kernel.sym_name.value), what


def _read_function(op: func.FuncOp, kernels: dict[tuple[str, ...], _Kernel]) -> FunctionPlan:
    attributes = op.operation.attributes
    arena = Arena(**_numbers(attributes["tte.arena"]))
    calls: list[PlannedCall] = []
    lifetimes = _Lifetimes()
    for inner in op.entry_block:
        if isinstance(inner, tte.SubspanOp):
            lifetimes.add(inner)
        elif isinstance(inner, tte.CallOp):
            calls.append(_read_call(inner, len(calls), kernels))
            lifetimes.use(calls[-1], inner.operation.operands, inner.outputs)
        elif isinstance(inner, tte.RequireFiniteOp):
            calls.append(_read_check(inner, len(calls)))
            lifetimes.use(calls[-1], inner.operation.operands, ())
    values = lifetimes.finish(len(calls) - 1)
    if "tte.schedule" in attributes:
        schedule = Schedule(**_numbers(attributes["tte.schedule"]))
    else:  # planned in the order of the text: nothing is known of other orders
        plan = FunctionPlan(op.name.value, calls, values, Schedule.model_construct(), arena)
        schedule = Schedule(peak_live=plan.live_bytes(plan.peak()), lower_bound=0, optimal=False)
    return FunctionPlan(op.name.value, calls, values, schedule, arena)


def _read_check(op: tte.RequireFiniteOp, index: int) -> PlannedCall:
    name = op.location.name_str if op.location.is_a_name() else ""
    kind = "require_finite"
    return PlannedCall(index, name, kind, "finite check", "", "backward", 0, 0, 0)


def _read_call(op: tte.CallOp, index: int, kernels: dict[tuple[str, ...], _Kernel]) -> PlannedCall:
    path = tuple(ir.SymbolRefAttr(op.operation.attributes["kernel"]).value)
    outputs = list(op.outputs)
    kernel = kernels.get(path) or _Kernel(path[-1], path[-1], "")
    subspan = outputs[0].owner.opview if outputs else None
    return PlannedCall(
        index=index,
        name=op.layer.value,
        kind=kernel.kind,
        family=kernel.family,
        shape=kernel.shape,
        phase=tte.enum_keyword(op.phase),
        macs=op.macs.value,
        output_bytes=sum(_byte_size(output.type) for output in outputs),
        offset=subspan.offset.value if subspan else 0,
    )


def _byte_size(kind: ir.Type) -> int:
    shaped = ir.MemRefType(kind)
    element = shaped.element_type
    width = 4 if isinstance(element, ir.F32Type) else ir.IntegerType(element).width // 8
    return math.prod(shaped.shape) * width


class _Lifetimes:
    """Collects the values of the arena; views of one value are one."""

    def __init__(self) -> None:
        self._values: dict[object, Value] = {}
        self._keys: dict[ir.Value, object] = {}
        self._kept: set[object] = set()

    def add(self, op: tte.SubspanOp) -> None:
        if tte.enum_keyword(op.space) != "arena":
            return
        attributes = op.operation.attributes
        key: object = ("buffer", len(self._keys))
        if "tte.value" in attributes:
            key = ir.IntegerAttr(attributes["tte.value"]).value
        role = tte.enum_keyword(attributes["tte.role"]) if "tte.role" in attributes else ""
        self._keys[op.result] = key
        value = self._values.setdefault(
            key, Value("", "", op.offset.value, _byte_size(op.buffer.type), -1, -1)
        )
        if role in _GIVEN:
            value.name, value.phase, value.first, value.last = role, "input", 0, 0
        elif role in _ASKED_FOR:
            value.name = role
            self._kept.add(key)

    def use(self, call: PlannedCall, operands: object, outputs: object) -> None:
        written = list(outputs)
        for operand in operands:
            value = self._values.get(self._keys.get(operand))
            if value is None:
                continue
            if call.index not in value.uses:
                value.uses.append(call.index)
            if value.first < 0:
                value.first = call.index
                made = operand in written
                value.phase = call.phase
                layer = f"{call.name} " if call.name else ""
                value.name = value.name or f"{layer}({call.kind if made else 'scratch'})"
            value.last = call.index

    def finish(self, end: int) -> list[Value]:
        for key in self._kept:
            self._values[key].last = end
        return [value for value in self._values.values() if value.first >= 0]
