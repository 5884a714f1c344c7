# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Outcomes on disk, one JSON line each, so that a study that was stopped goes on."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from accuracy.study import Outcome


class Store:
    """The outcomes of one study. A torn last line of a stopped run is dropped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.outcomes: dict[tuple[str, str], Outcome] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                try:
                    outcome = Outcome(**json.loads(line))
                except (ValueError, TypeError):
                    continue
                self.outcomes[outcome.row, outcome.task] = outcome

    def add(self, outcome: Outcome) -> None:
        self.outcomes[outcome.row, outcome.task] = outcome
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps(asdict(outcome)) + "\n")
