# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A MobileNetV2 learns five new classes on an emulated Cortex-M7 with 256 KiB of SRAM.

The backbone was pretrained on the first five classes of Fashion-MNIST. The device gets a fresh
classifier and images of the other five classes, one at a time; it is tested on held-out images
before and after. Writes report.json, result.json, memory.svg and memory.png to the output folder.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import tte_mlir as tte
from tte_mlir.artifacts import Artifacts
from tte_mlir.backend.device import Device, Record
from tte_mlir.errors import TTEError
from tte_mlir.report import draw_memory_map

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "mobilenet_v2"))

import fashion_mnist  # noqa: E402
import model as mobilenet  # noqa: E402

RECIPE = HERE / "mobilenet_v2" / "recipe.yaml"
PRETRAINED, NEW = fashion_mnist.PRETRAINING_CLASSES, fashion_mnist.DEVICE_CLASSES
CLASSIFIER_ONLY = "last:0"

Tick = Callable[[], None]


@dataclass(frozen=True)
class Images:
    """uint8 images (N, h, w, channels) and their labels (N)."""

    x: np.ndarray
    y: np.ndarray

    @staticmethod
    def of(split: str, classes: Sequence[int], count: int, seed: int) -> Images:
        """`count` images of Fashion-MNIST in an order drawn by `seed`."""
        x, y = fashion_mnist.subset(split, classes, count, seed)
        return Images(np.ascontiguousarray(x.transpose(0, 2, 3, 1)), y)


@dataclass(frozen=True)
class Run:
    """What one device did with one seed."""

    seed: int
    accuracy_before: float
    accuracy_after: float
    accuracy_classifier_only: float
    changed_parameters: list[str]
    stack_measured: int


def accuracy(device: Device, images: Images, tick: Tick) -> float:
    """Share of right predictions."""
    right = 0
    records = (Record(image) for image in images.x)
    for result, label in zip(device.run(records), images.y, strict=True):
        right += result.prediction == label
        tick()
    return right / len(images.y)


def train(device: Device, images: Images, recipe: tte.Recipe, tick: Tick) -> None:
    """One step an image."""
    steps = len(images.y)
    for step, (image, label) in enumerate(zip(images.x, images.y, strict=True)):
        device.execute(Record(image, int(label), recipe.rate(step, steps)))
        tick()


def count_instructions(program: Artifacts, images: Images) -> tuple[int, int]:
    """Instructions of an inference and of a training step, on a board that counts them."""
    with program.emulator() as device:
        inference = device.execute(Record(images.x[0]))
        step = device.execute(Record(images.x[0], int(images.y[0]), learning_rate=0.01))
    return inference.instructions, step.instructions


def changed_parameters(program: Artifacts, before: bytes, after: bytes) -> Iterator[str]:
    """Names of the parameters whose bytes differ between two dumps of the device's state."""
    header = program.interface.saved_state_bytes - program.interface.state_bytes
    for slot in program.plan().states:
        place = slice(header + slot.offset, header + slot.offset + slot.size)
        if before[place] != after[place]:
            yield slot.name


def run_seed(
    seed: int, program: Artifacts, head: Artifacts, steps: int, test: Images, progress: Progress
) -> Run:
    """Tests, trains and tests again on the emulated board; the classifier alone on the host,
    whose forward pass has the same bits."""
    training = Images.of("train", NEW, steps, seed)
    task = progress.add_task(f"seed {seed}", total=3 * len(test.y) + 2 * steps)

    def tick() -> None:
        progress.advance(task)

    with program.emulator(count_instructions=False) as device:
        untrained = device.save_state()
        before = accuracy(device, test, tick)
        train(device, training, program.recipe, tick)
        trained = device.save_state()
        after = accuracy(device, test, tick)
        stack = device.stack_used()
    with head.simulator() as device:
        train(device, training, head.recipe, tick)
        classifier_only = accuracy(device, test, tick)
    changed = sorted(changed_parameters(program, untrained, trained))
    return Run(seed, before, after, classifier_only, changed, stack)


def compile_pair(seed: int, out: Path, console: Console) -> tuple[Artifacts, Artifacts]:
    """The network as the recipe trains it, and with the classifier alone, for one seed."""
    calibration, _ = fashion_mnist.subset("train", PRETRAINED, 64, seed=0)
    network = mobilenet.demo_model(len(NEW), seed)
    recipe = tte.Recipe.read(RECIPE).override({"seed": seed})

    def build(what: str, recipe: tte.Recipe, target: str) -> Artifacts:
        with console.status(f"compiling {what} (seed {seed})") as status:
            program = tte.compile(
                network,
                calibration=calibration,
                recipe=recipe,
                target=target,
                sram_budget="256KiB" if target == "cortex-m7" else None,
                name="mobilenet_v2",
                progress=lambda stage: status.update(f"compiling {what} (seed {seed}): {stage}"),
            )
            return program.save(out / f"{what}-{seed}")

    head = recipe.override({"update": CLASSIFIER_ONLY})
    return build("network", recipe, "cortex-m7"), build("classifier", head, "host")


