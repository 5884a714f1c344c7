# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which parameters a scheme trains, in a network of known layers."""

from pathlib import Path

import pytest
from modules import parse

from tte_mlir import stages
from tte_mlir.dialects import tte
from tte_mlir.errors import TTEError
from tte_mlir.passes.update_scheme import Layer, mark_updates

NETWORK = """
ml_program.global private @stem.weight(dense<1.0> : tensor<1x1x1x4xf32>) : tensor<1x1x1x4xf32>
ml_program.global private @blocks.1.dw.weight(dense<1.0> : tensor<1x1x1x4xf32>)
  : tensor<1x1x1x4xf32>
ml_program.global private @blocks.1.dw.bias(dense<1.0> : tensor<4xf32>) : tensor<4xf32>
ml_program.global private @blocks.1.pw.weight(dense<1.0> : tensor<1x1x4x6xf32>)
  : tensor<1x1x4x6xf32>
ml_program.global private @head.weight(dense<1.0> : tensor<6x2xf32>) : tensor<6x2xf32>
ml_program.global private @head.bias(dense<1.0> : tensor<2xf32>) : tensor<2xf32>
ml_program.global private @unread(dense<1.0> : tensor<2xf32>) : tensor<2xf32>
  {tte.update = #tte.update<0, 2>}
func.func @forward(%x: tensor<1x1x1x1xf32> {tte.role = #tte.role<input>}) -> tensor<1x2xf32> {
  %w0 = ml_program.global_load_const @stem.weight : tensor<1x1x1x4xf32>
  %w1 = ml_program.global_load_const @blocks.1.dw.weight : tensor<1x1x1x4xf32>
  %b1 = ml_program.global_load_const @blocks.1.dw.bias : tensor<4xf32>
  %w2 = ml_program.global_load_const @blocks.1.pw.weight : tensor<1x1x4x6xf32>
  %w3 = ml_program.global_load_const @head.weight : tensor<6x2xf32>
  %b3 = ml_program.global_load_const @head.bias : tensor<2xf32>
  %0 = tte.conv2d %x weights(%w0)
    : (tensor<1x1x1x1xf32>, tensor<1x1x1x4xf32>) -> tensor<1x1x1x4xf32>
  %1 = tte.conv2d %0 weights(%w1) bias(%b1) groups 4
    : (tensor<1x1x1x4xf32>, tensor<1x1x1x4xf32>, tensor<4xf32>) -> tensor<1x1x1x4xf32>
    loc("blocks.1.dw")
  %2 = tte.conv2d %1 weights(%w2)
    : (tensor<1x1x1x4xf32>, tensor<1x1x4x6xf32>) -> tensor<1x1x1x6xf32> loc("blocks.1.pw")
  %3 = tte.reshape %2 : (tensor<1x1x1x6xf32>) -> tensor<1x6xf32>
  %4 = tte.dense %3 weights(%w3) bias(%b3)
    : (tensor<1x6xf32>, tensor<6x2xf32>, tensor<2xf32>) -> tensor<1x2xf32> loc("head")
  return %4 : tensor<1x2xf32>
}
"""

HEAD = {"head.weight": (0, 6), "head.bias": (0, 2)}
# Depthwise weights count their channels, other weights their input channels.
BLOCK = {"blocks.1.dw.weight": (0, 4), "blocks.1.dw.bias": (0, 4), "blocks.1.pw.weight": (0, 4)}
STEM = {"stem.weight": (0, 1)}


def marks(module) -> dict[str, tuple[int, int]]:
    return {
        op.sym_name.value: tte.update_range(op.operation.attributes["tte.update"])
        for op in module.body.operations
        if "tte.update" in op.operation.attributes
    }


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ("full", {**STEM, **BLOCK, **HEAD}),
        ("bias", {"blocks.1.dw.bias": (0, 4), **HEAD}),
        ("last:0", HEAD),
        ("last:1", {**BLOCK, **HEAD}),
        ("last:2", {**STEM, **BLOCK, **HEAD}),
    ],
)
def test_schemes(scheme, expected):
    module = parse(NETWORK)
    mark_updates(module, scheme)
    assert marks(module) == expected


@pytest.mark.parametrize("scheme", ["full", "bias", "last:0", "last:1", "last:2"])
def test_pruning_takes_the_marks(scheme):
    module = parse(NETWORK)
    mark_updates(module, scheme)
    expected = [f"tte.state = @{name}" for name in marks(module)]
    stages.run_step(module, "tte-autodiff,tte-prune-backward", "pruned")
    text = str(module)
    assert all(text.count(state) == 3 for state in expected)  # forward, step, and its result
    assert text.count("tte.state") == 3 * len(expected)


