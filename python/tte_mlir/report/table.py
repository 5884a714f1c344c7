# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A report for the terminal."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table

from .schema import Report


def render(report: Report, ops: bool = False) -> Group:
    """Memory by part and multiply-accumulates; with `ops` a line a call as well."""
    parts = [_memory(report), _program(report)]
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


def _calls(report: Report) -> Table:
    table = _table("calls", "layer", "MACs", "output bytes", "offset", "live bytes")
    table.add_column("phase")
    table.add_column("kind", overflow="fold")
    for op in report.ops:
        numbers = (op.macs, op.output_bytes, op.offset, op.live_bytes)
        table.add_row(op.name, *(f"{number:,}" for number in numbers), op.phase, op.kind)
    return table
