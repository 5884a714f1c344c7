# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Execution of functions, blocks and ops on numpy arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from mlir import ir

from .grid import Grid
from .memory import Memory
from .registry import InterpreterError, semantics_of

Observer = Callable[[ir.OpView, Sequence[np.ndarray]], Any]


class Interpreter:
    """Runs the functions of a module.

    A tensor of f32 is an array of `real`, a quantized tensor an array of its stored values (int8
    or int32), other integers keep their type. Sums are taken in f64 and round once to `real`; with
    `real=np.float64` gradients are exact enough to judge others by.
    """

    def __init__(self, module: ir.Module, *, real: type[np.floating] = np.float32) -> None:
        self.module = module
        self.real = np.dtype(real)
        self.symbols = _symbols(module.operation)
        self.memory = Memory(module)
        self._constants: dict[str, np.ndarray] = {}
        self._grids: dict[ir.Type, Grid | None] = {}
        self._observe: Observer | None = None

    def run(
        self, function: str, *arguments: np.ndarray, observe: Observer | None = None
    ) -> list[np.ndarray]:
        """The results of `function`. `observe(op, results)` is called after every op that has
        results, those inside dispatches and kernels included."""
        self._observe = observe
        try:
            return list(self.call(function, arguments))
        finally:
            self._observe = None

    def call(self, function: str, arguments: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        """The results of the function or kernel named by `function` (`a::b` where nested)."""
        return self.run_region(self.lookup(function).regions[0], arguments, f"@{function}")

    def run_region(
        self, region: ir.Region, arguments: Sequence[np.ndarray], name: str
    ) -> Sequence[np.ndarray]:
        """What the one block of a region returns, given its arguments."""
        if len(region.blocks) != 1:
            raise InterpreterError(f"{name} must have one block, found {len(region.blocks)}")
        block = region.blocks[0]
        if len(arguments) != len(block.arguments):
            raise InterpreterError(
                f"{name} takes {len(block.arguments)} arguments, found {len(arguments)}"
            )
        frame = Frame(self)
        for value, argument in zip(block.arguments, arguments, strict=True):
            frame.bind(value, argument)
        returned: Sequence[np.ndarray] = ()
        for op in block:
            returned = frame.execute(op)
        return returned

    def lookup(self, symbol: str) -> ir.Operation:
        """The op that defines a symbol of the module."""
        if symbol not in self.symbols:
            raise InterpreterError(f"the module has no symbol @{symbol}")
        return self.symbols[symbol]

    def constant(self, symbol: str) -> np.ndarray:
        """The initial value of an `ml_program.global`, stored values where it is quantized."""
        if symbol not in self._constants:
            op = self.lookup(symbol)
            self._constants[symbol] = dense_array(op.opview.value, f"@{symbol}")
        return self._constants[symbol]

    def grid(self, value: ir.Value | ir.Type) -> Grid | None:
        """The grid of a quantized tensor value, tensor type or element type; None for others."""
        kind = value.type if isinstance(value, ir.Value) else value
        element = kind.element_type if isinstance(kind, ir.ShapedType) else kind
        if element not in self._grids:
            self._grids[element] = Grid.of(element)
        return self._grids[element]

    def observed(self, op: ir.OpView, results: Sequence[np.ndarray]) -> None:
        """Tell the observer of this run, if any, about an executed op."""
        if self._observe is not None and results:
            self._observe(op, results)


class Frame:
    """The values of one execution of a block."""

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self._values: dict[ir.Value, np.ndarray] = {}

    def __getitem__(self, value: ir.Value) -> np.ndarray:
        return self._values[value]

    def arrays(self, values: Sequence[ir.Value]) -> list[np.ndarray]:
        """The arrays of several values."""
        return [self._values[value] for value in values]

    @property
    def real(self) -> np.dtype:
        """The float type in which real values are kept."""
        return self.interpreter.real

    def grid(self, value: ir.Value | ir.Type) -> Grid | None:
        """As `Interpreter.grid`."""
        return self.interpreter.grid(value)

    def execute(self, op: ir.OpView) -> Sequence[np.ndarray]:
        """Interpret one op and bind its results. Returns what its semantics returned."""
        returned = semantics_of(op)(op, self)
        if isinstance(returned, np.ndarray | np.generic):
            returned = [np.asarray(returned)]
        results = op.operation.results
        if len(results) > 0:
            returned = [
                self.bind(result, array) for result, array in zip(results, returned, strict=True)
            ]
            self.interpreter.observed(op, returned)
        return returned

    def bind(self, value: ir.Value, array: np.ndarray) -> np.ndarray:
        """Store `array` as `value`, in the type that keeps it; returns what is stored."""
        stored = array if isinstance(value.type, ir.MemRefType) else self._as_stored(value, array)
        self._values[value] = stored
        return stored

    def _as_stored(self, value: ir.Value, array: np.ndarray) -> np.ndarray:
        array = np.asarray(array)
        kind = value.type
        if list(array.shape) != list(kind.shape):
            raise InterpreterError(f"a value of type {kind} cannot hold shape {array.shape}")
        grid = self.grid(kind)
        if isinstance(kind.element_type, ir.F32Type):
            return array.astype(self.real, copy=False)
        if not np.issubdtype(array.dtype, np.integer) and array.dtype != np.bool_:
            raise InterpreterError(f"a value of type {kind} cannot hold {array.dtype}")
        if grid is None:
            return array.astype(f"i{max(kind.element_type.width // 8, 1)}", copy=False)
        if array.size and not (grid.minimum <= array.min() and array.max() <= grid.maximum):
            raise InterpreterError(
                f"stored values [{array.min()}, {array.max()}] leave the storage range "
                f"[{grid.minimum}, {grid.maximum}] of {kind}"
            )
        return array.astype(grid.storage, copy=False)


def dense_array(attribute: ir.Attribute, name: str) -> np.ndarray:
    """The numbers of a dense elements attribute; `name` stands for it in errors."""
    if not isinstance(attribute, ir.DenseElementsAttr):
        raise InterpreterError(f"{name} must hold dense elements, found {type(attribute).__name__}")
    return np.array(attribute)


def _symbols(op: ir.Operation, prefix: str = "") -> dict[str, ir.Operation]:
    symbols: dict[str, ir.Operation] = {}
    for child in op.regions[0].blocks[0].operations:
        if "sym_name" not in child.operation.attributes:
            continue
        name = prefix + ir.StringAttr(child.operation.attributes["sym_name"]).value
        symbols[name] = child.operation
        if child.operation.name == "builtin.module":
            symbols |= _symbols(child.operation, f"{name}::")
    return symbols
