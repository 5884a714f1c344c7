# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whole programs through IREE: the functions of a module on a desktop CPU, by IREE's runtime.

The same step as on a microcontroller: integers have the same bits, sums in f32 may be ordered
differently. IREE allocates as it likes; nothing here is planned.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from mlir import ir

from tte_mlir import stages
from tte_mlir.backend import toolchain
from tte_mlir.errors import TTEError

if TYPE_CHECKING:
    import iree.runtime

_FLAGS = (
    "--iree-hal-target-backends=llvm-cpu",
    "--iree-llvmcpu-target-cpu=host",
    "--iree-opt-const-eval=false",  # costs more than what it saves once
)


def lower(module: ir.Module) -> str:
    """The text that `iree-compile` takes for a module of `tte` functions, which stays as it is."""
    clone = ir.Module.parse(module.operation.get_asm(enable_debug_info=True), module.context)
    stages.run_step(clone, "tte-lower-to-linalg,canonicalize,cse", "linalg")
    # IREE has another MLIR than we: the generic form is what both read.
    return clone.operation.get_asm(print_generic_op_form=True)


def compile_whole_program(module: ir.Module, output: Path) -> Path:
    """Compiles all functions of a module for the host; writes and returns `output` (.vmfb)."""
    source = output.with_suffix(".linalg.mlir")
    source.write_text(lower(module))
    command = [str(toolchain.find_iree_compile()), str(source), *_FLAGS, "-o", str(output)]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    if result.returncode:
        raise TTEError(f"iree-compile failed: {toolchain.first_error(result.stderr)}")
    return output


class WholeProgram:
    """The functions of a compiled module."""

    def __init__(self, path: Path) -> None:
        runtime = _import_runtime()
        config = runtime.Config("local-sync")
        module = runtime.VmModule.mmap(config.vm_instance, str(path))
        self._functions = runtime.load_vm_module(module, config)

    def run(self, function: str, *arguments: np.ndarray) -> list[np.ndarray]:
        """The results of `function` on arrays of stored values (int8, int32, float32).

        Raises `TTEError` where the function does, as a step does that meets a value that is not
        finite.
        """
        if function not in self._functions.vm_module.function_names:
            raise TTEError(f"the program has no function {function}")
        try:
            results = self._functions[function](*(np.asarray(a, order="C") for a in arguments))
        except (RuntimeError, ValueError) as error:
            raise TTEError(f"{function} failed: {error}") from None
        results = results if isinstance(results, tuple | list) else [results]
        return [result.to_host() for result in results]


def _import_runtime() -> iree.runtime:
    try:
        import iree.runtime
    except ImportError:
        raise TTEError(
            "the runtime of whole programs is missing: install the Python package iree-base-runtime"
        ) from None
    return iree.runtime
