# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The int8 networks of MCUNetV3 and their update schemes, compiled for benchmarks."""

from __future__ import annotations

import os
from pathlib import Path

import tte_mlir as tte
from tte_mlir.errors import TTEError
from tte_mlir.frontend.models import Checkpoint
from tte_mlir.program import Program

ROOT = Path(__file__).resolve().parents[1]
SCHEMES = ROOT / "examples" / "schemes"
CLASSES = 10

FILES = {"mcunet": "mcunet-5fps", "mbv2": "mbv2-w0.35", "proxyless": "proxyless-w0.3"}
"""The checkpoints by the first word of a scheme's name."""


def checkpoint(network: str) -> Path:
    """The file of a network, in TTE_MODELS_DIR."""
    directory = os.environ.get("TTE_MODELS_DIR")
    if not directory:
        raise TTEError("TTE_MODELS_DIR is not set: it says where the int8 checkpoints lie")
    path = Path(directory) / f"{FILES[network]}.pkl"
    if not path.exists():
        raise TTEError(f"{path}: no such checkpoint")
    return path


def compile_scheme(
    scheme: str, target: str, sram: str | None = None, fusion: str = "auto"
) -> Program:
    """Compiles the network of `scheme`, as "mcunet-49kb", which trains what the scheme says."""
    network = scheme.partition("-")[0]
    return tte.compile(
        Checkpoint(checkpoint(network), CLASSES),
        recipe=tte.Recipe(update=str(SCHEMES / f"{scheme}.yaml")),
        target=target,
        sram_budget=sram,
        fusion=fusion,
        name=network,
    )
