# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The memory map: which value lies at which address of the arena, call by call."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import TTEError
from .plan import FunctionPlan, Value

_COLORS = {
    "input": "#9aa0a6",
    "forward": "#6d9bd8",
    "backward": "#f0a35e",
    "update": "#6fbf7f",
}
_PEAK = "#b3131d"
_FONT = 6.5  # points, of the smallest text
_LISTED = 26  # values at the peak that are listed; more are summed up

# The page, in inches.
_LEFT, _RIGHT, _TOP, _BOTTOM = 1.0, 4.6, 0.65, 0.55
_MAP_HEIGHT, _BYTES_HEIGHT, _PHASES_HEIGHT, _GAP = 6.2, 1.3, 0.18, 0.12


def draw_memory_map(function: FunctionPlan, path: Path) -> None:
    """Draws address over time to `path`, an .svg or .png.

    A value is a rectangle from its first call to its last, coloured by the phase that makes it;
    where a call writes its result over an operand, what they share is hatched. Below: the bytes
    alive during each call, and its phase. The peak is marked; the list at the right says what is
    alive then and why. A value has its name in its rectangle where it fits.
    """
    if path.suffix not in (".svg", ".png"):
        raise TTEError(f"{path}: a picture must be .svg or .png")
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        raise TTEError("matplotlib is missing: install tte-mlir[plot]") from None

    settings = {
        "svg.hashsalt": "tte", "svg.fonttype": "none", "font.size": 8, "hatch.linewidth": 0.5,
    }  # fmt: skip
    with matplotlib.rc_context(settings):
        page = _Page(pyplot, len(function.calls))
        _draw_values(page, function)
        _draw_bytes(page.bytes, function)
        _draw_phases(page.phases, function)
        _draw_peak(page, function)
        _finish(page, function)
        metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
        page.figure.savefig(path, dpi=150, metadata=metadata)
        pyplot.close(page.figure)


class _Page:
    """A figure of fixed margins, so that the size of a byte and of a call on paper is known."""

    def __init__(self, pyplot, calls: int) -> None:
        self.calls = max(calls, 1)
        self.width = min(max(7.0, 0.085 * self.calls), 26.0)
        self.height = _TOP + _MAP_HEIGHT + _BYTES_HEIGHT + _PHASES_HEIGHT + 2 * _GAP + _BOTTOM
        self.figure = pyplot.figure(figsize=(_LEFT + self.width + _RIGHT, self.height))
        phases = _BOTTOM
        lives = phases + _PHASES_HEIGHT + _GAP
        self.map = self._axes(lives + _BYTES_HEIGHT + _GAP, _MAP_HEIGHT)
        self.bytes = self._axes(lives, _BYTES_HEIGHT)
        self.phases = self._axes(phases, _PHASES_HEIGHT)
        self.renderer = self.figure.canvas.get_renderer()

    def _axes(self, bottom: float, height: float):
        total = _LEFT + self.width + _RIGHT
        axes = self.figure.add_axes(
            (_LEFT / total, bottom / self.height, self.width / total, height / self.height)
        )
        axes.set_xlim(0, self.calls)
        return axes

    def text_size(self, text: str, size: float) -> tuple[float, float]:
        """Width and height in inches."""
        from matplotlib.font_manager import FontProperties

        lines = text.split("\n")
        font = FontProperties(size=size)
        measure = self.renderer.get_text_width_height_descent
        widths = [measure(line, font, False)[0] for line in lines]
        return max(widths) / self.figure.dpi, len(lines) * size * 1.45 / 72


def _draw_values(page: _Page, function: FunctionPlan) -> None:
    from matplotlib.patches import Rectangle

    arena = max(function.arena.bytes, 1)
    page.map.set_ylim(0, arena * 1.01)
    for value in function.values:
        page.map.add_patch(
            Rectangle(
                (value.first, value.offset),
                value.last - value.first + 1,
                value.size,
                facecolor=_COLORS[value.phase],
                edgecolor="white",
                linewidth=0.4,
                alpha=0.92,
            )
        )
    shared: dict[int, list[tuple[int, int]]] = {}
    for operand, result, call in function.overlaps():
        begin, end = operand.shared(result)
        shared.setdefault(id(operand), []).append((call, call + 1))
        shared.setdefault(id(result), []).append((call, call + 1))
        page.map.add_patch(
            Rectangle(
                (call, begin), 1, end - begin,
                facecolor="none", edgecolor="#30343a", hatch="/////", linewidth=0.0,
            )
        )  # fmt: skip
    peak = function.peak()
    for value in function.values:
        _label(page, value, arena, peak, shared.get(id(value), []))


def _label(page: _Page, value: Value, arena: int, peak: int, shared: list[tuple[int, int]]) -> None:
    """The name and size of a value in the part of its rectangle that is its own, beside the peak,
    or nothing where they do not fit."""
    first, last = value.first, value.last + 1
    for begin, end in shared:
        if begin == first:
            first = end
        elif end == last:
            last = begin
    if last - first > 2 and first <= peak < last:
        first, last = (first, peak) if peak - first > last - peak - 1 else (peak + 1, last)
    width = (last - first) * page.width / page.calls - 0.04
    height = value.size * _MAP_HEIGHT / (arena * 1.01) - 0.02
    for label in _labels(value):
        across = page.text_size(label, _FONT)
        for rotation, (wide, high) in ((0, across), (90, across[::-1])):
            if wide <= width and high <= height:
                page.map.text(
                    (first + last) / 2, value.offset + value.size / 2, label,
                    ha="center", va="center", fontsize=_FONT, rotation=rotation, clip_on=True,
                )  # fmt: skip
                return