def results(runs: Sequence[Run], program: Artifacts, instructions: tuple[int, int]) -> dict:
    """The content of result.json: means over the seeds, sizes, and each run."""
    report = program.report

    def mean(key: str) -> float:
        return float(np.mean([getattr(run, key) for run in runs]))

    return {
        "accuracy_before": mean("accuracy_before"),
        "accuracy_after": mean("accuracy_after"),
        "accuracy_classifier_only": mean("accuracy_classifier_only"),
        "sram_total": report.sram.total,
        "flash_total": report.flash.total,
        "instructions_per_inference": instructions[0],
        "instructions_per_step": instructions[1],
        "macs_per_step": report.macs.forward + report.macs.backward,
        "runs": [asdict(run) for run in runs],
    }


def shortfalls(runs: Sequence[Run]) -> Iterator[str]:
    """What the device was asked for and did not reach, a line each."""
    for run in runs:
        if run.accuracy_before > 0.30:
            yield f"seed {run.seed}: {run.accuracy_before:.1%} before training, expected <= 30 %"
        if run.accuracy_after < 0.80:
            yield f"seed {run.seed}: {run.accuracy_after:.1%} after training, expected >= 80 %"
        if run.accuracy_after <= run.accuracy_classifier_only:
            yield (
                f"seed {run.seed}: {run.accuracy_after:.1%} after training is not above the "
                f"{run.accuracy_classifier_only:.1%} of the classifier alone"
            )
        if not {"features.16", "features.17"} <= set(trained_blocks(run)):
            yield f"seed {run.seed}: weights of {trained_blocks(run)} changed, expected two blocks"


def trained_blocks(run: Run) -> list[str]:
    """Blocks of the backbone of which a weight changed, as features.16."""
    names = (name.split(".") for name in run.changed_parameters if name.endswith("weight"))
    return sorted({".".join(name[:2]) for name in names if name[0] == "features"})


def show(result: dict, runs: Sequence[Run], program: Artifacts, console: Console) -> None:
    """The small table at the end."""
    sram, flash = program.report.sram, program.report.flash
    table = Table(
        title="MobileNetV2 (width 0.35, 64x64) on an emulated Cortex-M7", show_header=False
    )
    for run in runs:
        table.add_row(
            f"accuracy, seed {run.seed}",
            f"{run.accuracy_before:.1%} before, {run.accuracy_after:.1%} after, "
            f"{run.accuracy_classifier_only:.1%} with the classifier alone",
        )
    table.add_row("changed weights", ", ".join(trained_blocks(runs[0])) + " and the classifier")
    table.add_row(
        "SRAM",
        f"{sram.total:,} bytes: arena {sram.arena:,}, state {sram.state:,}, "
        f"runtime {sram.runtime:,}, stack {sram.stack_bound:,} (used {sram.stack_measured:,})",
    )
    table.add_row(
        "flash",
        f"{flash.total:,} bytes: code {flash.code:,}, weights {flash.weights:,}, "
        f"initial state {flash.initial_state:,}, tables {flash.tables:,}",
    )
    table.add_row("inference", f"{result['instructions_per_inference']:,} instructions")
    step, macs = result["instructions_per_step"], result["macs_per_step"]
    table.add_row("training step", f"{step:,} instructions, {macs:,} MACs: {step / macs:.2f} each")
    console.print(table)


@click.command(help=__doc__.splitlines()[0])
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/demo"))
@click.option("--seeds", default=2, help="Number of seeds (default: 2).")
@click.option("--steps", type=int, help="Training steps (default: the recipe's).")
@click.option("--test-images", default=1000, help="Held-out images (default: 1000).")
def main(out: Path, seeds: int, steps: int | None, test_images: int) -> None:
    """Compiles, trains, writes the results; exit status 1 where they fall short."""
    console = Console()
    begin = time.monotonic()
    try:
        steps = steps or tte.Recipe.read(RECIPE).steps
        pairs = [compile_pair(seed, out, console) for seed in range(seeds)]
        test = Images.of("test", NEW, test_images, seed=0)
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        )  # fmt: skip
        with Progress(*columns, console=console) as progress, ThreadPoolExecutor(2) as pool:
            jobs = [
                pool.submit(run_seed, seed, *pair, steps, test, progress)
                for seed, pair in enumerate(pairs)
            ]
            runs = [job.result() for job in jobs]
        program = pairs[0][0]
        program.note_stack(max(run.stack_measured for run in runs))
        program = Artifacts.open(program.directory)
        result = results(runs, program, count_instructions(program, test))
        program.report.write(out / "report.json")
        (out / "result.json").write_text(json.dumps(result, indent=2) + "\n")
        for suffix in ("svg", "png"):
            draw_memory_map(program.plan().step, out / f"memory.{suffix}")
    except (TTEError, fashion_mnist.DatasetError, mobilenet.CheckpointError) as error:
        raise click.ClickException(str(error)) from None
    show(result, runs, program, console)
    console.print(f"{out}/result.json, report.json, memory.svg; {time.monotonic() - begin:.0f} s")
    missed = list(shortfalls(runs))
    if missed:
        raise click.ClickException("; ".join(missed))


if __name__ == "__main__":
    main()
