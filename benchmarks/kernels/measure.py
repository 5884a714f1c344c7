# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Instructions of each shape on the emulated board, measured once for a kernel's code.

Counts are kept under the content of the lowered kernel: what was measured before is not measured
again unless the compiler now makes another kernel of it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kernel_bench import Bench, Case

from .grid import Shape


@dataclass(frozen=True)
class Found:
    """What a shape took."""

    shape: Shape
    instructions: int

    @property
    def family(self) -> str:
        return self.shape.family

    @property
    def cost(self) -> float:
        """Instructions a MAC, or a weight."""
        return self.instructions / self.shape.work


class Counts:
    """Counts by key, on disk: a JSON object a line, so that a run that ends early keeps its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, int] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                entry = json.loads(line)
                self._known[entry["key"]] = entry["instructions"]

    def __getitem__(self, key: str) -> int | None:
        return self._known.get(key)

    def add(self, key: str, instructions: int) -> None:
        self._known[key] = instructions
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(json.dumps({"key": key, "instructions": instructions}) + "\n")


def measure(shapes: Sequence[Shape], counts: Counts) -> Iterator[Found]:
    """The shapes as they are finished, one process a core."""
    cases = {case.name: case for shape in shapes for case in _cases(shape)}
    context = multiprocessing.get_context("spawn")
    with context.Pool(os.cpu_count()) as pool:
        keys = dict(zip(cases, pool.imap(_key, cases.values(), chunksize=8), strict=True))
        missing = {key: cases[name] for name, key in keys.items() if counts[key] is None}
        running = zip(missing, pool.imap(_count, missing.values()), strict=True)

        def count(case: Case) -> int:
            while (known := counts[keys[case.name]]) is None:
                counts.add(*next(running))
            return known

        for shape in shapes:
            instructions = count(shape.case)
            if shape.without is not None:
                instructions -= count(shape.without)
            yield Found(shape, instructions)


def _cases(shape: Shape) -> list[Case]:
    return [shape.case] if shape.without is None else [shape.case, shape.without]


def _key(case: Case) -> str:
    (key,) = Bench("", [case]).content_keys()
    return key


def _count(case: Case) -> int:
    with tempfile.TemporaryDirectory() as directory:
        (instructions,) = Bench("", [case]).count_instructions(Path(directory)).values()
    return instructions
