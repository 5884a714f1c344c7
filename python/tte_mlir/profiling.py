# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Instructions of each call of a compiled network on its emulated board."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tte_mlir.artifacts import Artifacts
from tte_mlir.backend.device import Record


@dataclass(frozen=True)
class ProfiledCall:
    """A call in its place, with what it computes and what it costs; see `report.Op`."""

    layer: str
    kind: str
    family: str
    shape: str
    phase: str
    macs: int
    instructions: int

    @property
    def per_mac(self) -> float:
        """Instructions a multiply-accumulate, infinite where there are none."""
        return self.instructions / self.macs if self.macs else float("inf")


def profile(artifacts: Artifacts, *, infer: bool = False, seed: int = 0) -> list[ProfiledCall]:
    """The calls of one training step, or of one inference, on random pixels.

    The first step of a fresh network; how many instructions a call takes hardly depends on data.
    """
    interface = artifacts.interface
    pixels = np.random.default_rng(seed).integers(0, 256, interface.input_shape, np.uint8)
    record = Record(pixels, label=0, learning_rate=None if infer else 0.01)
    with artifacts.profiler() as device:
        counts = device.execute(record).calls
    assert counts is not None
    plan = artifacts.plan()
    function = plan.functions["forward" if infer else "train_step"]
    return [
        ProfiledCall(
            layer=call.name,
            kind=call.kind,
            family=call.family,
            shape=call.shape,
            phase=call.phase,
            macs=call.macs,
            instructions=count,
        )
        for call, count in zip(function.calls, counts, strict=True)
    ]
