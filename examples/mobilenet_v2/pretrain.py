# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Pretrains the demo's backbone on five classes of Fashion-MNIST and writes its checkpoint.

python pretrain.py -o mobilenet_v2_w035.npz
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

import fashion_mnist
import numpy as np
import torch
from model import CHECKPOINT, MobileNetV2, save_checkpoint
from torch import Tensor, nn

BATCH = 128
PEAK_LEARNING_RATE = 0.1
WARM_UP = 0.15
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
LABEL_SMOOTHING = 0.1


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


def learning_rate(progress: float) -> float:
    """Linear warm-up, then half a cosine down to zero; ``progress`` in [0, 1]."""
    if progress < WARM_UP:
        return PEAK_LEARNING_RATE * progress / WARM_UP
    return PEAK_LEARNING_RATE * 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


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


def pretrain(x: np.ndarray, y: np.ndarray, epochs: int, seed: int) -> MobileNetV2:
    """Trains from scratch; the same bits for the same seed, threads and PyTorch."""
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    generator = torch.Generator().manual_seed(seed)
    model = MobileNetV2(num_classes=int(y.max()) + 1).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        parameter_groups(model), lr=PEAK_LEARNING_RATE, momentum=MOMENTUM, nesterov=True
    )
    loss_function = nn.CrossEntropyLoss(label_smoothing=LABEL_SMOOTHING)
    labels = torch.from_numpy(y)
    steps = len(x) // BATCH
    for epoch in range(epochs):
        model.train()
        start, total = time.monotonic(), 0.0
        order = torch.randperm(len(x), generator=generator).numpy()
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate((epoch + step / steps) / epochs)
            batch = order[step * BATCH : (step + 1) * BATCH]
            loss = loss_function(model(augment(to_input(x[batch]), generator)), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(
            f"epoch {epoch + 1}/{epochs}  loss {total / steps:.3f}"
            f"  {time.monotonic() - start:.0f} s",
            flush=True,
        )
    return model


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path, default=CHECKPOINT)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    try:
        x, y = fashion_mnist.subset("train", fashion_mnist.PRETRAINING_CLASSES)
        test_x, test_y = fashion_mnist.subset("test", fashion_mnist.PRETRAINING_CLASSES)
    except fashion_mnist.DatasetError as error:
        print(f"pretrain: {error}", file=sys.stderr)
        return 1
    model = pretrain(x, y, arguments.epochs, arguments.seed)
    save_checkpoint(model, arguments.output)
    print(f"accuracy on {len(test_x)} held-out images: {accuracy(model, test_x, test_y):.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
