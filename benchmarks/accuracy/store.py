# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Results on disk, one JSON line each, so that a study that was stopped goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, TypeVar

from accuracy.movement import Movement
from accuracy.study import Movements, Outcome

ResultT = TypeVar("ResultT", Outcome, Movements)


class Store(Generic[ResultT]):
    """The results of one study, by row and task. A torn last line of a stopped run is dropped."""

    def __init__(self, path: Path, read: Callable[..., ResultT]) -> None:
        self.path = path
        self.results: dict[tuple[str, str], ResultT] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                try:
                    result = read(**json.loads(line))
                except (ValueError, TypeError):
                    continue
                self.results[result.row, result.task] = result

    def add(self, result: ResultT) -> None:
        self.results[result.row, result.task] = result
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps(asdict(result)) + "\n")


def read_movements(layers: list[dict[str, Any]], **fields: Any) -> Movements:
    """Movements from what `Store` writes of them."""
    return Movements(layers=[Movement(**layer) for layer in layers], **fields)
