# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The command line ``ttec``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
from pydantic.fields import FieldInfo

from tte_mlir.errors import TTEError
from tte_mlir.recipe import InputScaling, Recipe
from tte_mlir.version import version

_EXISTING = click.Path(path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version(), prog_name="ttec")
def ttec() -> None:
    """Compile neural networks so that microcontrollers train them."""


def main() -> None:
    """Runs ttec: exit status 0, 1 for a failure (one line on standard error), 2 for wrong usage."""
    try:
        sys.exit(ttec.main(standalone_mode=False) or 0)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted", 130)
    except click.ClickException as error:
        _fail(error.format_message(), 1)
    except BrokenPipeError:  # the reader of standard output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except TTEError as error:
        _fail(str(error), 1)
    except Exception as error:
        if "TTE_DEBUG" in os.environ:
            raise
        line = " ".join(f"{type(error).__name__}: {error}".split())
        _fail(f"internal error (TTE_DEBUG=1 shows where): {line}", 1)


def _fail(message: str, status: int) -> None:
    print(f"ttec: {message}", file=sys.stderr)
    sys.exit(status)


# Options


def _recipe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """A flag for every key of the recipe, without a default of its own."""
    for key, field in reversed(Recipe.model_fields.items()):
        if key == "input":
            for inner, part in reversed(InputScaling.model_fields.items()):
                command = _recipe_option(f"input.{inner}", part)(command)
        else:
            command = _recipe_option(key, field)(command)
    return command


def _recipe_option(key: str, field: FieldInfo) -> Callable[..., Any]:
    flag = key.replace("_", "-").replace(".", "-")
    declaration, kind = f"--{flag}", _click_type(field.annotation)
    if kind is bool:
        declaration, kind = f"--{flag}/--no-{flag}", None
    name = "recipe_" + key.replace(".", "__")
    return click.option(declaration, name, type=kind, default=None, help=field.description)


def _click_type(annotation: Any) -> Any:
    """The type of a flag: the recipe itself checks what a value may be."""
    if get_origin(annotation) is Literal:
        values = get_args(annotation)
        return click.Choice(values) if isinstance(values[0], str) else type(values[0])
    plain = [
        part for part in (*get_args(annotation), annotation) if part in (bool, int, float, str)
    ]
    if plain:
        return plain[0]
    nested = [_click_type(part) for part in get_args(annotation) if part is not type(None)]
    return nested[0] if nested else str


def _overrides(flags: dict[str, Any]) -> dict[str, Any]:
    prefix = "recipe_"
    return {
        flag.removeprefix(prefix).replace("__", "."): value
        for flag, value in flags.items()
        if flag.startswith(prefix) and value is not None
    }


def _device_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.argument("directory", metavar="OUT", type=_EXISTING),
        click.option("--data", "data_path", type=_EXISTING, required=True, help=".npz with x, y"),
        click.option("--steps", type=click.IntRange(min=1), help="default: one for each image"),
        click.option("--infer", is_flag=True, help="predict only, change nothing"),
        click.option("--lr", type=float, help="learning rate instead of the recipe's"),
        click.option("--load-state", type=_EXISTING, help="start from a saved state"),
        click.option("--save-state", type=_EXISTING, help="save the state at the end"),
    )
    for option in reversed(options):
        command = option(command)
    return command


# Verbs


@ttec.command("compile")
@click.argument("model", metavar="MODEL")
@click.option("-o", "--output", metavar="OUT", type=_EXISTING, required=True)
@click.option("--recipe", "recipe_file", type=_EXISTING, help="YAML file, flags override its keys")
@click.option("--calibration", type=_EXISTING, help=".npz with images x")
@click.option("--classes", type=click.IntRange(min=1), help="classes of a fresh classifier")
@click.option("--target", default="cortex-m7", show_default=True)
@click.option("--sram", metavar="SIZE", help="SRAM budget, as 256KiB (default: the board's)")
@click.option("--name", help="of the network in C (default: the model's)")
@click.option("--poison", is_flag=True, help="debug build: overwrite what is dead after each call")
@click.option("--save-stages", type=_EXISTING, metavar="DIR", help="write the IR after each stage")
@click.option("--fusion", default="auto", hidden=True, help="blocks that run as one kernel")
@_recipe_options
def _compile(
    model: str,
    output: Path,
    recipe_file: Path | None,
    calibration: Path | None,
    classes: int | None,
    target: str,
    sram: str | None,
    name: str | None,
    poison: bool,
    save_stages: Path | None,
    fusion: str,
    **flags: Any,
) -> None:
    """Compile MODEL (file.py:callable, .pt2, .pkl or .mlir) into a static library in OUT."""
    recipe = Recipe.read(recipe_file) if recipe_file else Recipe()
    recipe = recipe.override(_overrides(flags))

    from tte_mlir import program
    from tte_mlir.frontend import models

    with _status() as show:
        show("load the model")
        compiled = program.compile(
            models.load(model, classes, recipe.seed),
            calibration=calibration,
            recipe=recipe,
            target=target,
            sram_budget=sram,
            name=name or models.name_of(model),
            save_stages=save_stages,
            fusion=fusion,
            poison=poison,
            progress=show,
        )
        compiled.save(output)
    for remark in compiled.report.remarks:
        print(f"ttec: remark: {remark}", file=sys.stderr)


@ttec.command()
@_device_options
def simulate(directory: Path, **options: Any) -> None:
    """Run the program in OUT on the host, step by step."""
    from tte_mlir.artifacts import Artifacts

    artifacts = Artifacts.open(directory)
    _drive(artifacts, artifacts.simulator, **options)


