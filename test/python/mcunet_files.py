# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A small network in the format of MCUNetV3 checkpoints, and files of it."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

CHOSEN_CHANNELS = """
biases: all
layers:
  blocks.0.depthwise: {channels: [3, 1]}
  blocks.0.pointwise2: {channels: [2, 0]}
  blocks.1.pointwise1: {channels: [4, 1]}
  blocks.1.depthwise: {channels: [0, 5, 9]}
  blocks.1.pointwise2: {weight: 1/3, channels: norm}
  classifier: {channels: [0, 4], bias: true}
"""
"""A scheme of `small_network` whose channels do not lie together before they are permuted."""


def small_network(seed: int = 0, expanded: int = 12) -> dict:
    """8x8x3 images, two blocks (the second with a residual sum), 5 classes."""
    rng = np.random.default_rng(seed)
    image, stem, narrow, wide, total = (
        (2 / 255, 0),
        (0.02, -128),
        (0.05, 3),
        (0.03, -128),
        (0.07, 1),
    )
    return {
        "first_conv": _convolution(rng, 3, 4, 8, image, stem, kernel=3, stride=2),
        "blocks": [
            {
                "pointwise1": None,
                "depthwise": _convolution(rng, 4, 4, 4, stem, stem, kernel=3, groups=4),
                "pointwise2": _convolution(rng, 4, 6, 4, stem, narrow),
                "residual": None,
                "se": None,
            },
            {
                "pointwise1": _convolution(rng, 6, expanded, 4, narrow, wide),
                "depthwise": _convolution(
                    rng, expanded, expanded, 4, wide, wide, kernel=5, groups=expanded
                ),
                "pointwise2": _convolution(rng, expanded, 6, 4, wide, (0.04, -7)),
                "residual": {
                    "in_channel": 6,
                    "in_shape": 4,
                    "params": _grid("x", narrow) | _grid("y", total),
                },
                "se": None,
            },
        ],
        "feature_mix": None,
        "classifier": _layer(rng, 6, 5, total, (0.1, 0)),
    }


def _convolution(
    rng: np.random.Generator,
    inputs: int,
    outputs: int,
    size: int,
    x: tuple[float, int],
    y: tuple[float, int],
    **options: int,
) -> dict:
    layer = _layer(rng, inputs, outputs, x, y, **options)
    out = size // layer["stride"]
    redundant = {"in_shape": size, "out_shape": out, "depthwise": layer["groups"] > 1, "act": None}
    return layer | redundant


def _layer(
    rng: np.random.Generator,
    inputs: int,
    outputs: int,
    x: tuple[float, int],
    y: tuple[float, int],
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
) -> dict:
    shape = (outputs, inputs // groups, kernel, kernel)
    products = np.prod(shape[1:])
    scales = rng.uniform(0.5, 1.5, outputs) * y[0] / x[0] / 127 / np.sqrt(products)
    return {
        "in_channel": inputs,
        "out_channel": outputs,
        "kernel_size": (kernel, kernel),
        "stride": stride,
        "groups": groups,
        "params": {
            "weight": rng.integers(-127, 128, shape).astype(np.int8),
            "bias": rng.integers(-9999, 10000, outputs).astype(np.int32),
            "w_scales": scales.astype(np.float32),
            **_grid("x", x),
            **_grid("y", y),
        },
    }


def _grid(tensor: str, grid: tuple[float, int]) -> dict:
    return {f"{tensor}_scale": grid[0], f"{tensor}_zero": grid[1]}


def write(path: Path, content: Any) -> Path:
    """Writes what is to be pickled as `torch.save` does."""
    return write_pickle(path, pickle.dumps(content, protocol=2))


def write_pickle(path: Path, data: bytes, member: str = "archive/data.pkl") -> Path:
    """Writes an archive around a pickle."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, data)
        archive.writestr("archive/version", "3\n")
    path.write_bytes(buffer.getvalue())
    return path
