# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What training takes in SRAM, for each network and update scheme, against what is required.

Writes docs/memory.md and build/bench/memory.json. A row that was measured stands in the JSON file;
with --resume it is not measured again.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import click
from networks import CLASSES, FILES, ROOT, SCHEMES, checkpoint

import tte_mlir as tte
from tte_mlir import pipeline, stages
from tte_mlir.errors import TTEError
from tte_mlir.frontend import models
from tte_mlir.report import Report, read_plan
from tte_mlir.report.plan import Value
from tte_mlir.stages import Stage

RESULTS = ROOT / "build" / "bench" / "memory.json"
PAGE = ROOT / "docs" / "memory.md"
TARGET = "cortex-m7"
TOLERANCE = 1.03  # of the arena, over what is required
OVERHEAD = 4096  # bytes of stack and runtime data together
SECONDS = 60.0  # of a compilation


@dataclass(frozen=True)
class Case:
    """A network with an update scheme: a file of examples/schemes, `bias`, `full` or `last:K`.

    `required` is the arena's peak that a model of the graphs reaches with in-place kernels and
    updates fused into their gradients, in bytes; `streamed` with frozen blocks row by row on top,
    `grouped` with gradients by groups of channels as well; `fused_total` is what may be asked of
    the SRAM of an image with both.
    """

    network: str
    scheme: str
    required: int | None = None
    streamed: int | None = None
    grouped: int | None = None
    fused_total: int | None = None

    @property
    def name(self) -> str:
        return f"{self.network} {self.scheme}"

    @property
    def update(self) -> str:
        path = SCHEMES / f"{self.network}-{self.scheme}.yaml"
        return str(path) if path.exists() else self.scheme


CASES = (
    Case("mcunet", "49kb", 135_428, 76_176, 52_416, 112_376),
    Case("mcunet", "99kb", 135_428, 84_560, 52_416, 161_944),
    Case("mcunet", "148kb", 135_428, 85_840, 52_416, 209_944),
    Case("mbv2", "49kb", 200_964, 63_744, 52_416, 103_922),
    Case("mbv2", "138kb", 200_964, 102_800, 52_416, 209_848),
    Case("proxyless", "49kb", 102_928, 59_280, 52_416, 99_064),
    Case("mcunet", "last:2", 135_428),
    Case("mcunet", "full", 890_048),
    Case("mcunet", "bias"),
    Case("mbv2", "bias"),
    Case("mbv2", "last:2"),
    Case("proxyless", "bias"),
    Case("proxyless", "last:2"),
)


@dataclass(frozen=True)
class Row:
    """A compiled network, in bytes; `None` where the image does not fit the board."""

    naive: int | None  # program order, first fit, nothing in place, nothing fused
    arena: int
    arena_bound: int  # no placement of this order is lower
    order_bound: int  # no order needs less at once
    optimal: bool  # order and placement
    state: int
    stack: int | None
    runtime: int | None
    total: int | None  # SRAM of the linked image
    seconds: float  # to compile, kernels included where they were not cached
    streamed: int | None = None  # the arena with frozen blocks row by row
    grouped: int | None = None  # and with gradients by groups of channels
    fused_total: int | None = None  # SRAM of the image with both


@dataclass(frozen=True)
class Column:
    """A column of the page; others are added here."""

    title: str
    text: Callable[[Case, Row], str]


