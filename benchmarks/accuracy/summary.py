# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a study says: a table with means, deviations and paired differences, and plots."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from accuracy.movement import Movement, mean
from accuracy.rates import trial_count
from accuracy.study import (
    DEFAULT,
    MOVING_STEPS,
    MOVING_TASK,
    Movements,
    Outcome,
    Row,
    Study,
)

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  (the backend comes first)

Outcomes = Mapping[tuple[str, str], Outcome]

_COMPARED_WITH = "fp32"
_REQUIRED_EACH, _REQUIRED_MEAN = 2.0, 1.0


@dataclass(frozen=True)
class Cell:
    """Accuracies of a row on a task, in percent, by seed."""

    values: dict[str, float]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values.values())

    def minus(self, other: Cell) -> tuple[float, float]:
        """Mean and deviation of the differences, seed by seed."""
        differences = [value - other.values[seed] for seed, value in self.values.items()]
        return statistics.fmean(differences), _deviation(differences)

    def __str__(self) -> str:
        return f"{self.mean:.1f} ± {_deviation(list(self.values.values())):.1f}"


def _deviation(values: list[float]) -> float:
    """Of the sample; 0 for one value."""
    return statistics.stdev(values) if len(values) > 1 else 0.0


def write(
    study: Study,
    outcomes: Outcomes,
    movements: Mapping[tuple[str, str], Movements],
    directory: Path,
) -> None:
    """Writes accuracy.md and its plots to `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    lines = [*_page(study, outcomes), *_moved(study, list(movements.values())), *_cost(outcomes)]
    (directory / "accuracy.md").write_text("\n".join(lines) + "\n")
    _plot(study, outcomes, directory / "accuracy.svg")


def _page(study: Study, outcomes: Outcomes) -> Iterator[str]:
    names = _tasks(outcomes)
    titles = [study.task(name).title for name in names]
    yield "# Accuracy on the device's own program"
    yield ""
    yield (
        "Written by `./dev bench-accuracy`. The compiled program trains on the host simulator, one "
        "image a step; the rate falls linearly to 0. Percent of held-out images that are right, "
        "mean ± deviation over seeds (of the training images, their order, the classifier and the "
        f"rounding); for each row and task the rate is the best of {trial_count(study.rounds)} "
        "trials on one seed and a validation split (more where the best lay at the edge; none just "
        "below a rate that diverged)."
    )
    if study.cut is not None:
        yield ""
        yield f"A quick run: at most {study.cut[0]} training images, one seed. Not evidence."
    yield ""
    yield f"| network | scheme | rule | {' | '.join(titles)} |"
    yield "|---|---|---|" + "---|" * len(names)
    for row in study.rows:
        cells = [_cell(outcomes, row.name, name) for name in names]
        if any(cells):
            shown = " | ".join(str(cell) if cell else "not run" for cell in cells)
            yield f"| {row.network} | {row.scheme} | {row.rule} | {shown} |"
    missing = [row.name for row in study.rows if (row.name, names[0]) not in outcomes]
    if missing:
        yield ""
        yield f"Rows that have not been run: {', '.join(missing)}."
    yield from _differences(study, outcomes, names)
    yield from _verdict(outcomes, names)
    yield from _rates(study, outcomes, names)
    yield ""
    yield "![mean accuracy by row and task](accuracy.svg)"


def _differences(study: Study, outcomes: Outcomes, names: list[str]) -> Iterator[str]:
    yield ""
    yield "## Paired differences"
    yield ""
    yield (
        "Percentage points, mean ± deviation of the differences seed by seed. MCUNet's fp32 trains "
        "the 99 KB scheme."
    )
    yield ""
    yield f"| compared | with | {' | '.join(study.task(name).title for name in names)} |"
    yield "|---|---|" + "---|" * len(names)
    pairs = [(row.name, _COMPARED_WITH) for row in study.rows if row.network == "mcunet"]
    pairs += [(f"mbv2-{budget}-{DEFAULT}", f"mbv2-{budget}-fp32") for budget in (49, 138)]
    pairs += [(DEFAULT, "biases")]
    for one, other in pairs:
        cells = [(_cell(outcomes, one, n), _cell(outcomes, other, n)) for n in names]
        if one == other or not any(a and b for a, b in cells):
            continue
        shown = ("{:+.1f} ± {:.1f}".format(*a.minus(b)) if a and b else "not run" for a, b in cells)
        yield f"| {one} | {other} | {' | '.join(shown)} |"


def _verdict(outcomes: Outcomes, names: list[str]) -> Iterator[str]:
    """Whether the default rule is as near to fp32 as it must be."""
    cells = [(_cell(outcomes, DEFAULT, n), _cell(outcomes, _COMPARED_WITH, n)) for n in names]
    if not cells or not all(a and b for a, b in cells):
        return
    differences = [a.mean - b.mean for a, b in cells]
    mean, worst = statistics.fmean(differences), min(differences)
    met = worst >= -_REQUIRED_EACH and mean >= -_REQUIRED_MEAN
    yield ""
    yield (
        f"The default rule against fp32: {mean:+.2f} points on average (at least "
        f"{-_REQUIRED_MEAN:g} wanted), {worst:+.2f} on the hardest task (at least "
        f"{-_REQUIRED_EACH:g}): {'met' if met else 'not met'}."
    )


def _rates(study: Study, outcomes: Outcomes, names: list[str]) -> Iterator[str]:
    yield ""
    yield "## Rates that the trials chose"
    yield ""
    yield "`!`: the best of the trials lies at an edge of what was tried."
    yield ""
    yield f"| row | {' | '.join(names)} |"
    yield "|---|" + "---|" * len(names)
    for row in study.rows:
        found = [outcomes.get((row.name, name)) for name in names]
        if any(found):
            shown = (f"{o.rate:.2g}{'' if o.is_interior else ' !'}" if o else "" for o in found)
            yield f"| {row.name} | {' | '.join(shown)} |"


def _moved(study: Study, movements: list[Movements]) -> Iterator[str]:
    if not movements:
        return
    layers = list(dict.fromkeys(layer.layer for m in movements for layer in m.layers))
    order = [row.name for row in study.rows]
    movements = sorted(movements, key=lambda m: order.index(m.row))
    yield ""
    yield "## What single steps change"
    yield ""
    yield (
        f"{study.task(MOVING_TASK).title}, the rates above, one seed, the first {MOVING_STEPS:,} "
        "steps: how far a trained weight moves in a step (in quanta of its int8 grid, mean), the "
        "share of the weights that a step changes, and the share at ±127 after the last of them."
    )
    yield ""
    yield f"| layer | {' | '.join(m.row for m in movements)} |"
    yield "|---|" + "---|" * len(movements)
    for layer in layers:
        found = [next((x for x in m.layers if x.layer == layer), None) for m in movements]
        yield f"| {layer} | {' | '.join(_movement(x) if x else 'f32' for x in found)} |"
    backbone = [mean(x for x in m.layers if x.layer != "classifier") for m in movements]
    yield f"| mean but the classifier | {' | '.join(map(_movement, backbone))} |"


def _movement(movement: Movement) -> str:
    distance = f"{movement.distance:.2g}"
    return f"{distance}, {100 * movement.moved:.2g}%, {100 * movement.bounded:.1f}%"


def _cost(outcomes: Outcomes) -> Iterator[str]:
    seconds = [outcome.seconds for outcome in outcomes.values() if outcome.seconds]
    if seconds:
        yield ""
        yield (
            f"{len(seconds)} of {len(outcomes)} outcomes say how long they took: "
            f"{sum(seconds) / 3600:.1f} hours of one core, compilation included."
        )


def _tasks(outcomes: Outcomes) -> list[str]:
    return list(dict.fromkeys(task for _, task in outcomes))


def _cell(outcomes: Outcomes, row: str, task: str) -> Cell | None:
    outcome = outcomes.get((row, task))
    return Cell(outcome.accuracies) if outcome else None


def _plot(study: Study, outcomes: Outcomes, path: Path) -> None:
    """A panel a task: a bar a row, a dot a seed."""
    names = _tasks(outcomes)
    rows = [row for row in study.rows if any((row.name, name) in outcomes for name in names)]
    figure, panels = pyplot.subplots(
        1, len(names), figsize=(2.6 * len(names) + 2, 0.32 * len(rows) + 1.2), sharey=True,
        squeeze=False, layout="constrained",
    )  # fmt: skip
    for panel, name in zip(panels[0], names, strict=True):
        for position, row in enumerate(rows):
            if cell := _cell(outcomes, row.name, name):
                color = "tab:gray" if _is_fp32(row) else "tab:blue"
                panel.barh(position, cell.mean, color=color, alpha=0.6)
                values = list(cell.values.values())
                panel.plot(values, [position] * len(values), "k.", markersize=4)
        means = [c.mean for row in rows if (c := _cell(outcomes, row.name, name))]
        panel.set_xlim(max(0, min(means) - 5), min(100, max(means) + 2))
        panel.set_title(study.task(name).title, fontsize=8)
        panel.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=8)
        panel.invert_yaxis()
    figure.supxlabel("accuracy on held-out images (%)", fontsize=9)
    figure.savefig(path)
    pyplot.close(figure)


def _is_fp32(row: Row) -> bool:
    """Whether the row is PyTorch's."""
    return row.rule.startswith("fp32")
