# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Calibrated ranges, against what the images make of a network known by heart."""

import numpy as np
import pytest
from mlir import ir

from tte_mlir.dialects import tte
from tte_mlir.errors import TTEError
from tte_mlir.frontend.calibration import calibrate, find_forward

NETWORK = """
ml_program.global private @w(dense<[[[[2.0], [-1.0]]]]> : tensor<1x1x2x1xf32>) : tensor<1x1x2x1xf32>
func.func @forward(%x: tensor<1x1x2x2xf32> {tte.role = #tte.role<input>}) -> tensor<1x2xf32> {
  %w = ml_program.global_load_const @w : tensor<1x1x2x1xf32>
  %0 = tte.conv2d %x weights(%w) clamp <0.0, inf>
    : (tensor<1x1x2x2xf32>, tensor<1x1x2x1xf32>) -> tensor<1x1x2x1xf32> loc("conv")
  %1 = tte.reshape %0 : (tensor<1x1x2x1xf32>) -> tensor<1x2xf32>
  %2 = tte.add %1, %1 : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x2xf32>
  return %2 : tensor<1x2xf32>
}
"""


def parse() -> ir.Module:
    return ir.Module.parse(NETWORK, ir.Context())


def ranges(module: ir.Module) -> dict[str, tuple[float, float]]:
    block = find_forward(module).regions[0].blocks[0]
    return {
        op.operation.name: tte.interval(op.operation.attributes["tte.range"])
        for op in block.operations
        if "tte.range" in op.operation.attributes
    }


def input_range(module: ir.Module) -> tuple[float, float]:
    attributes = ir.ArrayAttr(find_forward(module).attributes["arg_attrs"])[0]
    assert str(ir.DictAttr(attributes)["tte.role"]) == "#tte.role<input>"
    return tte.interval(ir.DictAttr(attributes)["tte.range"])


def image(*pixels: tuple[float, float]) -> np.ndarray:
    return np.array(pixels, np.float32).reshape(1, 1, 2, 2)


def test_ranges_span_all_images():
    module = parse()
    calibrate(module, [image((1, 0), (0, 3)), image((4, 1), (0.5, 0.5))])
    assert input_range(module) == (0, 4)
    # 2a - b, clamped: 2, 0 and 7, 0.5
    assert ranges(module) == {"tte.conv2d": (0, 7), "tte.reshape": (0, 7), "tte.add": (0, 14)}


def test_preprocessing_determines_the_range_of_the_input():
    module = parse()
    calibrate(module, [image((1, 0), (0, 3))], input_range=(-1, 5))
    assert input_range(module) == (-1, 5)


def test_no_image_is_refused():
    with pytest.raises(TTEError, match="at least one image"):
        calibrate(parse(), [])


@pytest.mark.filterwarnings("ignore:overflow")
def test_overflow_names_the_layer():
    with pytest.raises(TTEError, match="conv: holds NaN or infinity"):
        calibrate(parse(), [image((3e38, 0), (0, 0))])
