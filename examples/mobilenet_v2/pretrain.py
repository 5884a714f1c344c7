# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pretrains the demo's backbone on five classes of Fashion-MNIST, in two stages.

``classes`` trains from scratch to tell the five classes apart. ``rotations`` goes on from there and
also has an auxiliary head, dropped afterwards, tell by how many quarter turns an image was rotated:
five classes of clothes alone leave features that hardly tell shoes apart. Source: Gidaris et al.,
"Unsupervised Representation Learning by Predicting Image Rotations", ICLR 2018.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import fashion_mnist
import numpy as np
import torch
from model import (
    CHECKPOINT,
    LAST_CHANNEL,
    CheckpointError,
    MobileNetV2,
    load_checkpoint,
    save_checkpoint,
)
from torch import Tensor, nn

BATCH = 128
WARM_UP = 0.15
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
LABEL_SMOOTHING = 0.1
PEAK_LEARNING_RATE = {"classes": 0.1, "rotations": 0.03}
QUARTER_TURNS = 4
ROTATION_LOSS_WEIGHT = 0.5

Loss = Callable[[Tensor, Tensor], Tensor]
"""Of a batch of augmented images and their labels."""


def to_input(x: np.ndarray) -> Tensor:
    """uint8 pixels to f32 in [0, 1], channels last in memory (faster on CPUs)."""
    return torch.from_numpy(x).float().div_(255).contiguous(memory_format=torch.channels_last)


def augment(x: Tensor, generator: torch.Generator) -> Tensor:
    """A random affine map of each image: flip, rotation, scale and shift; then contrast."""
    n = len(x)

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(n, generator=generator) * (high - low) + low

    angle = uniform(-0.25, 0.25)
    scale_x, scale_y = uniform(0.8, 1.25), uniform(0.8, 1.25)
    flip = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    shift_x, shift_y = uniform(-0.15, 0.15), uniform(-0.15, 0.15)
    row_x = torch.stack([flip * scale_x * angle.cos(), -scale_x * angle.sin(), shift_x], 1)
    row_y = torch.stack([flip * scale_y * angle.sin(), scale_y * angle.cos(), shift_y], 1)
    affine = torch.stack([row_x, row_y], 1)
    grid = nn.functional.affine_grid(affine, list(x.shape), align_corners=False)
    warped = nn.functional.grid_sample(x, grid, align_corners=False)
    contrast = uniform(0.6, 1.0).view(-1, 1, 1, 1)
    return (warped * contrast).contiguous(memory_format=torch.channels_last)


def turn_second_half(x: Tensor) -> tuple[Tensor, Tensor]:
    """Leaves the first half upright, turns the rest by 1, 2, 3 quarters in equal shares.

    Returns the images and the number of quarter turns of each.
    """
    turned = x.clone()
    turns = torch.zeros(len(x), dtype=torch.int64)
    for quarters in range(1, QUARTER_TURNS):
        part = slice(len(x) // 2 + quarters - 1, None, QUARTER_TURNS - 1)
        turned[part] = torch.rot90(x[part], quarters, (2, 3))
        turns[part] = quarters
    return turned, turns


def rotation_loss(model: MobileNetV2, rotation_head: nn.Linear, x: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of the class (upright half) plus that of the rotation (whole batch)."""
    turned, turns = turn_second_half(x)
    upright = len(x) // 2
    pooled = model.pooled_features(turned)
    class_loss = nn.functional.cross_entropy(model.classifier(pooled[:upright]), y[:upright])
    turn_loss = nn.functional.cross_entropy(rotation_head(pooled), turns)
    return class_loss + ROTATION_LOSS_WEIGHT * turn_loss


def learning_rate(peak: float, progress: float) -> float:
    """Linear warm-up, then half a cosine down to zero; ``progress`` in [0, 1]."""
    if progress < WARM_UP:
        return peak * progress / WARM_UP
    return peak * 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


def accuracy(model: nn.Module, x: np.ndarray, y: np.ndarray) -> float:
    """Top-1 share of ``model`` in inference mode."""
    model.eval()
    right = 0
    with torch.no_grad():
        for i in range(0, len(x), 500):
            scores = model(to_input(x[i : i + 500]))
            right += int((scores.argmax(1).numpy() == y[i : i + 500]).sum())
    return right / len(x)


def parameter_groups(model: nn.Module) -> list[dict]:
    """Weight decay on convolution and dense weights only."""
    weights = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    return [
        {"params": weights, "weight_decay": WEIGHT_DECAY},
        {"params": vectors, "weight_decay": 0.0},
    ]


def fit(
    trained: nn.Module,
    loss_of: Loss,
    x: np.ndarray,
    y: np.ndarray,
    peak: float,
    epochs: int,
    seed: int,
) -> None:
    """SGD with Nesterov momentum; order and augmentation are drawn by ``seed``."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(
        parameter_groups(trained), lr=peak, momentum=MOMENTUM, nesterov=True
    )
    labels = torch.from_numpy(y)
    steps = len(x) // BATCH
    for epoch in range(epochs):
        trained.train()
        start, total = time.monotonic(), 0.0
        order = torch.randperm(len(x), generator=generator).numpy()
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(peak, (epoch + step / steps) / epochs)
            batch = order[step * BATCH : (step + 1) * BATCH]
            loss = loss_of(augment(to_input(x[batch]), generator), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(
            f"epoch {epoch + 1}/{epochs}  loss {total / steps:.3f}"
            f"  {time.monotonic() - start:.0f} s",
            flush=True,
        )


def pretrain(
    x: np.ndarray, y: np.ndarray, epochs: int, seed: int, start: Path | None = None
) -> MobileNetV2:
    """The stage ``classes``, or ``rotations`` from the checkpoint ``start``.

    Gives the same bits for the same seed, thread count and PyTorch.
    """
    torch.manual_seed(seed)
    model = MobileNetV2(num_classes=int(y.max()) + 1).to(memory_format=torch.channels_last)
    if start is None:
        criterion = nn.CrossEntropyLoss(label_smoothing=LABEL_SMOOTHING)

        def class_loss(images: Tensor, labels: Tensor) -> Tensor:
            return criterion(model(images), labels)

        fit(model, class_loss, x, y, PEAK_LEARNING_RATE["classes"], epochs, seed)
        return model
    load_checkpoint(model, start, classifier=True)
    head = nn.Linear(LAST_CHANNEL, QUARTER_TURNS)
    both = nn.ModuleList([model, head])
    loss_of = partial(rotation_loss, model, head)
    fit(both, loss_of, x, y, PEAK_LEARNING_RATE["rotations"], epochs, seed)
    return model


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rotations-from", type=Path, metavar="CHECKPOINT", help="second stage")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path, default=CHECKPOINT)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.use_deterministic_algorithms(True)
    try:
        x, y = fashion_mnist.subset("train", fashion_mnist.PRETRAINING_CLASSES)
        test_x, test_y = fashion_mnist.subset("test", fashion_mnist.PRETRAINING_CLASSES)
        model = pretrain(x, y, arguments.epochs, arguments.seed, arguments.rotations_from)
    except (fashion_mnist.DatasetError, CheckpointError) as error:
        print(f"pretrain: {error}", file=sys.stderr)
        return 1
    save_checkpoint(model, arguments.output)
    print(f"accuracy on {len(test_x)} held-out images: {accuracy(model, test_x, test_y):.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