@ttec.command()
@_device_options
@click.option("--profile", is_flag=True, help="count each call, for ttec report")
def run(directory: Path, profile: bool, **options: Any) -> None:
    """Run the firmware in OUT on the emulated board, step by step, counting instructions.

    --profile links the firmware again with counters around each call; `instructions` is then the
    sum of the calls. The counts of the last training step go to the report.
    """
    from tte_mlir.artifacts import Artifacts

    artifacts = Artifacts.open(directory)
    _drive(artifacts, artifacts.profiler if profile else artifacts.emulator, **options)


def _drive(
    artifacts: Any,
    start: Callable[[], Any],
    data_path: Path,
    steps: int | None,
    infer: bool,
    lr: float | None,
    load_state: Path | None,
    save_state: Path | None,
) -> None:
    """Feeds a device and prints one JSON line a step."""
    from tte_mlir.backend.device import Record
    from tte_mlir.backend.emulator import Emulator
    from tte_mlir.frontend import data

    dataset = data.load(data_path)
    interface = artifacts.interface
    data.check_network(dataset, interface.input_shape, interface.class_count, str(data_path))
    recipe = artifacts.recipe if lr is None else artifacts.recipe.override({"learning_rate": lr})
    steps = steps or (None if infer else recipe.steps) or len(dataset)
    saved = None if load_state is None else _read(load_state)
    with start() as device:
        if saved is not None:
            device.load_state(saved)
        for step in _progress(range(steps)):
            index = step % len(dataset)
            label = int(dataset.labels[index])
            rate = None if infer else recipe.rate(step, steps)
            result = device.execute(Record(dataset.nhwc(index), label, rate))
            line = {
                "step": step,
                "loss": result.loss,
                "label": label,
                "prediction": result.prediction,
            }
            if result.instructions is not None:
                line["instructions"] = result.instructions
            print(json.dumps(line), flush=True)
        if result.calls is not None:
            if not infer or not artifacts.report.trains:
                artifacts.note_instructions(result.calls)
        elif isinstance(device, Emulator):
            artifacts.note_stack(device.stack_used())
        if save_state is not None:
            _write(save_state, device.save_state())


@ttec.command()
@click.argument("directory", metavar="OUT", type=_EXISTING)
@click.option("--json", "as_json", is_flag=True, help="print report.json")
@click.option("--plot", type=_EXISTING, metavar="FILE", help="draw the memory map")
@click.option("--calls", is_flag=True, help="a line a call as well")
@click.option("--map", "as_map", is_flag=True, help="the memory map in characters, and the peak")
@click.option("--live", is_flag=True, help="what is alive during each call, where and why")
def report(
    directory: Path, as_json: bool, plot: Path | None, calls: bool, as_map: bool, live: bool
) -> None:
    """Say what the program in OUT needs: memory by part, operations.

    After `ttec run --profile` also instructions by family of kernels, and the slowest calls.
    """
    from rich.console import Console

    from tte_mlir.artifacts import Artifacts
    from tte_mlir.report import draw_memory_map, render, render_live, render_map

    artifacts = Artifacts.open(directory)
    console = Console()
    if plot is not None:
        draw_memory_map(artifacts.plan().step, plot)
    if as_json:
        print(artifacts.report.model_dump_json(indent=2))
    elif as_map or live:
        step = artifacts.plan().step
        if as_map:
            console.print(render_map(step, console.width))
        for index in range(len(step.calls)) if live else ():
            console.print(render_live(step, index))
    elif plot is None:
        console.print(render(artifacts.report, ops=calls))


@ttec.command("plan-memory")
@click.argument("file", metavar="FILE.csv", type=_EXISTING)
@click.option("--capacity", metavar="SIZE", help="fail where more is needed")
@click.option("--alignment", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--effort", type=click.IntRange(min=0), help="of all searches, 1000000 is 10 ms")
@click.option("--time-limit", type=click.FloatRange(min=0), metavar="SECONDS")
def plan_memory(
    file: Path,
    capacity: str | None,
    alignment: int,
    effort: int | None,
    time_limit: float | None,
) -> None:
    """Place buffers with known lifetimes: FILE.csv has the columns id, lower, upper (lifetimes
    include lower, not upper) and size. Prints them with their offsets, then the height, the lower
    bound and whether they prove each other."""
    from tte_mlir import placement
    from tte_mlir.units import parse_size

    if alignment & (alignment - 1):
        raise TTEError(f"--alignment is {alignment}, expected a power of two")
    limit = None if capacity is None else parse_size(capacity)
    buffers = placement.read_csv(file)
    with _status() as show:
        show("place buffers")
        found = placement.place(
            buffers,
            alignment=alignment,
            capacity=limit,
            effort=placement.EFFORT if effort is None else effort,
            time_limit=time_limit,
        )
    if limit is not None:
        placement.check_capacity(buffers, found, limit)
    print(placement.format_csv(buffers, found))
    proved = "proved" if found.proved else "not proved"
    print(f"# height {found.height}, lower bound {found.lower_bound}: {proved}")


# Files and the terminal


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TTEError(f"{path}: {error.strerror}") from None


def _write(path: Path, content: bytes) -> None:
    """Replaces the file at once, so that no half state is ever there."""
    temporary = path.with_name(path.name + ".part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise TTEError(f"{path}: {error.strerror}") from None


@contextmanager
def _status() -> Iterator[Callable[[str], None]]:
    """Shows what goes on, on a terminal."""
    if not sys.stderr.isatty():
        yield lambda what: None
        return
    from rich.console import Console

    with Console(stderr=True).status("start") as status:
        yield lambda what: status.update(what)


def _progress(steps: Iterable[int]) -> Iterable[int]:
    if not sys.stderr.isatty() or sys.stdout.isatty():
        return steps
    from rich.console import Console
    from rich.progress import track

    return track(steps, description="steps", console=Console(stderr=True))


if __name__ == "__main__":
    main()
