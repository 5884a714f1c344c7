# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Replay of a planned program on bytes that know who wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from mlir import ir

from ..errors import TTEError
from .program import Call, Function, Kernel, Program, Span, read

_GIVEN = ("input", "label", "learning_rate")  # the caller writes them before the call
_ASKED_FOR = ("loss", "scores")  # the caller reads them after the call


@dataclass(frozen=True)
class Violation:
    """A fault of the plan, in function `function`, at the call `where` if it is in one."""

    function: str
    where: str
    message: str

    def __str__(self) -> str:
        place = f"@{self.function}, {self.where}" if self.where else f"@{self.function}"
        return f"{place}: {self.message}"


def check(module: ir.Module) -> list[Violation]:
    """The faults of a module after `tte-plan-memory`; none if the plan is sound.

    Sound means: buffers are aligned and lie in their space; a call reads only values that are
    intact; it writes over what it reads only where its kernel has read that for the last time;
    states are disjoint, at one place in all functions, written once in training and after every
    reader of the old value (sums of a batch: before every reader of the new one), never in
    inference; loss and scores are intact at the end.
    """
    program = read(module)
    violations = list(_check_states(program))
    for function in program.functions:
        violations += _Replay(program, function).run()
    return violations


def certify(module: ir.Module) -> None:
    """Raises TTEError with the first fault of the plan, if there is one."""
    violations = check(module)
    if violations:
        more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        raise TTEError(f"the memory plan is unsound: {violations[0]}{more}")


def _check_states(program: Program) -> Iterator[Violation]:
    """States are disjoint and lie at the same place in all functions, and so does the input."""
    places: dict[str, Span] = {}
    for function in program.functions:
        for span in function.spans:
            name = span.state or (span.role if span.role in ("step", "input") else None)
            if name is None:
                continue
            known = places.setdefault(name, span)
            if (known.offset, known.size) != (span.offset, span.size):
                yield Violation(
                    function.name, "", f"{name} lies at {span.offset}, elsewhere at {known.offset}"
                )
    states = [(name, span) for name, span in places.items() if name != "input"]
    for index, (name, span) in enumerate(states):
        for other, taken in states[:index]:
            if span.overlaps(taken):
                yield Violation("", "", f"state {name} overlaps state {other}")


