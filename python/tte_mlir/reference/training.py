# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Inference and training of a whole program, step after step, at any stage of the compiler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from mlir import ir

from ..dialects import tte
from .interpreter import Interpreter, Observer
from .memory import poison
from .registry import InterpreterError

Arrays = dict[str, np.ndarray]
Mark = tuple[str, str]


@dataclass(frozen=True)
class StepResult:
    """What one training step returns beside the new state."""

    loss: float
    scores: np.ndarray


class TrainingRun:
    """Runs `@forward` and `@train_step` of a module and keeps the state between calls.

    Functions are either pure (state and data are arguments and results, marked `tte.state` and
    `tte.role`) or planned (both are buffers that carry these marks). The initial state is that of
    the globals. A step that raises `NonFiniteError` leaves the state as it was.
    """

    def __init__(self, module: ir.Module, *, real: type[np.floating] = np.float32) -> None:
        interpreter = Interpreter(module, real=real)
        functions = [name for name in ("forward", "train_step") if name in interpreter.symbols]
        planned = any(_is_planned(interpreter.lookup(name)) for name in functions)
        self._program = (_PlannedProgram if planned else _PureProgram)(interpreter, functions)
        self.load_state({name: interpreter.constant(name) for name in self._program.states})
        self.step = 0
        self.trains = "train_step" in functions

    @property
    def state(self) -> Arrays:
        """The trained parameters by name, stored values where they are quantized."""
        return self._program.read_state()

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Replace parameters of the state."""
        for name in state:
            if name not in self._program.states:
                raise InterpreterError(f"the program has no state '{name}'")
        self._program.write_state(state)

    def stored(self, x: np.ndarray) -> np.ndarray:
        """A real input as the program takes it: on the grid of a quantized input."""
        grid = self._program.interpreter.grid(self._program.input_type)
        return np.asarray(x, np.float32) if grid is None else grid.nearest(x)

    def infer(self, x: np.ndarray) -> np.ndarray:
        """The scores of an input, given as it is stored."""
        return self._program.run("forward", {"input": x})["scores"]

    def train_step(
        self, x: np.ndarray, label: int, learning_rate: float, *, observe: Observer | None = None
    ) -> StepResult:
        """One step on one input and label; updates `state` and `step`.

        `observe` is that of `Interpreter.run`.
        """
        data = {
            "input": x,
            "label": np.array([label], np.int32),
            "learning_rate": np.float32(learning_rate),
            "step": np.int32(self.step),
        }
        results = self._program.run("train_step", data, observe)
        self.step += 1
        return StepResult(float(results["loss"]), results["scores"])


class _PureProgram:
    """Functions whose state and data are their arguments and results."""

    def __init__(self, interpreter: Interpreter, functions: list[str]) -> None:
        self.interpreter = interpreter
        self._arguments = {name: _argument_marks(interpreter.lookup(name)) for name in functions}
        self._results = {name: _result_marks(interpreter.lookup(name)) for name in functions}
        self.states = _states(mark for marks in self._arguments.values() for mark in marks)
        self._state: Arrays = {}

    @property
    def input_type(self) -> ir.Type:
        function, marks = next(iter(self._arguments.items()))
        entry = self.interpreter.lookup(function).regions[0].blocks[0]
        return entry.arguments[marks.index(("role", "input"))].type

    def read_state(self) -> Arrays:
        return dict(self._state)

    def write_state(self, state: Mapping[str, np.ndarray]) -> None:
        self._state |= {name: np.array(array) for name, array in state.items()}

    def run(self, function: str, data: Arrays, observe: Observer | None = None) -> Arrays:
        values = {("state", name): array for name, array in self._state.items()}
        values |= {("role", role): array for role, array in data.items()}
        arguments = [values[mark] for mark in self._arguments[function]]
        found = dict(
            zip(
                self._results[function],
                self.interpreter.run(function, *arguments, observe=observe),
                strict=True,
            )
        )
        self._state |= {name: array for (kind, name), array in found.items() if kind == "state"}
        return {role: array for (kind, role), array in found.items() if kind == "role"}


class _PlannedProgram:
    """Functions on buffers: data is written before they run, results are read after.

    The arena holds nothing from one run to the next.
    """

    def __init__(self, interpreter: Interpreter, functions: list[str]) -> None:
        self.interpreter = interpreter
        self._buffers = {name: _buffers(interpreter.lookup(name)) for name in functions}
        self.states = _states(mark for buffers in self._buffers.values() for mark in buffers)

    @property
    def input_type(self) -> ir.Type:
        buffer = next(iter(self._buffers.values()))["role", "input"]
        return ir.TypeAttr(buffer.operation.attributes["tte.tensor"]).value

    def read_state(self) -> Arrays:
        return {
            name: view.copy()
            for buffers in self._views().values()
            for (kind, name), view in buffers.items()
            if kind == "state"
        }

    def write_state(self, state: Mapping[str, np.ndarray]) -> None:
        for buffers in self._views().values():
            for (kind, name), view in buffers.items():
                if kind == "state" and name in state:
                    view[...] = state[name]

    def run(self, function: str, data: Arrays, observe: Observer | None = None) -> Arrays:
        poison(self.interpreter.memory.spaces["arena"])
        buffers = self._views()[function]
        for role, array in data.items():
            if ("role", role) in buffers:
                view = buffers["role", role]
                view[...] = np.reshape(array, view.shape)
        self.interpreter.run(function, observe=observe)
        return {role: view.copy() for (kind, role), view in buffers.items() if kind == "role"}

    def _views(self) -> dict[str, dict[Mark, np.ndarray]]:
        memory = self.interpreter.memory
        return {
            function: {
                mark: memory.view(tte.enum_keyword(op.space), op.offset.value, op.buffer.type)
                for mark, op in buffers.items()
            }
            for function, buffers in self._buffers.items()
        }


def _is_planned(function: ir.Operation) -> bool:
    return any(isinstance(op, tte.SubspanOp) for op in function.regions[0].blocks[0])


def _buffers(function: ir.Operation) -> dict[Mark, tte.SubspanOp]:
    marked = {}
    for op in function.regions[0].blocks[0]:
        mark = _mark(op.operation.attributes) if isinstance(op, tte.SubspanOp) else None
        if mark is not None:
            marked.setdefault(mark, op)
    return marked


def _argument_marks(function: ir.Operation) -> list[Mark]:
    return [_mark(item) for item in function.attributes["arg_attrs"]]


def _result_marks(function: ir.Operation) -> list[Mark]:
    if "res_attrs" not in function.attributes:
        return [("role", "scores")]
    return [_mark(item) for item in function.attributes["res_attrs"]]


def _mark(attributes) -> Mark | None:
    """("state", name) or ("role", role) of an argument, a result or a buffer."""
    if "tte.state" in attributes:
        return "state", ir.FlatSymbolRefAttr(attributes["tte.state"]).value
    if "tte.role" in attributes:
        return "role", tte.enum_keyword(attributes["tte.role"])
    return None


def _states(marks) -> list[str]:
    return list(dict.fromkeys(name for kind, name in (m for m in marks if m) if kind == "state"))
