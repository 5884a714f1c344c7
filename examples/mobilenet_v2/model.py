# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""MobileNetV2 in plain PyTorch, and the factories that the compiler is pointed at.

The module tree is torchvision's (``features.0.0``, ``features.1.conv.0.0``, ..., ``classifier.1``),
so that layer paths read as users know them.

Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

CHECKPOINT = Path(__file__).with_name("mobilenet_v2_w035.npz")
INPUT_SHAPE = (3, 64, 64)
"""Channels, height, width. The network takes pixels scaled to [0, 1]."""

WIDTH = 0.35
LAST_CHANNEL = 256
"""Outputs of the last 1x1 convolution.

ImageNet's 1000 classes ask for 1280; for a handful of classes that layer alone would be 140 KiB of
int8 weights, more than half of the SRAM of a small microcontroller once it is trained.
"""

CLASSIFIER_DEVIATION = 2.0
"""A fresh classifier is normal with deviation CLASSIFIER_DEVIATION / sqrt(inputs).

An int8 weight never leaves the range that its scale was derived from; the tails of a wide normal
distribution leave room to learn.
"""

INVERTED_RESIDUALS = (
    # expansion, channels at width 1, blocks, stride of the first
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class CheckpointError(Exception):
    """A checkpoint that cannot be read or does not belong to the model. One line."""


def make_divisible(channels: float, divisor: int = 8) -> int:
    """Rounds to a multiple of ``divisor`` without losing more than a tenth."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


class ConvNormActivation(nn.Sequential):
    """Convolution with "same" padding, batch norm, ReLU6."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(
            nn.Conv2d(
                inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False
            ),
            nn.BatchNorm2d(outputs),
            nn.ReLU6(),
        )


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise 3x3, linear 1x1 projection; a skip where the shapes allow it."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int):
        super().__init__()
        hidden = inputs * expansion
        self.use_res_connect = stride == 1 and inputs == outputs
        layers: list[nn.Module] = []
        if expansion != 1:
            layers.append(ConvNormActivation(inputs, hidden, 1))
        layers += [
            ConvNormActivation(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        self.conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    """Takes (N, 3, H, W) pixels in [0, 1], gives (N, num_classes) scores."""

    def __init__(
        self,
        num_classes: int,
        width: float = WIDTH,
        last_channel: int = LAST_CHANNEL,
        dropout: float = 0.2,
    ):
        super().__init__()
        channels = make_divisible(32 * width)
        features: list[nn.Module] = [ConvNormActivation(3, channels, 3, stride=2)]
        for expansion, base, blocks, stride in INVERTED_RESIDUALS:
            outputs = make_divisible(base * width)
            for block in range(blocks):
                features.append(
                    InvertedResidual(channels, outputs, stride if block == 0 else 1, expansion)
                )
                channels = outputs
        features.append(ConvNormActivation(channels, last_channel, 1))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(last_channel, num_classes))
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0.0, 0.01)
                nn.init.zeros_(module.bias)

    def pooled_features(self, x: Tensor) -> Tensor:
        """(N, last_channel): what the classifier sees."""
        x = nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1))
        return torch.flatten(x, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.pooled_features(x))


def save_checkpoint(model: nn.Module, path: Path) -> None:
    """Writes an ``.npz``: convolution and dense weights as f16, the rest (vectors) as f32."""
    arrays = {
        name: value.detach().numpy().astype(np.float16 if value.dim() > 1 else np.float32)
        for name, value in model.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    np.savez(path, **arrays)


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Reads what ``save_checkpoint`` wrote, widened to f32. Raises ``CheckpointError``."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: torch.from_numpy(archive[name].astype(np.float32)) for name in archive}
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such checkpoint") from None
    except (OSError, EOFError, ValueError, KeyError, AttributeError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path}: truncated or not a checkpoint ({reason})") from None


def load_checkpoint(model: MobileNetV2, path: Path, classifier: bool) -> None:
    """Copies a checkpoint into ``model``, with or without its classifier.

    Every tensor must be there with the shape that the model has; raises ``CheckpointError``.
    """
    found = read_checkpoint(path)
    for name, value in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        if name.startswith("classifier.") and not classifier:
            continue
        if name not in found:
            raise CheckpointError(f"{path}: no tensor {name!r}")
        if found[name].shape != value.shape:
            raise CheckpointError(
                f"{path}: {name!r} has shape {tuple(found[name].shape)}, "
                f"expected {tuple(value.shape)}"
            )
        value.copy_(found[name])


def pretrained_model(checkpoint: Path = CHECKPOINT) -> MobileNetV2:
    """The network with the head it was pretrained with, ready for inference."""
    classes = read_checkpoint(checkpoint).get("classifier.1.bias")
    if classes is None:
        raise CheckpointError(f"{checkpoint}: no tensor 'classifier.1.bias'")
    model = MobileNetV2(num_classes=classes.numel())
    load_checkpoint(model, checkpoint, classifier=True)
    return model.eval()


def demo_model(num_classes: int = 5, seed: int = 0, checkpoint: Path = CHECKPOINT) -> MobileNetV2:
    """The pretrained backbone under a fresh classifier for ``num_classes``, drawn by ``seed``."""
    model = MobileNetV2(num_classes)
    load_checkpoint(model, checkpoint, classifier=False)
    layer = model.classifier[1]
    deviation = CLASSIFIER_DEVIATION / layer.in_features**0.5
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        layer.weight.normal_(0.0, deviation, generator=generator)
        layer.bias.zero_()
    return model.eval()