class _Replay:
    """Runs one function; `owners` holds per byte the number of its last write, 0 for none."""

    def __init__(self, program: Program, function: Function) -> None:
        self._program = program
        self._function = function
        self._owners = {
            "arena": np.zeros(program.arena_bytes, np.int32),
            "state": np.zeros(program.state_bytes, np.int32),
        }
        self._writes: list[tuple[object, str]] = [(None, "")]  # value, who wrote it
        self._updated: dict[str, int] = {}
        self._sums = {
            call.outputs[index].state
            for call in function.calls
            if call.kernel in program.kernels
            for index in program.kernels[call.kernel].sums
            if index < len(call.outputs)
        }
        self._violations: list[Violation] = []
        self._where = ""

    def run(self) -> list[Violation]:
        for span in self._function.spans:
            self._check_place(span)
        if self._violations:
            return self._violations  # outside its space nothing can be replayed
        for span in self._unique(self._function.spans):
            if span.role in _GIVEN or span.space == "state":
                self._write(span, "the caller")
        for call in self._function.calls:
            self._where = call.name
            self._run_call(call)
        self._where = ""
        for span in self._function.spans:
            if span.role in _ASKED_FOR:
                self._read(span, f"{span.role} at the end")
        self._check_updates()
        return self._violations

    @staticmethod
    def _unique(spans: Iterable[Span]) -> list[Span]:
        """One span a value: views of a value show the same bytes."""
        return list({span.value: span for span in spans}.values())

    def _report(self, message: str) -> None:
        self._violations.append(Violation(self._function.name, self._where, message))

    def _check_place(self, span: Span) -> None:
        program = self._program
        sizes = {"arena": program.arena_bytes, "state": program.state_bytes}
        alignments = {"arena": program.arena_alignment, "state": program.state_alignment}
        if span.space not in sizes:
            return
        name = span.state or span.role or f"buffer {span.shape}"
        if span.offset < 0 or span.end > sizes[span.space]:
            self._report(
                f"{name} at [{span.offset}, {span.end}) leaves the {sizes[span.space]} bytes of "
                f"the {span.space}"
            )
        if span.offset % alignments[span.space]:
            self._report(
                f"{name} at {span.offset} is not aligned to {alignments[span.space]} bytes"
            )
        belongs_to_state = span.state is not None or span.role == "step"
        if belongs_to_state != (span.space == "state"):
            where = "state inside the arena" if belongs_to_state else "no state, yet in the state"
            self._report(f"{name} is {where}")

    def _run_call(self, call: Call) -> None:
        written = {span.state for span in call.outputs}
        for span in call.inputs:
            self._read(span, "an input")
            if span.state in self._sums - written - self._updated.keys():
                self._report(f"state {span.state} is read before its batch accumulates")
        if call.kernel is not None:
            kernel = self._program.kernels.get(call.kernel)
            if kernel is None:
                self._report(f"there is no kernel @{call.kernel}")
                return
            self._check_signature(call, kernel)
            self._check_overlaps(call, kernel)
        for span in call.scratch:
            self._write(span, f"scratch of {call.name}", value=("scratch", call.name))
        for span in call.outputs:
            self._write_output(span, call)

    def _write_output(self, span: Span, call: Call) -> None:
        if span.space == "flash":
            self._report("an output lies in flash")
            return
        if span.role == "step":
            self._report("the step counter is overwritten")
        if span.state is not None:
            self._updated[span.state] = self._updated.get(span.state, 0) + 1
            new = span.value if span.state in self._sums else ("updated", span.state)
            self._write(span, call.name, value=new)
        else:
            self._write(span, call.name)

    def _write(self, span: Span, writer: str, value: object = None) -> None:
        self._writes.append((value or span.value, writer))
        self._owners[span.space][span.offset : span.end] = len(self._writes) - 1

    def _read(self, span: Span, what: str) -> None:
        """Every byte must come from the one write of the value that is meant."""
        if span.space == "flash" or span.size == 0:
            return
        owners = self._owners[span.space][span.offset : span.end]
        if self._writes[owners[0]][0] == span.value and (owners == owners[0]).all():
            return
        foreign = [owner for owner in np.unique(owners) if self._writes[owner][0] != span.value]
        value, writer = self._writes[foreign[0] if foreign else owners.max()]
        name = span.state or span.role or f"{what} {span.shape} at {span.offset}"
        if value is None:
            self._report(f"{name} is read before it is written")
        elif value == ("updated", span.state):
            self._report(f"state {name} is read after its update by {writer}")
        else:
            self._report(f"{name} is read after {writer} has overwritten it")

    def _check_signature(self, call: Call, kernel: Kernel) -> None:
        for what, spans, expected in (
            ("inputs", call.inputs, kernel.arguments),
            ("outputs", call.outputs, kernel.results),
        ):
            found = tuple((span.shape, span.width) for span in spans)
            if found != expected:
                self._report(f"{what} do not fit the kernel: {found}, expected {expected}")

    def _check_overlaps(self, call: Call, kernel: Kernel) -> None:
        for span in call.scratch:
            if any(span.overlaps(other) for other in (*call.inputs, *call.outputs)):
                self._report("scratch overlaps an input or an output")
        for index, output in enumerate(call.outputs):
            if any(output.overlaps(other) for other in call.outputs[:index]):
                self._report("outputs overlap each other")
            for number, source in enumerate(call.inputs):
                if output.overlaps(source) and not _is_safe(kernel, index, number, source, output):
                    self._report(
                        f"output {index} at {output.offset} overwrites input {number} at "
                        f"{source.offset}, which the kernel still reads"
                    )

    def _check_updates(self) -> None:
        trains = any(span.role == "learning_rate" for span in self._function.spans)
        for name in dict.fromkeys(span.state for span in self._function.spans if span.state):
            count = self._updated.get(name, 0)
            if count != int(trains):
                self._report(f"state {name} is written {count} times, expected {int(trains)}")


def _is_safe(kernel: Kernel, result: int, argument: int, source: Span, output: Span) -> bool:
    """Whether the kernel reads every byte of `source` before it writes `output` over it."""
    walk = kernel.walk(result)
    return walk is not None and walk.allows(
        argument, source.offset, source.width, output.offset, output.width
    )
