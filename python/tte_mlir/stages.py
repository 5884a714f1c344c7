# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The way of a module through the compiler, stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import mlir.ir as ir
from mlir.passmanager import PassManager

from tte_mlir import locations
from tte_mlir.dialects import tte  # noqa: F401  (registers the dialect and the passes)
from tte_mlir.errors import TTEError

PythonPass = Callable[[ir.Module], None]


@dataclass(frozen=True)
class Stage:
    """`steps` run in order: textual pipelines of a module, and functions that change one.

    `name` says what is true afterwards.
    """

    name: str
    steps: tuple[str | PythonPass, ...]


def run(
    module: ir.Module,
    stages: Iterable[Stage],
    save: Path | None = None,
    entered: Callable[[str], None] = lambda name: None,
    first: int = 1,
) -> None:
    """Runs stages on a module; with `save` the IR after each goes to NN-NAME.mlir there, counted
    from `first` on.

    A failing pass raises TTEError with the stage, the layer and the first diagnostic.
    """
    for index, stage in enumerate(stages, start=first):
        entered(stage.name)
        for step in stage.steps:
            run_step(module, step, stage.name)
        if save is not None:
            save_stage(module, save, index, stage.name)


def run_step(module: ir.Module, step: str | PythonPass, stage: str) -> None:
    """Runs one textual pipeline or Python pass and verifies what it leaves."""
    try:
        if isinstance(step, str):
            with module.context:
                PassManager.parse(f"builtin.module({step})").run(module.operation)
        else:
            with module.context, ir.Location.unknown():
                step(module)
            module.operation.verify()
    except ir.MLIRError as error:
        raise TTEError(f"{stage}: {explain(error)}") from None


def save_stage(module: ir.Module, directory: Path, index: int, name: str) -> None:
    """Writes the module, locations included, where `run` puts it."""
    directory.mkdir(parents=True, exist_ok=True)
    text = module.operation.get_asm(enable_debug_info=True)
    (directory / f"{index:02}-{name}.mlir").write_text(text)


def explain(error: ir.MLIRError) -> str:
    """The first diagnostic, with the layer or the place in the file that it points at."""
    if not error.error_diagnostics:
        return str(error)
    first = error.error_diagnostics[0]
    notes = "".join(
        f"; {note.message}"
        for note in first.notes
        if not note.message.startswith("see current operation")
    )
    where = locations.describe(first.location)
    return f"{where}: {first.message}{notes}" if where else f"{first.message}{notes}"
