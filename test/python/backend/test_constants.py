# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the constants of a network take in flash, counted from its layers alone."""

from pathlib import Path

import mcunet_files
import mlir.ir as ir
import pytest

import tte_mlir as tte
from tte_mlir import pipeline, stages
from tte_mlir.backend import targets
from tte_mlir.backend.export import export_program
from tte_mlir.frontend.mcunet_checkpoint import load_checkpoint

CLASSES, EXPANDED = 5, 64  # channels of two groups
SCHEME = """
biases: 3
layers:
  blocks.1.pointwise1: {weight: 1/3}
"""
NETWORK = mcunet_files.small_network(expanded=EXPANDED)
LAYERS = {layer: NETWORK[layer] for layer in ("first_conv", "classifier")} | {
    f"blocks.{index}.{layer}": block[layer]
    for index, block in enumerate(NETWORK["blocks"])
    for layer in ("pointwise1", "depthwise", "pointwise2")
    if block[layer]
}
FROZEN = ("first_conv", "blocks.0.depthwise", "blocks.0.pointwise2")
"""Layers whose bias does not train."""


def constants(directory: Path, fusion: str) -> bytes:
    """The flash space of the small network."""
    path = mcunet_files.write(directory / "small.pkl", NETWORK)
    (directory / "scheme.yaml").write_text(SCHEME)
    recipe = tte.Recipe(update=str(directory / "scheme.yaml"))
    with ir.Context() as context:
        module = load_checkpoint(path, CLASSES, context=context)
        stages.run(module, pipeline.planning(recipe, None, fusion=pipeline.FUSIONS[fusion]))
        lowered = pipeline.lower(module, targets.get("cortex-m7"))
        return export_program(lowered, "net", "query", 1 / 255, 0.0).flash


def count(groups: int) -> int:
    """Bytes, from what each layer needs; updates of blocks.1 repeat their scalars for each group of
    channels. Constants begin at multiples of 4 bytes."""
    total = 4 * 4  # factors of the residual sum
    for name, layer in LAYERS.items():
        outputs = layer["out_channel"]
        inputs = layer["in_channel"] // layer["groups"] * layer["kernel_size"][0] ** 2
        trained = {"classifier": inputs, "blocks.1.pointwise1": 2}.get(name, 0)
        sizes = [(inputs - trained) * outputs]
        # a multiplier and a shift a channel, or what makes scores f32
        sizes.append(4 * outputs if name == "classifier" else 5 * outputs)
        if name in FROZEN:
            sizes.append(4 * outputs)
        has_input_gradient = name in ("classifier", "blocks.1.depthwise", "blocks.1.pointwise2")
        if has_input_gradient:
            sizes.append(4 * outputs)
        if name not in FROZEN:
            # From the scales of the input gradient and one factor, if there are 8 channels.
            is_derived = has_input_gradient and outputs >= 8
            sizes.append(4 * groups + outputs if is_derived else 4 * outputs)
        if name == "classifier":
            sizes += [4 + 4 * outputs, 4 * 2]  # the input's scale, factors; the generator
        elif trained:
            sizes += [4 * groups + 4 * outputs, 4 * 3 * groups]
        total += sum(size + -size % 4 for size in sizes)
    return total


@pytest.mark.parametrize(
    ("fusion", "groups"), [("none", 1), ("row_stream", 1), ("channel_group", 2)]
)
def test_every_constant_is_there_once(fusion: str, groups: int, tmp_path: Path) -> None:
    assert len(constants(tmp_path, fusion)) == count(groups)
