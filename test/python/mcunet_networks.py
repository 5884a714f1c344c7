# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where the int8 networks of MCUNetV3 lie."""

import os
from pathlib import Path

import pytest

NETWORKS = {"mcunet": "mcunet-5fps", "mbv2": "mbv2-w0.35", "proxyless": "proxyless-w0.3"}
"""The files of the networks by the short names of the schemes."""


def model_path(name: str) -> Path:
    """The checkpoint of a network; skips the test where TTE_MODELS_DIR is unset."""
    directory = os.environ.get("TTE_MODELS_DIR")
    if not directory:
        pytest.skip("TTE_MODELS_DIR is not set: no checkpoints of MCUNetV3")
    path = Path(directory) / f"{NETWORKS.get(name, name)}.pkl"
    assert path.exists(), f"TTE_MODELS_DIR is set but {path} is missing"
    return path
