# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The memory map: which value lies at which address of the arena, call by call."""

from __future__ import annotations

from pathlib import Path

from ..errors import TTEError
from .plan import FunctionPlan, Value

_COLORS = {
    "input": "#9aa0a6",
    "forward": "#4c78c8",
    "backward": "#e8863a",
    "update": "#4ea866",
}
_LABELLED_SHARE = 0.04  # of the arena: smaller values get no text


def draw_memory_map(function: FunctionPlan, path: Path) -> None:
    """Draws address over time to `path`, an .svg or .png.

    A value is a rectangle from its first call to its last, coloured by the phase that makes it;
    the band below shows the phase of each call. The peak is marked, its values are named.
    """
    if path.suffix not in (".svg", ".png"):
        raise TTEError(f"{path}: a picture must be .svg or .png")
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        raise TTEError("matplotlib is missing: install tte-mlir[plot]") from None

    calls = max(len(function.calls), 1)
    settings = {"svg.hashsalt": "tte", "svg.fonttype": "none", "font.size": 8}
    with matplotlib.rc_context(settings):
        figure, (memory, phases) = pyplot.subplots(
            2,
            1,
            sharex=True,
            figsize=(min(max(8.0, calls * 0.09), 24.0), 6.0),
            gridspec_kw={"height_ratios": [24, 1]},
            layout="constrained",
        )
        _draw_values(memory, function)
        _draw_peak(memory, function)
        _draw_phases(phases, function)
        memory.set_xlim(0, calls)
        memory.set_ylim(0, max(function.arena.bytes, 1) * 1.06)
        memory.set_ylabel("address in the arena, bytes")
        memory.yaxis.set_major_formatter("{x:,.0f}")
        memory.set_title(f"@{function.name}: {function.arena.bytes:,} B of arena", loc="left")
        _draw_legend(memory)
        metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        figure.savefig(path, dpi=150, metadata=metadata)
        pyplot.close(figure)


def _draw_values(axes, function: FunctionPlan) -> None:
    from matplotlib.patches import Rectangle

    named = {id(value) for value in function.live(function.peak())}
    for value in function.values:
        width = value.last - value.first + 1
        axes.add_patch(
            Rectangle(
                (value.first, value.offset),
                width,
                value.size,
                facecolor=_COLORS[value.phase],
                edgecolor="white",
                linewidth=0.4,
            )
        )
        is_large = value.size >= _LABELLED_SHARE * function.arena.bytes
        if is_large and (id(value) in named or width >= 0.05 * len(function.calls)):
            _label(axes, value, width)


def _label(axes, value: Value, width: int) -> None:
    axes.text(
        value.first + width / 2,
        value.offset + value.size / 2,
        f"{value.name}\n{value.size:,} B",
        ha="center",
        va="center",
        fontsize=6,
        clip_on=True,
        bbox={"facecolor": "white", "alpha": 0.6, "edgecolor": "none", "pad": 0.5},
    )


def _draw_peak(axes, function: FunctionPlan) -> None:
    if not function.calls:
        return
    peak = function.peak()
    call = function.calls[peak]
    where = f"{call.kind} of {call.name}" if call.name else call.kind
    axes.axvspan(peak, peak + 1, facecolor="none", edgecolor="#c0232c", linewidth=1.2, zorder=3)
    axes.axhline(function.arena.bytes, color="#c0232c", linewidth=0.8, linestyle="--")
    axes.annotate(
        f"peak: {function.live_bytes(peak):,} B live in call {peak}, {where}",
        (peak + 0.5, function.arena.bytes * 1.02),
        ha="left" if peak < len(function.calls) / 2 else "right",
        color="#c0232c",
    )


def _draw_phases(axes, function: FunctionPlan) -> None:
    for call in function.calls:
        axes.axvspan(call.index, call.index + 1, color=_COLORS[call.phase], linewidth=0)
    axes.set_yticks([])
    axes.set_xlabel("call")


def _draw_legend(axes) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=color, label=phase) for phase, color in _COLORS.items()]
    axes.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=len(handles),
        frameon=False,
    )
