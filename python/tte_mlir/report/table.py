# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A report for the terminal."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table

from .schema import LayerCost, Op, Report, Training, TrainingCost


def render(report: Report, ops: bool = False) -> Group:
    """Memory by part and multiply-accumulates; with `ops` a line a call as well.

    Where instructions were counted, also what each family of kernels and the slowest calls take.
    """
    parts = [_memory(report), _program(report)]
    if report.training is not None:
        parts.append(_training(report.training))
    parts += [f"remark: {remark}" for remark in report.remarks]
    if any(op.instructions for op in report.ops):
        parts += [_families(report), _slowest(report)]
    if ops:
        parts.append(_calls(report))
    return Group(*parts)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column(columns[0])
    for column in columns[1:]:
        table.add_column(column, justify="right")
    return table


def _memory(report: Report) -> Table:
    table = _table(f"{report.model} on {report.target}", "memory", "bytes")
    if report.sram is None:
        table.add_row("arena", f"{report.arena.bytes:,}")
        return table
    for memory in (report.sram, report.flash):
        if memory is None:
            continue
        for name, size in memory.model_dump(exclude={"total"}, exclude_none=True).items():
            table.add_row(f"  {name.replace('_', ' ')}", f"{size:,}")
        name = "SRAM" if memory is report.sram else "flash"
        table.add_row(f"{name} total", f"{memory.total:,}", style="bold", end_section=True)
    return table


def _program(report: Report) -> Table:
    table = _table("training step", "", "found", "lower bound", "optimal")
    for name, found, proof in (
        ("peak of the order, bytes", report.schedule.peak_live, report.schedule),
        ("arena, bytes", report.arena.bytes, report.arena),
    ):
        table.add_row(
            name, f"{found:,}", f"{proof.lower_bound:,}", "yes" if proof.optimal else "not proved"
        )
    table.add_row("MACs forward", f"{report.macs.forward:,}", "", "")
    table.add_row("MACs backward", f"{report.macs.backward:,}", "", "")
    return table


def _training(training: Training) -> Table:
    table = _table("what trains", "layer", "state bytes", "saved bytes", "MACs backward")
    for layer in training.scheme.layers:
        table.add_row(layer.name, *_training_row(layer))
    table.add_section()
    table.add_row("all", *_training_row(training.scheme), style="bold")
    if training.full is not None:
        table.add_row("every parameter (full)", *_training_row(training.full))
        shares = (
            f"{1 - part / whole:.0%}" if whole else ""
            for part, whole in zip(
                _training_numbers(training.scheme), _training_numbers(training.full), strict=True
            )
        )
        table.add_row("saved by the scheme", *shares)
    return table


def _training_numbers(cost: LayerCost | TrainingCost) -> tuple[int, int, int]:
    return cost.state_bytes, cost.saved_bytes, cost.macs_backward


def _training_row(cost: LayerCost | TrainingCost) -> tuple[str, ...]:
    return tuple(f"{number:,}" for number in _training_numbers(cost))


def _families(report: Report) -> Table:
    counted = ("calls", "instructions", "share", "MACs", "per MAC", "code")
    table = _table("instructions by family", "family", *counted)
    families: dict[str, list[Op]] = {}
    for op in report.ops:
        families.setdefault(op.family, []).append(op)
    total = sum(map(_instructions, report.ops))
    for name, ops in sorted(families.items(), key=lambda item: -sum(map(_instructions, item[1]))):
        instructions, macs = sum(map(_instructions, ops)), sum(op.macs for op in ops)
        code = sum({op.kernel: op.code_bytes or 0 for op in ops}.values())
        table.add_row(name, f"{len(ops)}", *_cost(instructions, macs, total), f"{code:,}")
    macs, kernels = sum(op.macs for op in report.ops), report.flash and report.flash.kernels
    code = "" if kernels is None else f"{kernels:,}"
    table.add_section()
    table.add_row("all", f"{len(report.ops)}", *_cost(total, macs, total), code, style="bold")
    return table


def _slowest(report: Report, most: int = 10) -> Table:
    counted = ("instructions", "share", "MACs", "per MAC", "code")
    table = _table("slowest calls", "layer", *counted)
    table.add_column("shape")
    table.add_column("family", overflow="fold")
    total = sum(map(_instructions, report.ops))
    for op in sorted(report.ops, key=_instructions, reverse=True)[:most]:
        cost = _cost(_instructions(op), op.macs, total)
        table.add_row(op.name, *cost, _number(op.code_bytes), op.shape, op.family)
    return table


def _cost(instructions: int, macs: int, total: int) -> tuple[str, str, str, str]:
    """Instructions, their share of `total`, MACs, and instructions a MAC."""
    per_mac = f"{instructions / macs:.2f}" if macs else ""
    return f"{instructions:,}", f"{instructions / max(total, 1):.1%}", f"{macs:,}", per_mac


def _instructions(op: Op) -> int:
    return op.instructions or 0


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _calls(report: Report) -> Table:
    numbers = ("MACs", "instructions", "code", "output bytes", "offset", "live bytes")
    table = _table("calls", "layer", *numbers)
    table.add_column("phase")
    table.add_column("kind", overflow="fold")
    for op in report.ops:
        values = (
            op.macs, op.instructions, op.code_bytes, op.output_bytes, op.offset, op.live_bytes
        )  # fmt: skip
        table.add_row(op.name, *map(_number, values), op.phase, op.kind)
    return table