@pytest.mark.parametrize(
    ("path", "block"),
    [
        ("features.15.conv.0.0", "features.15"),
        ("features.18.0", "features.18"),
        ("layer1.0.conv2", "layer1.0"),
        ("layer1.0.downsample.0", "layer1.0"),
        ("encoder.conv1", "encoder"),
        ("conv1", "conv1"),
        ("3", "3"),
    ],
)
def test_blocks(path, block):
    assert Layer(path, ()).block == block


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        ("last:3", "update scheme 'last:3': the network has only 2 blocks before its classifier"),
        ("last:-1", "unknown update scheme 'last:-1': expected full, bias, last:K or a .yaml file"),
        ("last", "unknown update scheme 'last': expected full, bias, last:K or a .yaml file"),
        ("biases", "unknown update scheme 'biases'"),
    ],
)
def test_bad_schemes(scheme, message):
    module = parse(NETWORK)
    with pytest.raises(TTEError, match=message):
        mark_updates(module, scheme)
    assert marks(module) == {"unread": (0, 2)}


FILES = {
    "": HEAD,
    "biases: 1": HEAD,  # blocks.1.pw has no bias
    "biases: 2": {"blocks.1.dw.bias": (0, 4), **HEAD},
    "biases: all\nlayers: {1: {bias: false}}": HEAD,
    "layers: {blocks.1.dw: 1/2, 2: 3/4, head: {weight: 1/2}}": {
        "blocks.1.dw.weight": (0, 2),
        "blocks.1.pw.weight": (0, 3),
        "head.weight": (0, 3),
    },
    "layers: {stem: 1/8, 2: 3/8}\nclassifier: false": {
        "stem.weight": (0, 1),
        "blocks.1.pw.weight": (0, 2),
    },
    "layers: {1: {bias: true, weight: 0.1}}": {
        "blocks.1.dw.weight": (0, 1),
        "blocks.1.dw.bias": (0, 4),
        **HEAD,
    },
}


def scheme_file(directory: Path, text: str) -> str:
    path = directory / "scheme.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("text", FILES)
def test_files(tmp_path: Path, text: str):
    module = parse(NETWORK)
    mark_updates(module, scheme_file(tmp_path, text))
    assert marks(module) == FILES[text]


REFUSALS = {
    "layers: {blocks.1.pv: 1}": r"the network has no layer 'blocks.1.pv': did you mean "
    r"'blocks.1.pw' or 'blocks.1.dw'",
    "layers: {3: 1}": r"the network has no layer 3, expected 0 to 2 \(before its classifier 'head'",
    "layers: {-1: 1}": r"the network has no layer -1, expected 0 to 2",
    "layers: {2: 1, blocks.1.pw: 1/2}": r"layer 'blocks.1.pw': is named twice, once as 'blocks.1",
    "layers: {stem: {bias: true}}": r"layer 'stem': bias is true, but the layer has none",
    "biases: 4": r"biases is 4, expected at most 3, the layers before the classifier 'head'",
}


@pytest.mark.parametrize("text", REFUSALS)
def test_files_that_the_network_refuses(tmp_path: Path, text: str):
    with pytest.raises(TTEError, match=rf"scheme.yaml: {REFUSALS[text]}"):
        mark_updates(parse(NETWORK), scheme_file(tmp_path, text))


def test_a_share_of_a_grouped_convolution_cannot_train(tmp_path: Path):
    module = parse("""
ml_program.global private @w(dense<1.0> : tensor<1x1x2x4xf32>) : tensor<1x1x2x4xf32>
func.func @forward(%x: tensor<1x1x1x4xf32>) -> tensor<1x1x1x4xf32> {
  %w = ml_program.global_load_const @w : tensor<1x1x2x4xf32>
  %0 = tte.conv2d %x weights(%w) groups 2
    : (tensor<1x1x1x4xf32>, tensor<1x1x2x4xf32>) -> tensor<1x1x1x4xf32> loc("mixed")
  return %0 : tensor<1x1x1x4xf32>
}
""")
    path = scheme_file(tmp_path, "layers: {mixed: 1/2}")
    with pytest.raises(TTEError, match="'mixed': 1 of 2 .* expected weight: 1"):
        mark_updates(module, path)
    mark_updates(module, scheme_file(tmp_path, "layers: {mixed: 1}"))
    assert marks(module) == {"w": (0, 2)}


def test_network_without_parameters():
    module = parse(
        "func.func @forward(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {return %x : tensor<1x2xf32>}"
    )
    with pytest.raises(TTEError, match="the network has no parameters"):
        mark_updates(module, "full")
