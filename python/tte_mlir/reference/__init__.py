# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A numpy interpreter of the `tte` dialect.

It follows the op descriptions and nothing else: it shares no code with any pass or lowering, so
that running a module before and after a pass tells whether the pass kept its meaning.
"""

from . import gradients, losses, network, program, updates  # noqa: F401  (register semantics)
from .grid import Grid
from .interpreter import Frame, Interpreter
from .registry import InterpreterError, NonFiniteError, semantics

__all__ = ["Frame", "Grid", "Interpreter", "InterpreterError", "NonFiniteError", "semantics"]
