# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the frozen prefix of a compiled program once per image.

The calls of a function before the first that touches the state compute the same from an image in
every step. Their result is what then lives in the arena; a step may start from a copy of that.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass

import mlir.ir as ir
import numpy as np
from mlir.dialects import func

from tte_mlir.artifacts import PLAN, Artifacts
from tte_mlir.backend.device import DeviceError
from tte_mlir.dialects import tte
from tte_mlir.report import read_plan
from tte_mlir.report.plan import FunctionPlan

Features = list[np.ndarray]
"""What lives in the arena behind a prefix: bytes of one or more values."""

_ABI_VERSION = 3
_CALL_BYTES = 8


class _Function(ctypes.Structure):
    """tte_function of runtime/tte_program.h."""

    _fields_ = [
        ("calls", ctypes.c_void_p),
        ("call_count", ctypes.c_uint32),
        ("scores", ctypes.c_uint32),
        ("dead", ctypes.c_void_p),
        ("dead_ends", ctypes.c_void_p),
    ]


class _Input(ctypes.Structure):
    """tte_input of runtime/tte_program.h."""

    _fields_ = [
        *((name, ctypes.c_uint32) for name in ("offset", "size")),
        ("scale", ctypes.c_float),
        ("zero_point", ctypes.c_int32),
        *((name, ctypes.c_float) for name in ("u8_scale", "u8_offset")),
    ]


class _Program(ctypes.Structure):
    """tte_program of runtime/tte_program.h, of the version that _ABI_VERSION says."""

    _fields_ = [
        ("abi_version", ctypes.c_uint32),
        ("class_count", ctypes.c_uint32),
        ("model_hash", ctypes.c_uint64),
        ("query", ctypes.c_void_p),
        *((name, ctypes.c_uint32) for name in ("kernel_count", "arena_alignment")),
        *((name, ctypes.c_uint32) for name in ("state_alignment", "state_bytes", "initial_bytes")),
        *((name, ctypes.c_void_p) for name in ("initial_state", "flash")),
        *((name, ctypes.c_void_p) for name in ("bindings", "push_constants")),
        ("infer", _Function),
        ("train_step", _Function),
        ("input", _Input),
        *((name, ctypes.c_uint32) for name in ("label", "learning_rate", "loss", "step")),
    ]


@dataclass(frozen=True)
class Cut:
    """`calls` run before the state is touched; `spans` (begin, end) of the arena live behind."""

    calls: int
    spans: tuple[tuple[int, int], ...]


def find_cuts(artifacts: Artifacts) -> dict[str, Cut]:
    """The cut of each function of the planned program, by its name in the IR."""
    module = ir.Module.parse((artifacts.directory / PLAN).read_text(), ir.Context())
    plans = read_plan(module).functions
    return {
        op.name.value: _cut(_first_use_of_state(op), plans[op.name.value])
        for op in module.body
        if isinstance(op, func.FuncOp) and not op.is_external
    }


def _first_use_of_state(function: func.FuncOp) -> int:
    calls = [op for op in function.entry_block if isinstance(op, tte.CallOp | tte.RequireFiniteOp)]
    return next((i for i, call in enumerate(calls) if any(_given(call))), len(calls))


def _given(call: ir.OpView) -> Iterator[bool]:
    """For each operand, whether it is state or what a step is given beside the image."""
    for value in call.operation.operands:
        op = value.owner.opview
        if isinstance(op, tte.SubspanOp):
            role = op.operation.attributes.get("tte.role")
            yield tte.enum_keyword(op.space) == "state" or (
                role is not None and tte.enum_keyword(role) in ("label", "learning_rate")
            )


def _cut(calls: int, plan: FunctionPlan) -> Cut:
    live = [v for v in plan.values if (v.first < calls or v.phase == "input") and calls <= v.last]
    return Cut(calls, tuple((value.offset, value.end) for value in live))


class PrefixedSimulator:
    """A program on the host that takes what the prefix makes of an image in place of the image."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._simulator = artifacts.simulator()
        self._network = self._simulator._network
        self._library = self._simulator._library
        self._arena = self._simulator._arena
        self._scores = np.empty(self._simulator.interface.class_count, np.float32)
        cuts = find_cuts(artifacts)
        self._cuts = {"infer": cuts["forward"], "train_step": cuts["train_step"]}
        self._address = self._network.program
        self._whole = ctypes.cast(self._address, ctypes.POINTER(_Program)).contents
        assert self._whole.abi_version == _ABI_VERSION, "the fields of _Program are of another ABI"
        self._suffix = self._copy()
        for name, cut in self._cuts.items():
            function = getattr(self._suffix, name)
            function.calls += cut.calls * _CALL_BYTES
            function.call_count -= cut.calls
        self._prefix = {name: self._copy() for name in self._cuts}
        for name, program in self._prefix.items():
            program.infer = getattr(self._whole, name)
            program.infer.call_count = self._cuts[name].calls

    @property
    def state(self) -> np.ndarray:
        """A copy of the state's bytes."""
        return self._simulator.state

    def prefix(self, function: str, image: np.ndarray) -> Features:
        """What `function` ("infer" or "train_step") keeps of an image behind its prefix."""
        self._network.program = self._address
        self._simulator._call("quantize_input_u8", image.ctypes.data_as(ctypes.c_void_p))
        self._run("infer", self._prefix[function], None)
        return [self._arena[begin:end].copy() for begin, end in self._cuts[function].spans]

    def infer(self, features: Features) -> np.ndarray:
        """The scores of the image behind features of "infer"."""
        self._restore("infer", features)
        self._run("infer", self._suffix, self._scores.ctypes.data_as(ctypes.c_void_p))
        return self._scores

    def train_step(self, features: Features, label: int, learning_rate: float) -> None:
        """A step on the image behind features of "train_step"."""
        self._restore("train_step", features)
        rate, loss = ctypes.c_float(learning_rate), ctypes.c_float()
        self._run("train_step", self._suffix, ctypes.c_int(label), rate, ctypes.byref(loss))

    def _copy(self) -> _Program:
        copy = _Program()
        ctypes.memmove(ctypes.byref(copy), self._address, ctypes.sizeof(_Program))
        return copy

    def _restore(self, function: str, features: Features) -> None:
        for (begin, end), content in zip(self._cuts[function].spans, features, strict=True):
            self._arena[begin:end] = content

    def _run(self, name: str, program: _Program, *arguments: object) -> None:
        self._network.program = ctypes.addressof(program)
        network = ctypes.byref(self._network)
        status = self._library[f"tte_{name}"](ctypes.byref(program), network, *arguments)
        if status:
            raise DeviceError(status)