def _labels(value: Value) -> list[str]:
    """From the longest to the shortest."""
    name, _, kind = value.name.partition(" (")
    size = f"{value.size:,} B"
    labels = [f"{value.name}\n{size}", f"{value.name}, {size}"]
    if kind:
        labels += [f"{name}\n{size}", f"{name}, {size}", name]
    return [*labels, size]


def _draw_bytes(axes, function: FunctionPlan) -> None:
    alive = [function.live_bytes(call.index) for call in function.calls]
    calls = list(range(len(alive) + 1))
    axes.fill_between(calls, [*alive, alive[-1] if alive else 0], step="post", color="#c9ced6")
    axes.set_ylim(0, max(function.arena.bytes, 1) * 1.1)
    axes.set_ylabel("bytes alive")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.tick_params(labelbottom=False)


def _draw_phases(axes, function: FunctionPlan) -> None:
    for call in function.calls:
        axes.axvspan(call.index, call.index + 1, color=_COLORS[call.phase], linewidth=0)
    axes.set_yticks([])
    axes.set_xlabel("call")


def _draw_peak(page: _Page, function: FunctionPlan) -> None:
    if not function.calls:
        return
    peak = function.peak()
    for axes in (page.map, page.bytes):
        axes.axvspan(peak, peak + 1, facecolor="none", edgecolor=_PEAK, linewidth=1.1, zorder=3)
    page.map.axhline(function.arena.bytes, color=_PEAK, linewidth=0.8, linestyle="--")
    _list_peak(page, function, peak)


@dataclass
class _Line:
    text: str
    color: str
    weight: str = "normal"


def _list_peak(page: _Page, function: FunctionPlan, peak: int) -> None:
    """What is alive at the peak and why, from the top of the arena down, each under the other."""
    live = function.live(peak)
    listed = sorted(live[:_LISTED], key=lambda value: (-value.offset, -value.size))
    lines = [
        _Line(f"peak: {function.live_bytes(peak):,} B live in call {peak},", _PEAK, "bold"),
        _Line(function.describe(peak), _PEAK, "bold"),
    ]
    for value in listed:
        text = f"{value.size:,} B at {value.offset:,}: {value.name}"
        lines.append(_Line(text, _COLORS[value.phase]))
        lines.append(_Line(f"    {function.reason(value, peak)}", ""))
    if len(live) > _LISTED:
        rest = sum(value.size for value in live[_LISTED:])
        lines.append(_Line(f"and {len(live) - _LISTED} smaller ones of {rest:,} B together", ""))
    left = (_LEFT + page.width + 0.2) / (_LEFT + page.width + _RIGHT)
    available = page.height - _TOP - 0.1
    step = min(0.15, available / len(lines))
    size = min(7.0, step * 72 / 1.6)
    for number, line in enumerate(lines):
        vertical = 1 - (_TOP + number * step) / page.height
        text = _shorten(page, line.text, size, _RIGHT - 0.45)
        if line.color in _COLORS.values():
            page.figure.text(left, vertical, "\u25a0", color=line.color, fontsize=size, va="top")
        page.figure.text(
            left + 0.13 / (_LEFT + page.width + _RIGHT), vertical, text, fontsize=size, va="top",
            color=_PEAK if line.weight == "bold" else "#202124", fontweight=line.weight,
        )  # fmt: skip


def _shorten(page: _Page, text: str, size: float, width: float) -> str:
    while page.text_size(text, size)[0] > width and len(text) > 8:
        text = text.removesuffix("\u2026")[:-4] + "\u2026"
    return text


def _finish(page: _Page, function: FunctionPlan) -> None:
    from matplotlib.patches import Patch

    page.map.tick_params(labelbottom=False)
    page.map.set_ylabel("address in the arena, bytes")
    page.map.yaxis.set_major_formatter("{x:,.0f}")
    page.figure.text(
        _LEFT / (_LEFT + page.width + _RIGHT), 1 - 0.12 / page.height, _title(function),
        fontsize=10, va="top",
    )  # fmt: skip
    handles = [Patch(color=color, label=phase) for phase, color in _COLORS.items()]
    hatched = {"facecolor": "white", "edgecolor": "#30343a", "hatch": "/////"}
    handles.append(Patch(**hatched, label="written over an operand"))
    page.map.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=len(handles),
        frameon=False, fontsize=7, borderaxespad=0.1, handlelength=1.4, columnspacing=1.2,
    )  # fmt: skip


def _title(function: FunctionPlan) -> str:
    arena, schedule = function.arena, function.schedule
    placed = "proved minimal" if arena.optimal else f"lower bound {arena.lower_bound:,} B"
    order = "proved minimal" if schedule.optimal else f"lower bound {schedule.lower_bound:,} B"
    return (
        f"@{function.name}: {arena.bytes:,} B of arena for this order ({placed}); the order needs "
        f"{schedule.peak_live:,} B at once ({order})"
    )
