# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the backbones keep of activations for weight gradients, against the scheme's own numbers."""

from fractions import Fraction
from pathlib import Path

import pytest
import yaml
from mcunet_networks import model_path
from mlir import ir

from tte_mlir import locations, stages
from tte_mlir.dialects import tte
from tte_mlir.frontend.mcunet_checkpoint import load_checkpoint
from tte_mlir.frontend.mcunet_layers import read
from tte_mlir.passes.update_scheme import mark_updates

SCHEMES = Path(__file__).parents[3] / "examples" / "schemes"


def expected_channels(network: str, scheme: Path) -> dict[str, int]:
    """Of the weights that the scheme trains, by layer: shares of the checkpoint's channels."""
    layers = {c.name: c for block in read(model_path(network)).blocks for c in block.convolutions}
    shares = yaml.safe_load(scheme.read_text())["layers"]
    inputs = {name: layers[name].weight.shape[2] * layers[name].groups for name in shares}
    return {name: max(1, round(Fraction(str(shares[name])) * inputs[name])) for name in shares}


@pytest.mark.parametrize("network", ["mcunet", "mbv2", "proxyless"])
def test_weight_gradients_keep_the_channels_that_train(network):
    scheme = SCHEMES / f"{network}-49kb.yaml"
    module = load_checkpoint(model_path(network))
    with module.context, ir.Location.unknown():
        mark_updates(module, str(scheme))
    stages.run_step(module, "tte-autodiff,tte-prune-backward", "pruned")
    step = ir.SymbolTable(module.operation)["train_step"].regions[0].blocks[0]
    gradients = [op for op in step.operations if isinstance(op, tte.Conv2DWeightGradOp)]
    kept = {locations.layer(op.operation): op.input for op in gradients}
    channels = {layer: ir.RankedTensorType(x.type).shape[-1] for layer, x in kept.items()}
    assert channels == expected_channels(network, scheme)
    assert any(isinstance(x.owner.opview, tte.SliceOp) for x in kept.values())
