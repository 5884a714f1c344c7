# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Fine-tunes the same layers in f32 with PyTorch: what a compiled program is compared with.

The network is the dequantized checkpoint with the same clamps and no rounding. Several runs train
at once as members of one network, which have parameters of their own: the arithmetic of each member
is that of a run alone, the time is not. Activations are (N, members, channels, height, width).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mlir.ir as ir
import numpy as np
import torch
from accuracy.device import Run
from accuracy.tasks import CLASSES, Images, Task, batches
from torch.nn import functional

from tte_mlir.frontend.mcunet_checkpoint import fresh_classifier, load_checkpoint
from tte_mlir.frontend.mcunet_layers import Activation, Block, Convolution, Network, read
from tte_mlir.passes.update_scheme import mark_updates

_EVALUATED_AT_ONCE = 50


@dataclass(frozen=True)
class Fp32Trainer:
    """Trains what `update` trains, in f32."""

    checkpoint: Path
    update: str

    def accuracies(
        self, task: Task, images: Sequence[Images], held_out: Images, runs: Sequence[Run]
    ) -> list[float]:
        """Percent of `held_out` that is right after each run on its images."""
        torch.set_num_threads(1)
        network, trained = read(self.checkpoint), _trained(self.checkpoint, self.update)
        first = next(i for i, block in enumerate(network.blocks) if _trains(block, trained))
        members = _Members(network, first, trained, [run.seed for run in runs])
        prefix = _Members(network, 0, {}, [0], end=first)
        distinct = {id(x): prefix.features(x) for x in images}
        features = [distinct[id(x)] for x in images]
        orders = [batches(x, task.epochs, r.seed) for x, r in zip(images, runs, strict=True)]
        rates = torch.tensor([run.rate for run in runs])
        steps = len(orders[0])
        for step in range(steps):
            chosen = [order[step] for order in orders]
            x = torch.stack([f[i] for f, i in zip(features, chosen, strict=True)])[None]
            labels = torch.tensor([int(d.y[i]) for d, i in zip(images, chosen, strict=True)])
            members.train(x, labels, rates * (1 - step / steps))
        return members.accuracies(prefix.features(held_out), held_out.y)


def _trained(checkpoint: Path, update: str) -> dict[str, list[int]]:
    """The channels that train, by the name of the parameter."""
    context = ir.Context()
    module = load_checkpoint(checkpoint, CLASSES, 0, context)
    with context, ir.Location.unknown():
        mark_updates(module, update)
    return {
        op.sym_name.value: _channels(op.operation.attributes["tte.update"])
        for op in module.body.operations
        if "tte.update" in op.operation.attributes
    }


def _channels(update: ir.Attribute) -> list[int]:
    """`#tte.update<offset, size>`."""
    offset, size = (int(part) for part in str(update).split("<")[1].rstrip(">").split(","))
    return list(range(offset, offset + size))


def _trains(block: Block, trained: dict[str, list[int]]) -> bool:
    names = (f"{c.name}.{part}" for c in block.convolutions for part in ("weight", "bias"))
    return any(name in trained for name in names)


