# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Images and labels from ``.npz`` files."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tte_mlir.errors import TTEError


@dataclass(frozen=True)
class Dataset:
    """`images` (N, channels, height, width), uint8 or f32; `labels` (N), or None without any."""

    images: np.ndarray
    labels: np.ndarray | None

    def __len__(self) -> int:
        return len(self.images)

    def nhwc(self, index: int) -> np.ndarray:
        """One image as devices take it: (height, width, channels)."""
        return np.ascontiguousarray(self.images[index].transpose(1, 2, 0))

    def real(self, index: int, scale: float, offset: float) -> np.ndarray:
        """One image as the network takes it: f32 (1, height, width, channels)."""
        image = self.nhwc(index)[None]
        if image.dtype != np.uint8:
            return image
        return image.astype(np.float32) * np.float32(scale) + np.float32(offset)


def load(path: Path, labelled: bool = True) -> Dataset:
    """Reads `x` (N, C, H, W; uint8 or f32) and `y` (N labels) and checks them."""
    arrays = _read(path)
    for key in ("x", "y") if labelled else ("x",):
        if key not in arrays:
            raise TTEError(f"{path}: has no array '{key}', found {sorted(arrays) or 'nothing'}")
    return check(arrays["x"], arrays.get("y"), str(path))


def check(images: np.ndarray, labels: np.ndarray | None, source: str) -> Dataset:
    """The data set of arrays whose shapes, types and values are as `Dataset` says."""
    if images.ndim != 4 or 0 in images.shape:
        raise TTEError(
            f"{source}: x has shape {images.shape}, expected (images, channels, height, width)"
        )
    if images.dtype == np.float64:
        images = images.astype(np.float32)
    if images.dtype not in (np.uint8, np.float32):
        raise TTEError(f"{source}: x has type {images.dtype}, expected uint8 or float32")
    if images.dtype == np.float32 and not np.isfinite(images).all():
        index = int(np.argmin(np.isfinite(images).all(axis=(1, 2, 3))))
        raise TTEError(f"{source}: image {index} holds NaN or infinity")
    if labels is not None:
        if labels.shape != images.shape[:1]:
            raise TTEError(
                f"{source}: y has shape {labels.shape}, expected ({len(images)},), a label an image"
            )
        if not np.issubdtype(labels.dtype, np.integer):
            raise TTEError(f"{source}: y has type {labels.dtype}, expected integers")
        labels = labels.astype(np.int64)
    return Dataset(images, labels)


def check_network(data: Dataset, input_shape: tuple[int, ...], classes: int, source: str) -> None:
    """Refuses images or labels that a network cannot take; `input_shape` is (1, h, w, c)."""
    _, height, width, channels = input_shape
    if data.images.shape[1:] != (channels, height, width):
        raise TTEError(
            f"{source}: images have shape {data.images.shape[1:]}, "
            f"the network takes {(channels, height, width)} (channels, height, width)"
        )
    if data.labels is None:
        return
    wrong = (data.labels < 0) | (data.labels >= classes)
    if wrong.any():
        index = int(np.argmax(wrong))
        raise TTEError(
            f"{source}: label {data.labels[index]} of image {index} is out of range, "
            f"expected 0 to {classes - 1}"
        )


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files if key in ("x", "y")}
    except FileNotFoundError:
        raise TTEError(f"{path}: no such file") from None
    except (OSError, EOFError, ValueError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise TTEError(f"{path}: not an .npz file, or truncated ({error})") from None
