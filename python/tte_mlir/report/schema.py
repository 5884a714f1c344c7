# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The structure of report.json. Sizes, offsets and peaks are in bytes."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import TTEError


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sram(_Part):
    """RAM of the linked image. `total` counts the stack by its static bound."""

    total: int
    arena: int
    state: int
    runtime: int
    stack_bound: int
    stack_measured: int | None = None
    budget: int | None = None


class Flash(_Part):
    """Read-only memory of the linked image; `kernels` is the part of the code that computes."""

    total: int
    code: int
    kernels: int | None = None
    weights: int
    initial_state: int
    tables: int


class Schedule(_Part):
    """The most that is live at once in the order chosen; no order needs less than the bound."""

    peak_live: int
    lower_bound: int
    optimal: bool


class Arena(_Part):
    """Size of the arena; for this order no placement is below the bound."""

    bytes: int
    lower_bound: int
    optimal: bool


class Macs(_Part):
    """Multiply-accumulates of one training step."""

    forward: int
    backward: int


class Op(_Part):
    """A call: `kind` names its ops, `family` what they are compared by, `offset` is where its
    first output lies (in the arena or, for updates, in the state), `live_bytes` is what the arena
    holds while it runs.

    `kernel` is the function that it calls, of `code_bytes` bytes, which calls of equal shape
    share. `instructions` are those of the last profiled run.
    """

    name: str
    kind: str
    family: str
    shape: str
    phase: str
    macs: int
    output_bytes: int
    offset: int
    live_bytes: int
    kernel: str | None = None
    code_bytes: int | None = None
    instructions: int | None = None


class LayerCost(_Part):
    """What training a layer costs: bytes of state, bytes of the forward pass that are kept until
    its gradients are computed (a tensor that several layers need counts for the last of them; the
    mask of a layer's input counts for the layer), and multiply-accumulates
    of its gradients."""

    name: str
    state_bytes: int
    saved_bytes: int
    macs_backward: int

    @property
    def any(self) -> bool:
        return bool(self.state_bytes or self.saved_bytes or self.macs_backward)


class TrainingCost(_Part):
    """The sums over layers, and the layers that cost anything."""

    state_bytes: int
    saved_bytes: int
    macs_backward: int
    layers: tuple[LayerCost, ...] = ()


class Training(_Part):
    """What the update scheme costs, and what training every parameter would (where it can)."""

    scheme: TrainingCost
    full: TrainingCost | None = None


class Report(_Part):
    """report.json. `ops` are those of the training step, or of inference where nothing trains.

    `sram` and `flash` are None until an image has been linked. `remarks` are what the compiler has
    to say on how it made the program.
    """

    model: str
    target: str
    sram: Sram | None = None
    flash: Flash | None = None
    schedule: Schedule
    arena: Arena
    macs: Macs
    training: Training | None = None
    remarks: tuple[str, ...] = ()
    ops: tuple[Op, ...]

    @property
    def trains(self) -> bool:
        """Whether `ops` are those of a training step."""
        return any(op.phase != "forward" for op in self.ops)

    def write(self, path: Path) -> None:
        path.write_text(self.model_dump_json(indent=2) + "\n")

    @staticmethod
    def read(path: Path) -> Report:
        """Raises TTEError where `path` is not a report."""
        try:
            return Report.model_validate(json.loads(path.read_text()))
        except OSError as error:
            raise TTEError(f"{path}: {error.strerror}") from None
        except (ValueError, ValidationError):
            raise TTEError(f"{path}: not a report of this version of tte-mlir") from None