def _bytes(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


COLUMNS = (
    Column("network, scheme", lambda case, row: case.name),
    Column("program order, first fit", lambda case, row: _bytes(row.naive)),
    Column("arena", lambda case, row: _bytes(row.arena)),
    Column("required", lambda case, row: _bytes(case.required)),
    Column("row-streamed", lambda case, row: _bytes(row.streamed)),
    Column("required", lambda case, row: _bytes(case.streamed)),
    Column("channel groups", lambda case, row: _bytes(row.grouped)),
    Column("required", lambda case, row: _bytes(case.grouped)),
    Column("lower bound", lambda case, row: _bytes(row.order_bound)),
    Column("proved", lambda case, row: "yes" if row.optimal else "no"),
    Column("state", lambda case, row: _bytes(row.state)),
    Column("stack", lambda case, row: _bytes(row.stack)),
    Column("runtime", lambda case, row: _bytes(row.runtime)),
    Column("SRAM total", lambda case, row: _bytes(row.total)),
    Column("SRAM total, channel groups", lambda case, row: _bytes(row.fused_total)),
    Column("required", lambda case, row: _bytes(case.fused_total)),
    Column("compiled in", lambda case, row: f"{row.seconds:.0f} s"),
)


def measure(case: Case) -> Row:
    """Compiles a network for the board, and plans it without any of the memory passes."""
    recipe = tte.Recipe(update=case.update)
    model = models.Checkpoint(checkpoint(case.network), CLASSES)
    start = time.perf_counter()
    report = _compile(case, model, recipe, "none")
    seconds = time.perf_counter() - start
    sram = report.sram
    fused = None if case.fused_total is None else _compile(case, model, recipe, "channel_group")
    return Row(
        naive=plan_naively(model, recipe),
        arena=report.arena.bytes,
        arena_bound=report.arena.lower_bound,
        order_bound=report.schedule.lower_bound,
        optimal=report.arena.optimal and report.schedule.optimal,
        state=sram.state,
        stack=sram.stack_bound,
        runtime=sram.runtime,
        total=sram.total,
        seconds=seconds,
        streamed=plan_fused(model, recipe, "row_stream"),
        grouped=plan_fused(model, recipe, "channel_group"),
        fused_total=fused and fused.sram.total,
    )


def _compile(case: Case, model: models.Checkpoint, recipe: tte.Recipe, fusion: str) -> Report:
    """The report of the image for a board with as much memory as the emulator gives it."""
    return tte.compile(
        model, recipe=recipe, target=TARGET, sram_budget="4MiB", name=case.network, fusion=fusion
    ).report


def plan_fused(model: models.Checkpoint, recipe: tte.Recipe, fusion: str) -> int:
    """The arena with the fusions of that name."""
    import mlir.ir as ir

    module = models.import_model(model, None, ir.Context())
    stages.run(module, pipeline.planning(recipe, None, None, pipeline.FUSIONS[fusion]))
    return read_plan(module).arena.bytes


def plan_naively(model: models.Checkpoint, recipe: tte.Recipe) -> int:
    """The arena of program order with first fit: every op a call of its own, nothing in place,
    all updates last."""
    import mlir.ir as ir

    module = models.import_model(model, None, ir.Context())
    naive = {
        "dispatched": Stage("dispatched", ("canonicalize,cse", "func.func(tte-form-dispatches)")),
        "scheduled": Stage("scheduled", ()),
        "planned": Stage("planned", ("tte-plan-memory",)),
    }
    for stage in pipeline.planning(recipe, None):
        stages.run(module, [naive.get(stage.name, stage)])
    functions = read_plan(module).functions.values()
    return max(place_first_fit(function.values) for function in functions)


def place_first_fit(values: Sequence[Value], alignment: int = 16) -> int:
    """The height where each value, when it is first used, takes the lowest offset that is free."""
    placed: list[tuple[Value, int]] = []
    height = 0
    for value in sorted(values, key=lambda value: value.first):
        offset = 0
        for other, at in sorted(placed, key=lambda entry: entry[1]):
            if other.last >= value.first and offset + value.size > at:
                offset = max(offset, -(-(at + other.size) // alignment) * alignment)
        placed.append((value, offset))
        height = max(height, offset + value.size)
    return height


def misses(case: Case, row: Row) -> list[str]:
    """What a row does not reach."""
    found = []
    for what, arena, required in (
        ("the arena", row.arena, case.required),
        ("the arena with row-streamed blocks", row.streamed, case.streamed),
        ("the arena with channel groups", row.grouped, case.grouped),
        ("SRAM with channel groups", row.fused_total, case.fused_total),
    ):
        if None not in (arena, required) and arena > required * TOLERANCE:
            found.append(f"{what} is {arena / required - 1:.1%} over what is required")
    if row.stack is not None and row.stack + row.runtime > OVERHEAD:
        found.append(f"stack and runtime take {row.stack + row.runtime:,} B of {OVERHEAD:,} B")
    if row.seconds > SECONDS:
        found.append(f"compiled in {row.seconds:.0f} s, more than {SECONDS:.0f} s")
    return found


def page(rows: dict[str, Row]) -> str:
    """docs/memory.md."""
    cases = [case for case in CASES if case.name in rows]
    lines = [
        "# Memory",
        "",
        "SRAM that a training step takes on the Cortex-M7, in bytes, batch 1, 10 classes: written",
        "by `./dev bench-memory`. MCUNet takes images of 128×128, MobileNetV2 and ProxylessNAS",
        "those of their checkpoints; schemes are those of [examples/schemes](../examples/schemes),",
        "`bias`, `last:2` and `full`.",
        "",
        "*Program order, first fit* is the arena without the memory passes: every operation a call",
        "of its own in the order of the text, updates last, nothing in place, each value at the",
        "lowest free offset when it is first used. *Required* is the peak that a cost model of the",
        "same graphs reaches with kernels that work in place and updates fused into their",
        "gradients. *Row-streamed* is the arena with frozen blocks row by row, *channel groups*",
        "with gradients by groups of channels as well (see [kernels](kernels.md)); after each",
        "stands what is required of it. *Lower bound* is what no order of the calls can go below;",
        "*proved* says that the order meets it and the placement the demand of the order. State is",
        "what trains, with the step counter. The total is that of the linked image with the static",
        "bound of the stack. Kernels that another row has compiled are not compiled again.",
        "",
        "| " + " | ".join(column.title for column in COLUMNS) + " |",
        "| :-- |" + " --: |" * (len(COLUMNS) - 1),
    ]
    for case in cases:
        cells = (column.text(case, rows[case.name]) for column in COLUMNS)
        lines.append("| " + " | ".join(cells) + " |")
    missed = [(case, text) for case in cases for text in misses(case, rows[case.name])]
    lines += ["", "Not reached:" if missed else "All rows reach what is required.", ""]
    lines += [f"- {case.name}: {text}" for case, text in missed]
    return "\n".join(lines).rstrip() + "\n"


def load() -> dict[str, Row]:
    try:
        return {name: Row(**row) for name, row in json.loads(RESULTS.read_text()).items()}
    except (OSError, ValueError, TypeError):
        return {}


def save(rows: dict[str, Row]) -> None:
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({name: asdict(row) for name, row in rows.items()}, indent=2))
    PAGE.write_text(page({case.name: rows[case.name] for case in CASES if case.name in rows}))


@click.command()
@click.argument("names", nargs=-1, metavar="[NETWORK]...")
@click.option("--resume", is_flag=True, help="keep the rows that are measured already")
def main(names: tuple[str, ...], resume: bool) -> None:
    """Measures all rows, or those of the networks named; writes docs/memory.md."""
    unknown = set(names) - set(FILES)
    if unknown:
        print(f"bench-memory: no network {min(unknown)}, there are {', '.join(FILES)}")
        sys.exit(2)
    rows = load()
    failed = False
    for case in CASES:
        if (names and case.network not in names) or (resume and case.name in rows):
            continue
        try:
            rows[case.name] = row = measure(case)
        except TTEError as error:
            print(f"{case.name}: {error}", file=sys.stderr)
            failed = True
            continue
        save(rows)
        print(f"{case.name}: arena {row.arena:,} B, SRAM {_bytes(row.total)} B", flush=True)
        for text in misses(case, row):
            print(f"  {text}", flush=True)
    save(rows)
    sys.exit(failed)


if __name__ == "__main__":
    main()
