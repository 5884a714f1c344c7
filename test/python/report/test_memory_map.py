# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The memory map of plans made up here: values written over each other, and 200 calls."""

import random

import pytest
from rich.console import Console

from tte_mlir.report import Arena, Plan, Schedule, draw_memory_map, overflow_message
from tte_mlir.report.plan import FunctionPlan, PlannedCall, Value
from tte_mlir.report.text_map import render_live, render_map


def call(index: int, phase: str, kind: str = "conv2d") -> PlannedCall:
    return PlannedCall(index, f"layer{index}", kind, kind, "", phase, 0, 0, 0)


@pytest.fixture
def function() -> FunctionPlan:
    """Four calls. Call 1 writes its result over 96 bytes of the input; call 2 has scratch."""
    values = [
        Value("input", "input", 32, 128, 0, 1, [0, 1]),
        Value("layer0 (conv2d)", "forward", 160, 64, 0, 3, [0, 3]),
        Value("layer1 (conv2d)", "forward", 0, 128, 1, 2, [1, 2]),
        Value("layer2 (scratch)", "backward", 224, 16, 2, 2, [2]),
        Value("loss", "forward", 240, 16, 1, 3, [1]),
    ]
    calls = [call(0, "forward"), call(1, "forward"), call(2, "backward"), call(3, "update")]
    schedule = Schedule(peak_live=240, lower_bound=240, optimal=True)
    arena = Arena(bytes=256, lower_bound=240, optimal=False)
    return FunctionPlan("train_step", calls, values, schedule, arena)


def test_shared_bytes_count_once(function):
    assert [function.live_bytes(i) for i in range(4)] == [192, 240, 224, 80]
    assert function.peak() == 1
    ((operand, result, index),) = function.overlaps()
    assert (operand.name, result.name, index) == ("input", "layer1 (conv2d)", 1)
    assert operand.shared(result) == (32, 128)


def test_reasons(function):
    image, kept, output, scratch, loss = function.values
    assert function.reason(image, 1) == "read for the last time"
    assert function.reason(image, 0) == "read"
    assert function.reason(output, 1) == "written"
    assert function.reason(kept, 1) == "kept for call 3, conv2d of layer3"
    assert function.reason(scratch, 2) == "scratch"
    assert function.reason(loss, 2) == "kept for the caller"


def text_of(renderable) -> str:
    console = Console(width=120, color_system=None)
    with console.capture() as captured:
        console.print(renderable)
    return captured.get()


def test_map_in_characters(function):
    lines = text_of(render_map(function, 100, height=8)).splitlines()
    # From 224 down to 0. Call 1 writes over the input from 32 to 128.
    rows = [line[13:17] for line in lines[:8]]
    assert rows == ["·fbf", "ffff", "ffff", "ii··", "i#f·", "i#f·", "i#f·", "·ff·"]
    assert lines[8].rstrip() == " " * 14 + "^"


def test_live_values(function):
    text = text_of(render_live(function, 1))
    assert "peak: call 1, conv2d of layer1: 240 B alive" in text
    assert "kept for call 3, conv2d of layer3" in text
    assert "peak" not in text_of(render_live(function, 2))


def overflow(function: FunctionPlan, budget: int) -> str:
    plan = Plan({"train_step": function}, function.arena, state_bytes=64, states=[])
    return overflow_message(plan, needed=320, budget=budget)


def test_missed_budget(function):
    message = overflow(function, 100)
    assert "no order of its calls needs less than 304 B (proved)" in message
    assert "layer1 (conv2d) 128 B (written), input 128 B (read for the last time)" in message
    assert "kept for weight gradients of later calls" in message
    assert "not proved to need more than 304 B" in overflow(function, 310)


def large_schedule() -> FunctionPlan:
    """200 calls; every second of the first 80 makes a value that is kept for the way back, and each
    has scratch."""
    draw = random.Random(5)
    phases = ["forward"] * 80 + ["update", "backward", "backward"] * 40
    calls = [call(index, phase) for index, phase in enumerate(phases)]
    values, bottom = [], 0
    for index in range(0, 80, 2):
        name, size, last = f"blocks.{index}.conv (conv2d+clamp)", 16 * draw.randint(30, 1200), 199
        last -= index
        values.append(Value(name, "forward", bottom, size, index, last, [index, last]))
        bottom += size
    for index, phase in enumerate(phases):
        name, size = f"blocks.{index}.depthwise (scratch)", 16 * draw.randint(100, 1200)
        values.append(Value(name, phase, bottom, size, index, index, [index]))
    height = max(value.end for value in values)
    order = Schedule(peak_live=height, lower_bound=height, optimal=True)
    arena = Arena(bytes=height, lower_bound=height, optimal=True)
    return FunctionPlan("train_step", calls, values, order, arena)


def test_labels_do_not_overlap(tmp_path, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="needs the extra [plot]")
    figures = []
    monkeypatch.setattr(pyplot, "close", figures.append)
    draw_memory_map(large_schedule(), tmp_path / "map.png")
    (figure,) = figures
    monkeypatch.undo()
    boxes = [
        (text.get_text(), text.get_window_extent())
        for text in (*figure.axes[0].texts, *figure.texts)
        if text.get_text() != "■"
    ]
    assert len(boxes) > 40
    for index, (name, box) in enumerate(boxes):
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1, name
        for other, taken in boxes[:index]:
            assert not box.overlaps(taken), f"'{name}' and '{other}'"
    pyplot.close(figure)


def test_shared_bytes_are_hatched(function, tmp_path):
    pytest.importorskip("matplotlib", reason="needs the extra [plot]")
    path = tmp_path / "map.svg"
    draw_memory_map(function, path)
    text = path.read_text()
    assert "pattern" in text
    assert "peak: 240 B live in call 1," in text
    assert "kept for call 3, conv2d of layer3" in text
