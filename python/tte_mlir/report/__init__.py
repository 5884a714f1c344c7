# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a compiled network needs, and why: report.json, tables, the memory map."""

from .build import build_report
from .fit import overflow_message
from .picture import draw_memory_map
from .plan import FunctionPlan, Plan, read_plan
from .schema import Arena, Flash, Macs, Op, Report, Schedule, Sram
from .table import render
from .text_map import render_live, render_map

__all__ = [
    "Arena",
    "Flash",
    "FunctionPlan",
    "Macs",
    "Op",
    "Plan",
    "Report",
    "Schedule",
    "Sram",
    "build_report",
    "draw_memory_map",
    "overflow_message",
    "read_plan",
    "render",
    "render_live",
    "render_map",
]
