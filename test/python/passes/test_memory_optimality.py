# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Orders and placements of drawn programs against brute force."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mlir import ir
from planned import run_passes

from tte_mlir.certificate import check
from tte_mlir.report import read_plan


@dataclass(frozen=True)
class Dispatch:
    """Reads values and states by number, makes a value of `size` bytes from the first of them;
    `updates` is the state that it overwrites instead, if any. `op` says how."""

    reads: tuple[int, ...]
    reads_states: tuple[int, ...]
    size: int
    updates: int | None = None
    op: str = "clamp"


@dataclass
class Graph:
    """Value 0 is the input, value i + 1 that of dispatch i; every state has 16 bytes."""

    input_size: int
    dispatches: list[Dispatch]
    states: int
    results: list[int] = field(default_factory=list)

    def size(self, value: int) -> int:
        return self.dispatches[value - 1].size if value else self.input_size

    def text(self) -> str:
        lines = [self._dispatch(number, d) for number, d in enumerate(self.dispatches)]
        types = [f"{_tensor(16)} {{tte.state = @s{i}}}" for i in range(self.states)]
        arguments = [f"%s{i}: {type_}" for i, type_ in enumerate(types)]
        arguments.append(f"%v0: {_tensor(self.input_size)} {{tte.role = #tte.role<input>}}")
        new = {d.updates: f"%v{i + 1}" for i, d in enumerate(self.dispatches)}
        values = [new.get(i, f"%s{i}") for i in range(self.states)]
        values += [f"%v{value}" for value in self.results]
        plain = [type_.split(" {")[0] for type_ in types]
        plain += [_tensor(self.size(value)) for value in self.results]
        types += [_tensor(self.size(value)) for value in self.results]
        return (
            f"func.func @f({', '.join(arguments)}) -> ({', '.join(types)}) {{\n"
            + "".join(lines)
            + f"  return {', '.join(values)} : {', '.join(plain)}\n}}\n"
        )

    def _dispatch(self, number: int, dispatch: Dispatch) -> str:
        operands = [(f"%v{value}", self.size(value)) for value in dispatch.reads]
        operands += [(f"%s{state}", 16) for state in dispatch.reads_states]
        phase, tied, source = "forward", "", 0
        if dispatch.updates is not None:
            operands.append((f"%s{dispatch.updates}", 16))
            source = len(operands) - 1
            phase, tied = "update", f" tied [{source}]"
        bindings = ", ".join(
            f"%a{i} = {name} : {_tensor(size)}" for i, (name, size) in enumerate(operands)
        )
        old, new = operands[source][1], dispatch.size
        operation = OPS[dispatch.op].text(f"%a{source}", old // 4, new // 4)
        return (
            f"  %v{number + 1} = tte.dispatch plain {phase} ({bindings}) -> {_tensor(new)}{tied} {{"
            f"\n    %r = {operation}"
            f"\n    tte.yield %r : {_tensor(new)}\n  }}\n"
        )


def _tensor(size: int) -> str:
    return f"tensor<1x{size // 4}x1x1xf32>"


@dataclass(frozen=True)
class Op:
    """How a value is made of another one, of other numbers of elements: what is written in the IR,
    and which elements each element is made of, None where any may be read at any time."""

    text: Callable[[str, int, int], str]
    reads: Callable[[int, int, int], Iterable[int]] | None
    fits: Callable[[int, int], bool]


def _functional(old: int, new: int) -> str:
    return f": ({_tensor(old * 4)}) -> {_tensor(new * 4)}"


OPS = {
    "clamp": Op(
        lambda x, old, new: f"tte.clamp {x} <0.0, 6.0> : {_tensor(new * 4)}",
        lambda i, old, new: [i],
        lambda old, new: old == new,
    ),
    "slice": Op(
        lambda x, old, new: (
            f"tte.slice {x} offsets [0, {(old - new) // 2}, 0, 0] {_functional(old, new)}"
        ),
        lambda i, old, new: [i + (old - new) // 2],
        lambda old, new: old > new,
    ),
    # Reads three elements behind the one that it writes.
    "smooth": Op(
        lambda x, old, new: (
            f"tte.avg_pool2d {x} kernel [7, 1] padding [3, 3, 0, 0] {_functional(old, new)}"
        ),
        lambda i, old, new: range(max(i - 3, 0), min(i + 4, old)),
        lambda old, new: old == new,
    ),
    "grow": Op(
        lambda x, old, new: (
            f"tte.avg_pool2d_grad {x} kernel [{new // old}, 1] "
            f"strides [{new // old}, 1] {_functional(old, new)}"
        ),
        lambda i, old, new: [i // (new // old)],
        lambda old, new: old < new,
    ),
    "scatter": Op(
        lambda x, old, new: f"tte.slice_grad {x} offsets [0, 0, 0, 0] {_functional(old, new)}",
        None,
        lambda old, new: old <= new,
    ),
}


@cache
def saving(op: str, old: int, new: int) -> int:
    """Bytes that `old` and `new` elements need less than side by side, by trying all distances."""
    reads = OPS[op].reads
    if reads is None:
        return 0

    def is_safe(distance: int) -> bool:
        # Element i is written at i after its reads; element j of the operand lies at distance + j.
        return not any(0 <= distance + j < i for i in range(new) for j in reads(i, old, new))

    extents = [
        max(distance + old, new) - min(distance, 0)
        for distance in range(-old, new + 1)
        if is_safe(distance)
    ]
    return 4 * (old + new - min(extents))


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    sizes = st.sampled_from([16, 32, 64, 128, 256])
    states = draw(st.integers(0, 2))
    graph = Graph(draw(sizes), [], states)
    updated: set[int] = set()
    for number in range(draw(st.integers(1, 6))):
        usable = [v for v in range(number + 1) if v == 0 or graph.dispatches[v - 1].updates is None]
        reads = draw(st.lists(st.sampled_from(usable), min_size=1, max_size=2, unique=True))
        reads_states = draw(st.lists(st.integers(0, states - 1), unique=True)) if states else []
        left = [state for state in reads_states if state not in updated]
        if left and draw(st.booleans()):
            updated.add(left[0])
            reads_states.remove(left[0])
            graph.dispatches.append(Dispatch(tuple(reads), tuple(reads_states), 16, left[0]))
        else:
            old, new = graph.size(reads[0]), draw(sizes)
            op = draw(st.sampled_from([name for name, op in OPS.items() if op.fits(old, new)]))
            graph.dispatches.append(Dispatch(tuple(reads), tuple(reads_states), new, op=op))
    values = [i + 1 for i, d in enumerate(graph.dispatches) if d.updates is None]
    graph.results = values[-1:]
    assume(next(orders(graph), None) is not None)  # updates may wait for each other
    return graph


def orders(graph: Graph) -> Iterator[tuple[int, ...]]:
    """All orders in which values exist before they are read and old states after."""
    for order in itertools.permutations(range(len(graph.dispatches))):
        place = {dispatch: time for time, dispatch in enumerate(order)}
        values_exist = all(
            value == 0 or place[value - 1] < place[number]
            for number, dispatch in enumerate(graph.dispatches)
            for value in dispatch.reads
        )
        old_states_are_read = all(
            place[number] < place[writer]
            for writer, update in enumerate(graph.dispatches)
            for number, dispatch in enumerate(graph.dispatches)
            if update.updates is not None and update.updates in dispatch.reads_states
        )
        if values_exist and old_states_are_read:
            yield order


def peak(graph: Graph, order: tuple[int, ...]) -> int:
    """The most bytes of values alive at once, less what a dispatch saves by writing over a value
    that it reads last; states are elsewhere."""
    values = [0] + [i + 1 for i, d in enumerate(graph.dispatches) if d.updates is None]
    last = {value: len(order) if value in graph.results else -1 for value in values}
    for time, number in enumerate(order):
        for value in (*graph.dispatches[number].reads, number + 1):
            if value in last:
                last[value] = max(last[value], time)
    first = {number + 1: time for time, number in enumerate(order)} | {0: 0}
    # The input is there before the first call, whether or not anything reads it.
    demands = [graph.input_size]
    for time, number in enumerate(order):
        dispatch = graph.dispatches[number]
        demand = sum(graph.size(v) for v in values if first[v] <= time <= last[v])
        if dispatch.updates is None and last[dispatch.reads[0]] == time:
            demand -= saving(dispatch.op, graph.size(dispatch.reads[0]) // 4, dispatch.size // 4)
        demands.append(demand)
    return max(demands)


def dictionary(op: ir.Operation, name: str) -> dict[str, int]:
    return {entry.name: entry.attr.value for entry in ir.DictAttr(op.attributes[name])}


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_order_is_minimal(graph):
    module = run_passes(graph.text(), "builtin.module(func.func(tte-schedule))")
    found = dictionary(module.body.operations[0].operation, "tte.schedule")
    best = min(peak(graph, order) for order in orders(graph))
    assert found == {"lower_bound": best, "optimal": True, "peak_live": best}


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_bound_without_search(graph):
    pipeline = "builtin.module(func.func(tte-schedule{search-limit=0}))"
    module = run_passes(graph.text(), pipeline)
    found = dictionary(module.body.operations[0].operation, "tte.schedule")
    best = min(peak(graph, order) for order in orders(graph))
    assert found["lower_bound"] <= best <= found["peak_live"]
    assert found["optimal"] == (found["lower_bound"] == found["peak_live"])


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_plan_is_sound(graph):
    module = run_passes(graph.text(), "builtin.module(func.func(tte-schedule),tte-plan-memory)")
    assert [v for v in check(module) if "expected 0" not in v.message] == []
    function = read_plan(module).functions["f"]
    assert function.arena.bytes >= function.arena.lower_bound >= function.schedule.peak_live


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_same_plan_every_time(graph):
    pipeline = "builtin.module(func.func(tte-schedule),tte-plan-memory)"
    assert str(run_passes(graph.text(), pipeline)) == str(run_passes(graph.text(), pipeline))
