# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Evidence that the device learns as well as fp32 fine-tuning: `./dev bench-accuracy`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ProcessPoolExecutor,
    as_completed,
    wait,
)
from multiprocessing import get_context

import click
from accuracy import summary
from accuracy.rates import Choice
from accuracy.store import Store, read_movements
from accuracy.study import MOVING_ROWS, MOVING_TASK, Movements, Outcome, Row, Study
from accuracy.tasks import TASKS, DataError
from networks import ROOT
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tte_mlir.errors import TTEError

_QUICK_CUT = (200, 200)
_QUICK_ROWS = ("fp32", "stochastic", "nearest", "biases", "classifier")

Job = tuple[Row, str]


@click.command()
@click.option("--quick", is_flag=True, help="few images, one seed, five rows: a look, no evidence")
@click.option("--row", "row_names", multiple=True, help="only these rows (may be repeated)")
@click.option("--task", "task_names", multiple=True, type=click.Choice(list(TASKS)))
@click.option("--jobs", type=click.IntRange(min=1), default=os.cpu_count(), show_default=True)
@click.option("--write/--no-write", default=True, help="write docs/accuracy.md (full runs)")
def main(
    quick: bool,
    row_names: tuple[str, ...],
    task_names: tuple[str, ...],
    jobs: int,
    write: bool,
) -> None:
    """Trains every row on every task; outcomes that are there already are not made again."""
    try:
        study = Study(rounds=1 if quick else 3, cut=_QUICK_CUT if quick else None)
    except TTEError as error:
        raise click.ClickException(str(error)) from None
    build = ROOT / "build" / ("bench-accuracy-quick" if quick else "bench-accuracy")
    outcomes = Store(build / "outcomes.jsonl", Outcome)
    movements = Store(build / "movements.jsonl", read_movements)
    chosen = row_names or (_QUICK_ROWS if quick else tuple(row.name for row in study.rows))
    if unknown := set(chosen) - {row.name for row in study.rows}:
        known = ", ".join(row.name for row in study.rows)
        raise click.UsageError(f"unknown row '{min(unknown)}', expected one of {known}")
    wanted = [
        (row, task)
        for row in study.rows
        if row.name in chosen
        for task in task_names or TASKS
        if (row.name, task) not in outcomes.results
    ]
    moving = [row for row in study.rows if row.name in MOVING_ROWS and row.name in chosen]
    try:
        _run(study, outcomes, wanted, jobs)
        _move(study, outcomes, movements, moving, jobs)
    except (TTEError, DataError) as error:
        raise click.ClickException(str(error)) from None
    directory = ROOT / "docs" if write and not quick else build
    summary.write(study, outcomes.results, movements.results, directory)
    click.echo(f"wrote {directory / 'accuracy.md'}")


def _run(study: Study, store: Store[Outcome], wanted: list[Job], jobs: int) -> None:
    """Runs jobs in processes; a row that takes another's rates waits for it."""
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        bar = progress.add_task("rows x tasks", total=len(wanted))
        waiting, running = list(wanted), set[Future[Outcome]]()
        while waiting or running:
            for row, task in _ready(waiting, store):
                waiting.remove((row, task))
                known = _known_rate(row, task, store)
                running.add(pool.submit(study.run, row, task, known))
            if not running:
                missing = waiting[0][0]
                raise TTEError(f"row {missing.name} needs the rates of {missing.rate_of}: run it")
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                store.add(future.result())
                progress.advance(bar)


def _move(
    study: Study, outcomes: Store[Outcome], movements: Store[Movements], rows: list[Row], jobs: int
) -> None:
    """Looks at the movements of rows that have a rate for MOVING_TASK."""
    wanted = [
        (row, outcomes.results[row.name, MOVING_TASK].rate)
        for row in rows
        if (row.name, MOVING_TASK) in outcomes.results
        and (row.name, MOVING_TASK) not in movements.results
    ]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        runs = [pool.submit(study.move, row, MOVING_TASK, rate) for row, rate in wanted]
        for run in as_completed(runs):
            movements.add(run.result())


def _ready(waiting: list[Job], store: Store[Outcome]) -> Iterator[Job]:
    for row, task in list(waiting):
        if row.rate_of is None or (row.rate_of, task) in store.results:
            yield row, task


def _known_rate(row: Row, task: str, store: Store[Outcome]) -> Choice | None:
    if row.rate_of is None:
        return None
    return Choice(store.results[row.rate_of, task].rate, {})


if __name__ == "__main__":
    sys.exit(main())
