# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The schemes of MCUNetV3 that ship as files, against the table of the paper's authors."""

import math
import re
from fractions import Fraction
from pathlib import Path

import pytest
from mcunet_networks import model_path
from mlir import ir
from mlir.dialects import ml_program

from tte_mlir import stages
from tte_mlir.dialects import tte
from tte_mlir.frontend import mcunet_layers
from tte_mlir.frontend.mcunet_checkpoint import load_checkpoint
from tte_mlir.passes.update_scheme import mark_updates

SCHEMES = Path(__file__).parents[3] / "examples" / "schemes"

# Biases of so many of the last convolutions; convolution : share of its input channels.
TABLE = {
    "mcunet-49kb": "20; 24:1/4 27:1/2 30:1/2",
    "mcunet-74kb": "21; 21:1 24:1 27:1/2 30:1",
    "mcunet-99kb": "22; 21:1 24:1 27:1 30:1 36:1/8 39:1/4",
    "mcunet-148kb": "23; 21:1 24:1 27:1 30:1 36:1 39:1/2",
    "mbv2-49kb": "16; 36:1 39:1 41:1/4 42:1/8 45:1/8 48:1/8 49:1/8",
    "mbv2-74kb": "20; 32:1/8 33:1/2 36:1/2 39:1 41:1/4 42:1/8 45:1/8 48:1",
    "mbv2-99kb": "25; 27:1 30:1 33:1 36:1 39:1 42:1/8 45:1/2 48:1",
    "mbv2-138kb": "34; 27:1 30:1 33:1 36:1 39:1 42:1 45:1 48:1",
    "proxyless-49kb": "21; 39:1/4 42:1 45:1 51:1/8 54:1/4 57:1/4",
    "proxyless-74kb": "28; 33:1/2 36:1/4 39:1 42:1 45:1 51:1/2 54:1/4 57:1/2",
    "proxyless-99kb": "25; 36:1 39:1/2 42:1 45:1 48:1/4 51:1/2 54:1 57:1",
    "proxyless-138kb": "45; 36:1 39:1 42:1 45:1 48:1 51:1 54:1 57:1",
}


def test_every_scheme_ships():
    assert {path.stem for path in SCHEMES.glob("*.yaml")} == set(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_schemes_train_what_the_table_says(name: str):
    path = model_path(name.partition("-")[0])
    network = mcunet_layers.read(path)
    convolutions = [layer for block in network.blocks for layer in block.convolutions]
    biases, weights = TABLE[name].split("; ")
    expected = {"classifier.weight": network.classifier.input.channels, "classifier.bias": 10}
    for layer in convolutions[-int(biases) :]:
        expected[f"{layer.name}.bias"] = layer.output.channels
    for index, ratio in re.findall(r"(\d+):(\S+)", weights):
        layer = convolutions[int(index)]
        channels = Fraction(ratio) * layer.input.channels
        assert channels.denominator == 1, "the table's shares are whole channels"
        expected[f"{layer.name}.weight"] = int(channels)

    module = load_checkpoint(path, classes=10)
    mark_updates(module, str(SCHEMES / f"{name}.yaml"))
    assert marks(module) == {name: (0, channels) for name, channels in expected.items()}


def test_only_the_trained_part_is_state():
    path = model_path("mcunet")
    module = load_checkpoint(path, classes=10)
    mark_updates(module, str(SCHEMES / "mcunet-49kb.yaml"))
    stages.run_step(module, "tte-autodiff,tte-prune-backward", "pruned")
    assert state_bytes(module) == 32_104
    assert state_bytes(module) <= 33_500


def test_whole_layers_would_be_more_state(tmp_path: Path):
    scheme = tmp_path / "whole.yaml"
    scheme.write_text("biases: 20\nlayers: {24: 1, 27: 1, 30: 1}\n")
    module = load_checkpoint(model_path("mcunet"), classes=10)
    mark_updates(module, str(scheme))
    stages.run_step(module, "tte-autodiff,tte-prune-backward", "pruned")
    assert state_bytes(module) == 47_656


def state_bytes(module: ir.Module) -> int:
    """Bytes of the state that @forward takes."""
    forward = ir.SymbolTable(module.operation)["forward"]
    *states, _ = ir.FunctionType(forward.attributes["function_type"].value).inputs
    return sum(
        math.prod(state.shape) * state.element_type.storage_type_integral_width // 8
        for state in states
    )


def marks(module: ir.Module) -> dict[str, tuple[int, int]]:
    return {
        op.sym_name.value: tte.update_range(op.operation.attributes["tte.update"])
        for op in module.body.operations
        if isinstance(op, ml_program.GlobalOp) and "tte.update" in op.operation.attributes
    }