class _Members:
    """Blocks [first, end) of the network and the classifier, for several members at once."""

    def __init__(
        self,
        network: Network,
        first: int,
        trained: dict[str, list[int]],
        seeds: Sequence[int],
        end: int | None = None,
    ) -> None:
        self.blocks = network.blocks[first:end]
        self.count = len(seeds)
        self.parameters: dict[str, torch.Tensor] = {}
        self.masks: dict[str, torch.Tensor] = {}
        for block in self.blocks:
            for layer in block.convolutions:
                self._add(layer, [layer] * self.count, trained)
        if end is None:
            original = network.classifier
            fresh = [fresh_classifier(original, CLASSES, seed) for seed in seeds]
            self._add(original, fresh, trained)
            self.classifier = original

    def _add(
        self, named: Convolution, layers: Sequence[Convolution], trained: dict[str, list[int]]
    ) -> None:
        weights = [(x.weight * x.scales).transpose(3, 2, 0, 1) for x in layers]
        biases = [x.bias * (x.input.grid.scale * x.scales) for x in layers]
        axis = 0 if named.groups > 1 else 1  # trained channels are input channels, or channels
        for part, arrays in (("weight", weights), ("bias", biases)):
            name = f"{named.name}.{part}"
            tensor = torch.tensor(np.concatenate(arrays), dtype=torch.float32)
            self.parameters[name] = tensor
            if name not in trained:
                continue
            tensor.requires_grad_(True)
            mask = torch.zeros(arrays[0].shape)
            mask.index_fill_(0 if part == "bias" else axis, torch.tensor(trained[name]), 1.0)
            self.masks[name] = mask.repeat(self.count, *[1] * (mask.dim() - 1))

    def train(self, x: torch.Tensor, labels: torch.Tensor, rates: torch.Tensor) -> None:
        """One step of each member on its image; the learning rates are the members' own."""
        loss = functional.cross_entropy(self._scores(x)[0], labels, reduction="sum")
        names = list(self.masks)
        gradients = torch.autograd.grad(loss, [self.parameters[name] for name in names])
        with torch.no_grad():
            for name, gradient in zip(names, gradients, strict=True):
                parameter = self.parameters[name]
                each = rates.repeat_interleave(len(parameter) // self.count)
                step = each.reshape(-1, *[1] * (parameter.dim() - 1)) * gradient
                parameter -= step * self.masks[name]

    @torch.no_grad()
    def features(self, images: Images) -> torch.Tensor:
        """What the blocks make of images, (N, channels, height, width); for one member."""
        parts = []
        for begin in range(0, len(images), _EVALUATED_AT_ONCE):
            pixels = torch.from_numpy(images.x[begin : begin + _EVALUATED_AT_ONCE].copy())
            x = (pixels.float() - 128) * _pixel_scale(self.blocks)
            parts.append(self._blocks(x[:, None, None].expand(-1, -1, 3, -1, -1))[:, 0])
        return torch.cat(parts)

    @torch.no_grad()
    def accuracies(self, features: torch.Tensor, labels: np.ndarray) -> list[float]:
        """Percent that is right, for each member."""
        right = np.zeros(self.count)
        for begin in range(0, len(labels), _EVALUATED_AT_ONCE):
            x = features[begin : begin + _EVALUATED_AT_ONCE, None]
            x = x.expand(-1, self.count, -1, -1, -1)
            predictions = self._scores(x).argmax(dim=2).numpy()
            right += (predictions == labels[begin : begin + len(x), None]).sum(axis=0)
        return [100 * float(value) / len(labels) for value in right]

    def _scores(self, x: torch.Tensor) -> torch.Tensor:
        """(N, members, classes)."""
        pooled = self._blocks(x).mean(dim=(3, 4), keepdim=True)
        return self._convolve(self.classifier, pooled).flatten(2)

    def _blocks(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            source = x
            for layer in block.convolutions:
                x = _clamp(self._convolve(layer, x), layer.output)
            if block.sum is not None:
                x = _clamp(source + x, block.sum)
        return x

    def _convolve(self, layer: Convolution, x: torch.Tensor) -> torch.Tensor:
        weight, bias = (self.parameters[f"{layer.name}.{part}"] for part in ("weight", "bias"))
        if weight.shape[2:] == (1, 1):  # a product of matrices takes far less time
            matrices = weight.reshape(self.count, -1, weight.shape[1])
            y = matrices @ x.flatten(3) + bias.reshape(self.count, -1, 1)
            return y.reshape(*y.shape[:3], *x.shape[3:])
        padding = [k // 2 for k in layer.weight.shape[:2]]
        groups, x = layer.groups * self.count, x.flatten(1, 2)
        if layer.groups > 1 and not weight.requires_grad:
            y = _FrozenDepthwise.apply(x, weight, layer.stride, padding) + bias[:, None, None]
        else:
            y = functional.conv2d(x, weight, bias, layer.stride, padding, groups=groups)
        return y.reshape(len(x), self.count, -1, *y.shape[2:])


class _FrozenDepthwise(torch.autograd.Function):
    """A depthwise convolution whose input gradient is a convolution with the turned weight, which
    PyTorch computes several times faster than its own gradient at batch 1."""

    @staticmethod
    def forward(ctx, x, weight, stride, padding):  # noqa: ANN001, ANN205
        ctx.save_for_backward(weight)
        ctx.stride, ctx.padding, ctx.shape = stride, padding, x.shape
        return functional.conv2d(x, weight, None, stride, padding, groups=len(weight))

    @staticmethod
    def backward(ctx, gradient):  # noqa: ANN001, ANN205
        (weight,) = ctx.saved_tensors
        kernel, size = weight.shape[2:], ctx.shape[2:]
        spread = gradient
        if ctx.stride > 1:
            extents = [(n - 1) * ctx.stride + 1 for n in gradient.shape[2:]]
            spread = gradient.new_zeros(*gradient.shape[:2], *extents)
            spread[:, :, :: ctx.stride, :: ctx.stride] = gradient
        before = [k - 1 - p for k, p in zip(kernel, ctx.padding, strict=True)]
        sizes = zip(size, kernel, before, spread.shape[2:], strict=True)
        after = [n + k - 1 - b - extent for n, k, b, extent in sizes]
        spread = functional.pad(spread, (before[1], after[1], before[0], after[0]))
        x = functional.conv2d(spread, weight.flip(2, 3), groups=len(weight))
        return x, None, None, None


def _clamp(x: torch.Tensor, activation: Activation) -> torch.Tensor:
    """To the real range of the int8 grid."""
    grid = activation.grid
    low, high = (grid.scale * (limit - grid.zero_point) for limit in (-128, 127))
    return x.clamp(low, high)


def _pixel_scale(blocks: tuple[Block, ...]) -> float:
    return blocks[0].convolutions[0].input.grid.scale
