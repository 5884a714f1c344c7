# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""tte-mlir: compiles neural networks so that microcontrollers train them.

import tte_mlir as tte

program = tte.compile(model, calibration="images.npz", recipe=tte.Recipe(update="last:2"))
program.save("out")
"""

import importlib
from typing import Any

_MODULES = {
    "Artifacts": "artifacts",
    "Program": "program",
    "Recipe": "recipe",
    "TTEError": "errors",
    "compile": "program",
}

__all__ = list(_MODULES)  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    """Imports on first use, so that a script pays for what it needs."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
