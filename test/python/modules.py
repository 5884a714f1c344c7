# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Small modules written as text, and their evaluation by the interpreter."""

from collections.abc import Sequence

import numpy as np
from mlir import ir

from tte_mlir.dialects import tte  # noqa: F401  (registers the dialect)
from tte_mlir.reference import Interpreter


def parse(text: str) -> ir.Module:
    """The verified module of `text`, in a context of its own."""
    with ir.Context(), ir.Location.unknown():
        return ir.Module.parse(text)


def tensor(shape: Sequence[int], element: str = "f32") -> str:
    """The text of a tensor type."""
    return f"tensor<{'x'.join([*map(str, shape), element])}>"


def evaluate(
    op: str,
    operands: Sequence[np.ndarray],
    result: str,
    *,
    types: Sequence[str] | None = None,
    real: type[np.floating] = np.float64,
) -> np.ndarray:
    """The result of one op on operands %0, %1, …; `types` defaults to f32 tensors.

    `op` is its assembly; the functional type is added where the text ends without one.
    """
    types = types or [tensor(np.shape(array)) for array in operands]
    names = [f"%{index}" for index in range(len(operands))]
    arguments = ", ".join(f"{name}: {kind}" for name, kind in zip(names, types, strict=True))
    functional = "" if " : " in op else f" : ({', '.join(types)}) -> {result}"
    module = parse(
        f"func.func @f({arguments}) -> {result} {{\n"
        f"  %r = {op}{functional}\n"
        f"  return %r : {result}\n}}"
    )
    (array,) = Interpreter(module, real=real).run("f", *operands)
    return array


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    """The norm of the difference over the norm of what is expected."""
    difference = np.linalg.norm(np.asarray(found, np.float64) - expected)
    return float(difference / max(np.linalg.norm(expected), 1e-30))
