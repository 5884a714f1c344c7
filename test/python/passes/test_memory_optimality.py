# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Orders and placements of drawn programs against brute force."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mlir import ir
from planned import run_passes

from tte_mlir.certificate import check
from tte_mlir.report import read_plan


@dataclass(frozen=True)
class Dispatch:
    """Reads values and states by number, makes a value of `size` bytes; `updates` is the state
    that it overwrites instead, if any."""

    reads: tuple[int, ...]
    reads_states: tuple[int, ...]
    size: int
    updates: int | None = None


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
        types = [f"tensor<4xf32> {{tte.state = @s{i}}}" for i in range(self.states)]
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
        op = "slice" if new < old else "slice_grad"
        operation = f"tte.{op} %a{source} offsets [0] : ({_tensor(old)}) -> {_tensor(new)}"
        if tied:  # element by element
            operation = f"tte.clamp %a{source} <0.0, 6.0> : {_tensor(new)}"
        return (
            f"  %v{number + 1} = tte.dispatch plain {phase} ({bindings}) -> {_tensor(new)}{tied} {{"
            f"\n    %r = {operation}"
            f"\n    tte.yield %r : {_tensor(new)}\n  }}\n"
        )


def _tensor(size: int) -> str:
    return f"tensor<{size // 4}xf32>"


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
            graph.dispatches.append(Dispatch(tuple(reads), tuple(reads_states), draw(sizes)))
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
    """The most bytes of values alive at once; states are elsewhere."""
    values = [0] + [i + 1 for i, d in enumerate(graph.dispatches) if d.updates is None]
    last = {value: len(order) if value in graph.results else -1 for value in values}
    for time, number in enumerate(order):
        for value in (*graph.dispatches[number].reads, number + 1):
            if value in last:
                last[value] = max(last[value], time)
    first = {number + 1: time for time, number in enumerate(order)} | {0: 0}
    times = range(len(order))
    # The input is there before the first call, whether or not anything reads it.
    at_start = graph.input_size
    return max(
        at_start,
        *(sum(graph.size(v) for v in values if first[v] <= t <= last[v]) for t in times),
    )


def dictionary(op: ir.Operation, name: str) -> dict[str, int]:
    return {entry.name: entry.attr.value for entry in ir.DictAttr(op.attributes[name])}


@settings(max_examples=100, deadline=None)
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
