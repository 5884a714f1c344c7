# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fashion-MNIST from Debian's package ``dataset-fashion-mnist``, as the compiler takes data.

    python fashion_mnist.py --split train --classes 5-9 --count 1000 --seed 0 -o train.npz

Source: Xiao et al., "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
Algorithms", arXiv:1708.07747. MIT licence.
"""

from __future__ import annotations

import argparse
import gzip
import struct
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

DIRECTORY = Path("/usr/share/datasets/fashion-mnist")
PACKAGE = "dataset-fashion-mnist"

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
PRETRAINING_CLASSES = (0, 1, 2, 3, 4)
DEVICE_CLASSES = (5, 6, 7, 8, 9)
SIZE = 64
"""Height and width of the images that the network takes."""

_FILE_PREFIX = {"train": "train", "test": "t10k"}
_UNSIGNED_BYTE = 8


class DatasetError(Exception):
    """The data set is absent or damaged. One line."""


def _read_idx(path: Path) -> np.ndarray:
    """Reads an IDX file of unsigned bytes: 0, 0, type, rank, then big-endian u32 sizes, data."""
    try:
        content = gzip.decompress(path.read_bytes())
    except FileNotFoundError:
        raise DatasetError(
            f"{path} is missing: install the Debian package {PACKAGE} (apt-get install {PACKAGE})"
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path}: damaged ({error}); reinstall {PACKAGE}") from None
    if len(content) < 4 or content[2] != _UNSIGNED_BYTE:
        raise DatasetError(f"{path}: not an IDX file of unsigned bytes; reinstall {PACKAGE}")
    rank = content[3]
    shape = struct.unpack_from(f">{rank}I", content, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load(split: str, directory: Path = DIRECTORY) -> tuple[np.ndarray, np.ndarray]:
    """All of a split ("train" or "test"): images (N, 28, 28) and labels (N), both uint8."""
    prefix = _FILE_PREFIX[split]
    images = _read_idx(directory / f"{prefix}-images-idx3-ubyte.gz")
    labels = _read_idx(directory / f"{prefix}-labels-idx1-ubyte.gz")
    return images, labels


def _bilinear_weights(source: int, target: int) -> np.ndarray:
    """(target, source) weights of bilinear interpolation at pixel centres, in 1/256."""
    position = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    low = np.minimum(position.astype(np.int64), source - 2)
    high_weight = np.rint((position - low) * 256)
    weights = np.zeros((target, source), np.float32)
    rows = np.arange(target)
    weights[rows, low] = 256 - high_weight
    weights[rows, low + 1] = high_weight
    return weights


def resize(images: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Bilinear, (N, h, w) uint8 to (N, size, size) uint8, the same bits on any machine.

    All values are integers below 2**24, so f32 products and sums are exact in any order.
    """
    rows = _bilinear_weights(images.shape[1], size)
    columns = _bilinear_weights(images.shape[2], size)
    resized = np.empty((len(images), size, size), np.uint8)
    for image, out in zip(images, resized, strict=True):
        scaled = rows @ image.astype(np.float32) @ columns.T
        out[:] = (scaled + (1 << 15)) // (1 << 16)
    return resized


def subset(
    split: str,
    classes: Sequence[int],
    count: int | None = None,
    seed: int = 0,
    directory: Path = DIRECTORY,
) -> tuple[np.ndarray, np.ndarray]:
    """Images of ``classes`` in an order drawn by ``seed``, as a device gets to see them.

    Returns x (N, 3, 64, 64) uint8, the grey value in all three channels, and y (N) int64, the
    position of the image's class in ``classes``. Without ``count``: all of them.
    """
    images, labels = load(split, directory)
    chosen = np.flatnonzero(np.isin(labels, classes))
    chosen = np.random.default_rng(seed).permutation(chosen)
    if count is not None:
        if count > len(chosen):
            raise DatasetError(
                f"{count} images asked for, the {split} split has {len(chosen)} of these classes"
            )
        chosen = chosen[:count]
    grey = resize(images[chosen])
    x = np.repeat(grey[:, None], 3, axis=1)
    position = np.full(len(CLASS_NAMES), -1, np.int64)
    position[list(classes)] = np.arange(len(classes))
    return x, position[labels[chosen]]


def _parse_classes(text: str) -> tuple[int, ...]:
    """Reads "5-9" or "0,2,4"."""
    classes: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        classes += range(int(first), int(last or first) + 1)
    if not classes or len(set(classes)) != len(classes):
        raise ValueError
    if not set(classes) <= set(range(len(CLASS_NAMES))):
        raise ValueError
    return tuple(classes)


def main() -> int:
    parser = argparse.ArgumentParser(description="Write images of Fashion-MNIST as .npz (x, y).")
    parser.add_argument("--split", choices=sorted(_FILE_PREFIX), required=True)
    parser.add_argument("--classes", type=_parse_classes, default=DEVICE_CLASSES, help="e.g. 5-9")
    parser.add_argument("--count", type=int, help="number of images (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="of the order (default: 0)")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        x, y = subset(arguments.split, arguments.classes, arguments.count, arguments.seed)
        np.savez_compressed(arguments.output, x=x, y=y)
    except (DatasetError, OSError) as error:
        print(f"fashion_mnist: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
