# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From a network to a program that trains it: the whole way through the compiler."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlir.ir as ir
import numpy as np

from tte_mlir import artifacts, pipeline, scheme, stages
from tte_mlir.artifacts import Artifacts
from tte_mlir.backend import objects, package, targets, toolchain
from tte_mlir.backend.export import export_program
from tte_mlir.backend.image import Image, SramOverflow, link_firmware
from tte_mlir.backend.kernels import compile_kernels
from tte_mlir.backend.simulator import Simulator, build_simulator
from tte_mlir.backend.targets import Target
from tte_mlir.errors import TTEError
from tte_mlir.frontend import data, models
from tte_mlir.frontend.mcunet_checkpoint import pixel_scaling
from tte_mlir.pipeline import Fusion
from tte_mlir.recipe import InputScaling, Recipe
from tte_mlir.report import Flash, Plan, Report, Sram, build_report, overflow_message, read_plan
from tte_mlir.stages import Stage
from tte_mlir.units import parse_size

Progress = Callable[[str], None]

DEFAULT_TARGET = "cortex-m7"
_RESERVE = 4096
"""Bytes of SRAM that are left for stack and runtime when fusions are chosen."""


class Program:
    """A compiled network. The files live as long as the object, or where `save` puts them."""

    def __init__(self, directory: tempfile.TemporaryDirectory[str], report: Report) -> None:
        self._directory = directory
        self.report = report

    @property
    def directory(self) -> Path:
        """Where the files lie until the object dies."""
        return Path(self._directory.name)

    def save(self, directory: str | Path) -> Artifacts:
        """Copies all files to `directory`."""
        directory = Path(directory)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            for path in self.directory.iterdir():
                shutil.copy(path, directory)
        except (OSError, shutil.Error) as error:
            raise TTEError(f"{directory}: cannot be written ({error})") from None
        return Artifacts.open(directory)

    def simulator(self) -> Simulator:
        """The same program on the host, with a state of its own."""
        return Artifacts.open(self.directory).simulator()


def compile(  # noqa: A001
    model: Any,
    *,
    example_inputs: Any = None,
    calibration: Any = None,
    recipe: Recipe | None = None,
    target: str = DEFAULT_TARGET,
    sram_budget: str | int | None = None,
    fusion: str = "auto",
    name: str = "network",
    save_stages: str | Path | None = None,
    poison: bool = False,
    progress: Progress = lambda what: None,
) -> Program:
    """Compiles a network into a static library that infers and trains.

    `model` is a PyTorch module, an exported program, a `models.Checkpoint`, the path of a ``.mlir``
    or a module of MLIR. A checkpoint says itself how pixels become numbers, unless the recipe does.
    `example_inputs` is an array or tensor (N, channels, height, width), or a tuple of one; where it
    is absent the calibration images give the shape. `calibration` is a path of an ``.npz``, a
    `data.Dataset`, or images (N, C, H, W; uint8 or f32); a quantized ``.mlir`` needs none.
    With `poison` the library is a debug build that overwrites what is dead after each call.
    `sram_budget` is a number of bytes or a text as "256KiB". `fusion` names what blocks run as one
    kernel (`pipeline.FUSIONS`); "auto" fuses only what the budget needs. Raises TTEError, also
    where the program does not fit into the budget.
    """
    recipe = recipe or Recipe()
    machine = targets.get(target)
    budget = _budget(sram_budget, machine)
    _find_tools(machine)
    images = _calibration_images(calibration)
    save = None if save_stages is None else Path(save_stages)

    context = ir.Context() if not isinstance(model, ir.Module) else model.context
    progress("import")
    module = models.import_model(model, _input_shape(example_inputs, images), context)
    if isinstance(model, models.Checkpoint):
        recipe = _with_pixels(recipe, module)
    if save is not None:
        stages.save_stage(module, save, 0, "imported")
    notes = pipeline.Notes()

    def table(chosen: Fusion) -> list[Stage]:
        return pipeline.planning(recipe, images, notes, chosen)

    module, plan = _plan(module, table, fusion, budget, save, progress)
    least = plan.arena.bytes + plan.state_bytes
    if budget is not None and least > budget:
        raise TTEError(overflow_message(plan, least, budget))

    directory = tempfile.TemporaryDirectory(prefix="tte-")
    out = Path(directory.name)
    progress("kernels")
    distinct = dict.fromkeys((machine, targets.get("host")))
    libraries = _compile_kernels(module, name, recipe, distinct, save, poison)
    progress("library")
    sram = flash = None
    with ThreadPoolExecutor(1) as other:  # mostly compilers, which are processes of their own
        simulator = other.submit(build_simulator, *libraries["host"], targets.get("host"), out)
        archive = package.build_archive(*libraries[target], machine, out)
        if machine.board is not None:
            progress("firmware")
            interface = libraries[target][0].interface()
            try:
                image = link_firmware(archive, interface, machine, out / f"{name}.elf", budget)
            except SramOverflow as error:
                raise TTEError(overflow_message(plan, error.needed, budget)) from None
            sram, flash = _measured(image, budget, libraries[target][1])
        simulator.result()
    report = build_report(
        plan,
        model=name,
        target=target,
        sram=sram,
        flash=flash,
        kernels=_kernels_of_calls(libraries[target][0]),
        code=objects.code_sizes(libraries[target][1]),
        training=notes.training,
        remarks=notes.remarks,
    )
    report.write(out / artifacts.REPORT)
    _write_recipe(recipe, out)
    (out / artifacts.PLAN).write_text(module.operation.get_asm(enable_debug_info=True))
    return Program(directory, report)


