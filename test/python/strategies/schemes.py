# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Update schemes: which parameters of a drawn network train, and in which channels."""

from __future__ import annotations

from hypothesis import strategies as st
from mlir import ir

from tte_mlir.dialects import tte

from .layers import Convolution, Dense, Network

Scheme = dict[str, tuple[int, int]]


@st.composite
def schemes(draw: st.DrawFn, network: Network) -> Scheme:
    """(offset, size) by the name of each parameter that trains; at least one does."""
    parameters = _parameters(network)
    trained = draw(st.sets(st.sampled_from(sorted(parameters)), min_size=1))
    scheme = {}
    for name in sorted(trained):
        channels, divisible = parameters[name]
        size = draw(st.integers(1, channels)) if divisible else channels
        scheme[name] = (draw(st.integers(0, channels - size)), size)
    return scheme


def apply(module: ir.Module, scheme: Scheme) -> None:
    """Mark the globals of a module with `tte.update`."""
    for op in module.body:
        attributes = op.operation.attributes
        if "sym_name" in attributes and (name := op.sym_name.value) in scheme:
            attributes["tte.update"] = tte.update_attr(module.context, *scheme[name])


def _parameters(network: Network) -> dict[str, tuple[int, bool]]:
    """For each parameter its channels, and whether a range of them may train."""
    parameters, shape = {}, network.input_shape
    for index, layer in enumerate(network.layers):
        if isinstance(layer, Convolution):
            depthwise = layer.groups == shape[3] == layer.channels
            channels = layer.channels if depthwise else shape[3] // layer.groups
            parameters[f"layers.{index}.weight"] = channels, depthwise or layer.groups == 1
        elif isinstance(layer, Dense):
            parameters[f"layers.{index}.weight"] = shape[1], True
        if isinstance(layer, Convolution | Dense) and layer.bias:
            parameters[f"layers.{index}.bias"] = layer.channels, False
        shape = layer.shape(shape)
    return parameters
