# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""MCUNetV3 networks as their authors simulate them: integers, rescaled by real numbers (f64).

Works on the dicts of a checkpoint and shares no code with the compiler.
"""

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

Feed = Callable[[str, np.ndarray], np.ndarray]


def read(path: Path) -> dict:
    """The dicts of a checkpoint that is trusted."""
    with zipfile.ZipFile(path) as archive:
        return pickle.loads(archive.read("archive/data.pkl"))


def convolutions(network: dict) -> dict[str, dict]:
    """The convolutions by name in forward order, without the classifier."""
    named = {"first_conv": network["first_conv"]}
    for index, block in enumerate(network["blocks"]):
        for role in ("pointwise1", "depthwise", "pointwise2"):
            named[f"blocks.{index}.{role}"] = block[role]
    named["feature_mix"] = network["feature_mix"]
    return {name: layer for name, layer in named.items() if layer}


def simulate(network: dict, image: np.ndarray, feed: Feed) -> np.ndarray:
    """The scores (classes), in units of the classifier's output scale and not rounded.

    `image` is int8 (channels, height, width). `feed(name, result)` is told each layer's result and
    gives what the next layer shall see in its place.
    """
    x = feed("first_conv", convolve(network["first_conv"], image))
    for index, block in enumerate(network["blocks"]):
        source = x
        for role in ("pointwise1", "depthwise", "pointwise2"):
            if block[role]:
                x = feed(f"blocks.{index}.{role}", convolve(block[role], x))
        if block["residual"]:
            name = f"blocks.{index}.residual"
            x = feed(name, add(block["residual"]["params"], source, block["pointwise2"], x))
    if network["feature_mix"]:
        x = feed("feature_mix", convolve(network["feature_mix"], x))
    pooled = np.rint(x.astype(np.float64).mean(axis=(1, 2), keepdims=True))
    return rescaled_sums(network["classifier"], feed("global_pool", pooled))[:, 0, 0]


def convolve(layer: dict, x: np.ndarray) -> np.ndarray:
    """round(sum * s_x * s_w / s_y) + z_y, clamped to int8."""
    return np.clip(np.rint(rescaled_sums(layer, x)) + layer["params"]["y_zero"], -128, 127)


def add(params: dict, source: np.ndarray, branch: dict, x: np.ndarray) -> np.ndarray:
    """round((x_1 + x_2) / s_y) + z_y, clamped to int8."""
    real = (source.astype(np.float64) - params["x_zero"]) * params["x_scale"]
    real += (x.astype(np.float64) - branch["params"]["y_zero"]) * branch["params"]["y_scale"]
    return np.clip(np.rint(real / params["y_scale"]) + params["y_zero"], -128, 127)


def rescaled_sums(layer: dict, x: np.ndarray) -> np.ndarray:
    """sum * s_x * s_w / s_y of a convolution, (out channels, height, width)."""
    params, stride = layer["params"], layer["stride"]
    weight = params["weight"].astype(np.float64)
    pads = [(k // 2, k // 2) for k in weight.shape[2:]]
    padded = np.pad(x.astype(np.float64) - params["x_zero"], [(0, 0), *pads])
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=(1, 2))
    windows = windows[:, ::stride, ::stride]
    if layer["groups"] == 1:
        sums = np.tensordot(weight, windows, ((1, 2, 3), (0, 3, 4)))
    else:
        sums = np.einsum("cyxij,cij->cyx", windows, weight[:, 0])
    scales = params["x_scale"] * params["w_scales"].astype(np.float64) / params["y_scale"]
    return (sums + params["bias"][:, None, None]) * scales[:, None, None]