def _plan(
    module: ir.Module,
    table: Callable[[Fusion], list[Stage]],
    fusion: str,
    budget: int | None,
    save: Path | None,
    progress: Progress,
) -> tuple[ir.Module, Plan]:
    """Runs the stages of `table` with the fusions of that name; of those that "auto" tries, the
    first that fit into the budget, else the last."""
    if fusion != "auto" and fusion not in pipeline.FUSIONS:
        raise TTEError(f"fusion {fusion!r}, expected auto, {', '.join(pipeline.FUSIONS)}")
    names = [stage.name for stage in table(pipeline.FUSIONS["none"])]
    first = names.index("dispatched")
    stages.run(module, table(pipeline.FUSIONS["none"])[:first], save, progress)
    text = module.operation.get_asm(enable_debug_info=True)

    def run(candidate: Fusion) -> tuple[ir.Module, Plan]:
        planned = ir.Module.parse(text, module.context)
        stages.run(planned, table(candidate)[first:], save, progress, 1 + first)
        return planned, read_plan(planned)

    if fusion != "auto":
        return run(pipeline.FUSIONS[fusion])
    chosen = pipeline.FUSIONS["none"]
    planned, plan = run(chosen)
    if budget is None:
        return planned, plan
    room = max(budget - plan.state_bytes - _RESERVE, 0)
    # What is fused costs instructions: first only blocks that do not fit by themselves.
    for candidate in (
        Fusion(row_stream=room),
        Fusion(row_stream=0),
        Fusion(row_stream=0, channel_group=room // 2),
        Fusion(row_stream=0, channel_group=0),
    ):
        if plan.arena.bytes <= room:
            break
        chosen = candidate
        planned, plan = run(chosen)
    progress(f"plan: {chosen}")
    return planned, plan


def _write_recipe(recipe: Recipe, directory: Path) -> None:
    """Writes the recipe, and the file of its update scheme beside it."""
    if scheme.is_file(recipe.update):
        shutil.copy(recipe.update, directory / artifacts.UPDATE)
        recipe = recipe.override({"update": artifacts.UPDATE})
    recipe.write(directory / artifacts.RECIPE)


def _compile_kernels(
    planned: ir.Module,
    name: str,
    recipe: Recipe,
    machines: Collection[Target],
    save: Path | None,
    poison: bool = False,
) -> dict[str, tuple[package.Program, Path]]:
    """The call table and the object of the kernels for each target, by its name."""
    lowered = {target: pipeline.lower(planned, target) for target in machines}
    if save is not None:
        for target, module in lowered.items():
            stages.save_stage(module, save, 99, f"lowered-{target.name}")
    compiled = [
        compile_kernels(pipeline.kernel_sources(module), target, name)
        for target, module in lowered.items()
    ]
    fingerprint = hashlib.sha256(planned.operation.get_asm().encode()).digest()
    return {
        target.name: (
            export_program(
                module,
                name,
                kernels.query_symbol,
                recipe.input.scale,
                recipe.input.offset,
                _schedule(recipe),
                poison,
                fingerprint,
            ),
            kernels.path,
        )
        for (target, module), kernels in zip(lowered.items(), compiled, strict=True)
    }


def _schedule(recipe: Recipe) -> package.Schedule:
    return package.Schedule(recipe.schedule, recipe.learning_rate, recipe.warmup, recipe.steps or 0)


def _kernels_of_calls(program: package.Program) -> list[str]:
    """The kernel of each call that the report lists, "" for checks."""
    function = program.train_step or program.infer
    names = dict(enumerate(program.kernel_names))
    return [names.get(call.kernel, "") for call in function.calls]


def _with_pixels(recipe: Recipe, module: ir.Module) -> Recipe:
    """The recipe with the scaling that a checkpoint was trained with in place of the default."""
    if recipe.input != InputScaling():
        return recipe
    scale, offset = pixel_scaling(module)
    return recipe.override({"input.scale": scale, "input.offset": offset})


def _find_tools(target: Target) -> None:
    """Says which package is missing before any work is done."""
    toolchain.find_iree_compile()
    for machine in (target, targets.get("host")):
        toolchain.find(machine.tool("gcc"))


def _measured(image: Image, budget: int, kernels: Path) -> tuple[Sram, Flash]:
    """The sizes of a linked image as the report has them; `kernels` is their object."""
    sram, flash = image.sram, image.flash
    return (
        Sram(
            total=sram.total,
            arena=sram.arena,
            state=sram.state,
            runtime=sram.runtime,
            stack_bound=sram.stack,
            budget=budget,
        ),
        Flash(
            total=flash.total,
            code=flash.code,
            kernels=objects.code_bytes(kernels),
            weights=flash.weights,
            initial_state=flash.initial_state,
            tables=flash.tables,
        ),
    )


def _budget(size: str | int | None, target: Target) -> int | None:
    if size is not None:
        return parse_size(size)
    return target.board.default_sram_bytes if target.board else None


def _calibration_images(calibration: Any) -> data.Dataset | None:
    if calibration is None or isinstance(calibration, data.Dataset):
        return calibration
    if isinstance(calibration, str | Path):
        return data.load(Path(calibration), labelled=False)
    return data.check(np.asarray(calibration), None, "calibration")


def _input_shape(example_inputs: Any, images: data.Dataset | None) -> Sequence[int] | None:
    """(1, channels, height, width) of the first of the example inputs, else of the images."""
    if isinstance(example_inputs, tuple | list):
        if len(example_inputs) != 1:
            raise TTEError(f"{len(example_inputs)} example inputs given, expected one")
        example_inputs = example_inputs[0]
    if example_inputs is not None:
        return (1, *example_inputs.shape[1:])
    return None if images is None else (1, *images.images.shape[1:])
