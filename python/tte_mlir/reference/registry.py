# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which function interprets which op."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from mlir import ir

from ..errors import TTEError

if TYPE_CHECKING:
    from .interpreter import Frame

Semantics = Callable[[Any, "Frame"], "np.ndarray | Sequence[np.ndarray]"]


class InterpreterError(TTEError):
    """The interpreted program does what the op descriptions do not allow."""


class NonFiniteError(InterpreterError):
    """A step met an infinity or a value that is not a number (`tte.check_finite`)."""


_SEMANTICS: dict[str, Semantics] = {}


def semantics(*op_classes: type[ir.OpView]) -> Callable[[Semantics], Semantics]:
    """Register the decorated `(op, frame) -> results` as the meaning of ops.

    The results are one array, or a sequence of as many arrays as the op has results. Real values
    may come in any float type, grid values in any integer type: the interpreter stores them in the
    type of the result. A terminator returns the values that its block hands on.
    """

    def register(function: Semantics) -> Semantics:
        for op_class in op_classes:
            _SEMANTICS[op_class.OPERATION_NAME] = function
        return function

    return register


def semantics_of(op: ir.OpView) -> Semantics:
    """The function that interprets `op`; raises `InterpreterError` where there is none."""
    function = _SEMANTICS.get(op.operation.name)
    if function is None:
        raise InterpreterError(f"the interpreter does not know the op '{op.operation.name}'")
    return function
