# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Stages: their order, what they save, passes written in Python, and errors."""

from pathlib import Path

import pytest
from mlir import ir

from tte_mlir import stages
from tte_mlir.errors import TTEError
from tte_mlir.stages import Stage

NETWORK = """
func.func @forward(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = tte.clamp %x <0.0, inf> : tensor<4xf32> loc("features.0")
  %1 = tte.clamp %0 <0.0, 6.0> : tensor<4xf32> loc("features.1")
  %2 = tte.add %1, %1 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> loc("features.2")
  return %2 : tensor<4xf32>
}
"""


def parse() -> ir.Module:
    return ir.Module.parse(NETWORK, ir.Context())


def test_stages_run_in_order_and_are_saved(tmp_path: Path):
    entered = []

    def rename(module: ir.Module) -> None:
        module.body.operations[0].operation.attributes["sym_name"] = ir.StringAttr.get("renamed")

    table = [
        Stage("fused", ("func.func(tte-fuse-clamp)", "canonicalize")),
        Stage("renamed", (rename,)),
    ]
    stages.run(parse(), table, tmp_path, entered.append)
    assert entered == ["fused", "renamed"]
    fused, renamed = (path.read_text() for path in sorted(tmp_path.iterdir()))
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "01-fused.mlir",
        "02-renamed.mlir",
    ]
    assert fused.count("tte.clamp") == 1
    assert "@forward" in fused
    assert "@renamed" in renamed
    assert 'loc("features.2")' in renamed


def test_a_failing_pass_names_stage_and_layer():
    with pytest.raises(TTEError, match=r"^quantized: (features\.2|input|.*): .*range") as caught:
        stages.run(parse(), [Stage("quantized", ("tte-quantize",))])
    assert "\n" not in str(caught.value)


def test_a_python_pass_that_breaks_the_ir_is_caught():
    def break_types(module: ir.Module) -> None:
        function = module.body.operations[0].operation
        wrong = ir.Attribute.parse("(tensor<5xf32>) -> tensor<4xf32>")
        function.attributes["function_type"] = wrong

    with pytest.raises(TTEError, match="^broken: "):
        stages.run(parse(), [Stage("broken", (break_types,))])


def test_an_error_of_a_python_pass_passes_through():
    def fail(module: ir.Module) -> None:
        raise TTEError("layer: reason")

    with pytest.raises(TTEError, match="^layer: reason$"):
        stages.run(parse(), [Stage("failed", (fail,))])
