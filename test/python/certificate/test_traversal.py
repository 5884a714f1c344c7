# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The planner's distances against those that the certificate finds for itself."""

import pytest
from mlir import ir
from planned import run_passes

from tte_mlir.certificate import check
from tte_mlir.certificate.program import Kernel, Span, read

PLAN = (
    "builtin.module(func.func(tte-form-dispatches,tte-schedule),tte-plan-memory{arena-alignment=4})"
)
Q = "!quant.uniform<i8:f32, 0.5:3>"
F = "tensor<64xf32>"


def program(operand: str, op: str, result: str, rest: str = "") -> str:
    """One op from %x to the scores; `rest` are more arguments."""
    return (
        f"func.func @forward(%x: {operand} {{tte.role = #tte.role<input>}}{rest}) -> "
        f"({result} {{tte.role = #tte.role<scores>}}) {{\n  %0 = {op}\n  return %0 : {result}\n}}"
    )


def unary(op: str, operand: str, result: str, attributes: str = "") -> str:
    return program(operand, f"tte.{op} %x {attributes} : ({operand}) -> {result}", result)


def image(height: int, width: int, channels: int, element: str = "f32") -> str:
    return f"tensor<1x{height}x{width}x{channels}x{element}>"


def depthwise_grad(gradient: int, size: int, kernel: int, stride: int = 1, images: int = 1) -> str:
    """From a square gradient to a square result."""
    small, large = (f"tensor<{images}x{n}x{n}x3xf32>" for n in (gradient, size))
    weight = f"tensor<{kernel}x{kernel}x1x3xf32>"
    op = (
        f"tte.conv2d_input_grad %x weights(%w) strides [{stride}, {stride}] "
        f"padding {[kernel // 2] * 4} groups 3 : ({small}, {weight}) -> {large}"
    )
    return program(small, op, large, f", %w: {weight} {{tte.state = @w}}")


CASES = {
    "clamp": program(F, f"tte.clamp %x <0.0, 6.0> : {F}", F),
    "widen": unary("dequantize", f"tensor<64x{Q}>", F),
    "narrow": unary("quantize", F, f"tensor<64x{Q}>"),
    "slice": unary("slice", "tensor<8x16xf32>", "tensor<3x5xf32>", "offsets [2, 7]"),
    "slice_of_one": unary("slice", "tensor<16xf32>", "tensor<1xf32>", "offsets [9]"),
    "mask": unary("clamp_mask", "tensor<60xf32>", "tensor<8xi8>", "<0.0, 6.0>"),
    "pool": unary("avg_pool2d", image(6, 8, 3), image(3, 4, 3), "kernel [2, 2] strides [2, 2]"),
    "smooth": unary(
        "max_pool2d", image(5, 6, 3), image(5, 6, 3), "kernel [3, 3] padding [1, 1, 1, 1]"
    ),
    "smooth_one_channel": unary(
        "avg_pool2d", image(5, 6, 1), image(5, 6, 1), "kernel [3, 3] padding [1, 1, 1, 1]"
    ),
    "unpool": unary(
        "avg_pool2d_grad", image(3, 2, 3), image(6, 4, 3), "kernel [2, 2] strides [2, 2]"
    ),
    "unpool_overlapping": unary(
        "avg_pool2d_grad", image(4, 4, 2), image(4, 4, 2), "kernel [3, 3] padding [1, 1, 1, 1]"
    ),
    "permute": unary("permute", "tensor<4x6xf32>", "tensor<6x4xf32>", "[1, 0]"),
    "depthwise_grad": depthwise_grad(6, 6, 3),
    "depthwise_grad_in_bands": depthwise_grad(34, 34, 3),
    "depthwise_grad_grows": depthwise_grad(6, 12, 5, stride=2),
    "depthwise_grad_grows_in_bands": depthwise_grad(48, 96, 3, stride=2),
    "depthwise_grad_of_images": depthwise_grad(4, 8, 3, stride=2, images=2),
}


def extent(operand: Span, result: Span, distance: int) -> int:
    """Bytes that both need where the operand lies at `distance` from the result."""
    return max(distance + operand.size, result.size) - min(distance, 0)


def smallest_extent(kernel: Kernel, operand: Span, result: Span) -> int:
    walk = kernel.walk(0)
    distances = range(-operand.size, result.size + 1)
    return min(
        extent(operand, result, distance)
        for distance in distances
        if distance in (distances[0], distances[-1])
        or (walk and walk.allows(0, distance, operand.width, 0, result.width))
    )


@pytest.mark.parametrize("name", CASES)
def test_planner_and_certificate_agree(name):
    module = run_passes(CASES[name], PLAN)
    assert check(module) == []
    program = read(module)
    spans = {span.role: span for span in program.functions[0].spans}
    (kernel,) = program.kernels.values()
    (function,) = (op for op in module.body if op.operation.name == "func.func")
    peak = ir.DictAttr(function.operation.attributes["tte.schedule"])["peak_live"].value
    scratch = sum(span.size for call in program.functions[0].calls for span in call.scratch)
    least = smallest_extent(kernel, spans["input"], spans["scores"]) + scratch
    assert peak == least
