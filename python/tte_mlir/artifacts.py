# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The directory of a compiled network: what lies in it, and how to run it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mlir.ir as ir

from tte_mlir.backend import targets
from tte_mlir.backend.emulator import Emulator
from tte_mlir.backend.image import link_profile
from tte_mlir.backend.package import Interface
from tte_mlir.backend.simulator import Simulator
from tte_mlir.errors import TTEError
from tte_mlir.recipe import Recipe
from tte_mlir.report import Plan, Report, Sram, read_plan

REPORT = "report.json"
RECIPE = "recipe.yaml"
UPDATE = "update.yaml"
PLAN = "plan.mlir"


@dataclass(frozen=True)
class Artifacts:
    """A directory that `Program.save` wrote: libNAME.a and NAME.h for the firmware, NAME.elf (the
    example firmware) and libNAME.so (the simulator) to run, the recipe (with the file of its update
    scheme), report and memory plan."""

    directory: Path
    report: Report

    @staticmethod
    def open(directory: Path) -> Artifacts:
        """Refuses a directory that holds no compiled network."""
        path = directory / REPORT
        if not path.exists():
            raise TTEError(f"{directory}: holds no compiled network ({REPORT} is missing)")
        return Artifacts(directory, Report.read(path))

    @property
    def name(self) -> str:
        """The network's name."""
        return self.report.model

    @property
    def recipe(self) -> Recipe:
        """The recipe that the network was compiled with."""
        return Recipe.read(self.directory / RECIPE)

    @property
    def interface(self) -> Interface:
        """What callers of the network must know."""
        return Interface.read(self.directory / f"{self.name}.json")

    def simulator(self) -> Simulator:
        """The program on the host."""
        return Simulator(self._file(f"lib{self.name}.so"), self.interface)

    def emulator(self, count_instructions: bool = True) -> Emulator:
        """The example firmware on the emulated board."""
        target = targets.get(self.report.target)
        if target.board is None:
            raise TTEError(f"{self.name} is compiled for {target.name}, which has no board to run")
        image = self._file(f"{self.name}.elf")
        return Emulator(image, self.interface, target, count_instructions)

    def profiler(self) -> Emulator:
        """The example firmware, built so that each call is counted."""
        target = targets.get(self.report.target)
        if target.board is None:
            raise TTEError(f"{self.name} is compiled for {target.name}, which has no board to run")
        image = self.directory / f"{self.name}-profile.elf"
        link_profile(self._file(f"lib{self.name}.a"), self.interface, target, image)
        return Emulator(image, self.interface, target, profiles=True)

    def plan(self) -> Plan:
        """The memory plan."""
        text = self._file(PLAN).read_text()
        return read_plan(ir.Module.parse(text, ir.Context()))

    def note_stack(self, measured: int) -> None:
        """Writes the bytes of stack that a run used into the report, the most of all runs."""
        if self.report.sram is None:
            return
        most = max(measured, self.report.sram.stack_measured or 0)
        sram = Sram(**{**self.report.sram.model_dump(), "stack_measured": most})
        self.report.model_copy(update={"sram": sram}).write(self.directory / REPORT)

    def note_instructions(self, counts: Sequence[int]) -> None:
        """Writes the instructions of each call of a training step into the report."""
        ops = (
            op.model_copy(update={"instructions": count})
            for op, count in zip(self.report.ops, counts, strict=True)
        )
        self.report.model_copy(update={"ops": tuple(ops)}).write(self.directory / REPORT)

    def _file(self, name: str) -> Path:
        path = self.directory / name
        if not path.exists():
            raise TTEError(f"{path}: is missing, compile the network again")
        return path
