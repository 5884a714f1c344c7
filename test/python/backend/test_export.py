# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The data of a library, read from a lowered module whose numbers are known by heart."""

import struct

import pytest
from mlir import ir

from tte_mlir.backend.export import export_program
from tte_mlir.backend.package import CHECK_FINITE, Binding, Space
from tte_mlir.dialects import tte  # noqa: F401  (registers the dialect)
from tte_mlir.errors import TTEError

MODULE = """
!x = !quant.uniform<i8:f32, 0.5:3>
!w = !quant.uniform<i8<-127:127>:f32, 0.25>
module attributes {tte.arena = {bytes = 64 : i64, lower_bound = 64 : i64, optimal = true},
                   tte.arena_alignment = 16 : i64, tte.state_alignment = 8 : i64,
                   tte.state_bytes = 16 : i64} {
  ml_program.global private @frozen(dense<[1, 2, 3]> : tensor<3xi8>) : tensor<3x!w>
  ml_program.global private @splat(dense<7> : tensor<2xi32>) : tensor<2xi32>
  ml_program.global private @trained(dense<[-1, 5]> : tensor<2xi8>) : tensor<2x!w>
  module @kernels {
    func.func @first(%a: memref<4xi8>, %b: memref<3xi8>, %c: memref<2xf32>) { return }
    func.func private @helper() { return }
    func.func @second(%a: memref<2xi8>, %t: memref<2xi32>, %s: memref<8xi8>, %o: memref<2xi8>) {
      return
    }
  }
  func.func @forward() {
    %x = tte.subspan arena[16] {tte.role = #tte.role<input>, tte.tensor = tensor<1x2x2x1x!x>}
      : memref<1x2x2x1xi8>
    %w = tte.flash @frozen : memref<3xi8>
    %y = tte.subspan arena[32] {tte.role = #tte.role<scores>, tte.tensor = tensor<1x2xf32>}
      : memref<1x2xf32>
    tte.call @kernels::@first ins(%x, %w : memref<1x2x2x1xi8>, memref<3xi8>)
      outs(%y : memref<1x2xf32>) layer "fc" phase forward macs 8
    return
  }
  func.func @train_step() {
    %x = tte.subspan arena[16] {tte.role = #tte.role<input>, tte.tensor = tensor<1x2x2x1x!x>}
      : memref<1x2x2x1xi8>
    %label = tte.subspan arena[0] {tte.role = #tte.role<label>} : memref<1xi32>
    %rate = tte.subspan arena[4] {tte.role = #tte.role<learning_rate>} : memref<f32>
    %loss = tte.subspan arena[8] {tte.role = #tte.role<loss>} : memref<f32>
    %step = tte.subspan state[0] {tte.role = #tte.role<step>} : memref<i32>
    %p = tte.subspan state[8] {tte.state = @trained, tte.tensor = tensor<2x!w>} : memref<2xi8>
    %y = tte.subspan arena[48] {tte.role = #tte.role<scores>} : memref<1x2xf32>
    %t = tte.flash @splat : memref<2xi32>
    %s = tte.subspan arena[56] : memref<8xi8>
    tte.require_finite %y : memref<1x2xf32>
    tte.call @kernels::@second ins(%p : memref<2xi8>) tables(%t : memref<2xi32>)
      scratch(%s : memref<8xi8>) outs(%p : memref<2xi8>) layer "fc" phase update macs 0
    return
  }
}
"""


def export(text: str = MODULE):
    module = ir.Module.parse(text, ir.Context())
    return export_program(module, "net", "net_query", u8_scale=0.25, u8_offset=-1.0)


def test_interface():
    program = export()
    assert program.input.shape == (1, 2, 2, 1)
    assert (program.input.scale, program.input.zero_point, program.input.offset) == (0.5, 3, 16)
    assert (program.input.u8_scale, program.input.u8_offset) == (0.25, -1.0)
    assert program.class_count == 2
    assert (program.arena_bytes, program.arena_alignment, program.state_alignment) == (64, 16, 8)
    assert (program.label, program.learning_rate, program.loss, program.step) == (0, 4, 8, 0)
    program.check()


def test_calls_have_ordinals_of_public_functions_and_bindings_in_order():
    program = export()
    (call,) = program.infer.calls
    assert call.kernel == 0
    assert call.bindings[0] == Binding(Space.ARENA, 16)
    assert call.bindings[2] == Binding(Space.ARENA, 32)
    flash = call.bindings[1]
    assert program.flash[flash.offset :][:3] == bytes([1, 2, 3])
    check, update = program.train_step.calls
    assert (check.kernel, check.bindings, check.constants) == (
        CHECK_FINITE,
        (Binding(Space.ARENA, 48),),
        (2,),
    )
    assert update.kernel == 1
    state = Binding(Space.STATE, 8)
    assert (update.bindings[0], update.bindings[3]) == (state, state)
    assert update.bindings[2] == Binding(Space.ARENA, 56)
    table = update.bindings[1]
    assert table.offset % 4 == 0
    assert struct.unpack_from("<2i", program.flash, table.offset) == (7, 7)


def test_scores_lie_where_each_function_leaves_them():
    program = export()
    assert (program.infer.scores, program.train_step.scores) == (32, 48)


def test_initial_state_holds_the_trained_globals_alone():
    assert export().initial_state == bytes(8) + bytes([255, 5]) + bytes(6)


def test_inference_alone():
    program = export(MODULE[: MODULE.index("  func.func @train_step")] + "}\n")
    assert program.train_step is None
    program.check()


def test_an_input_in_f32_is_refused():
    with pytest.raises(TTEError, match="input is of f32, expected a quantized type"):
        export(MODULE.replace("tensor<1x2x2x1x!x>", "tensor<1x2x2x1xf32>"))


def test_a_module_without_a_plan_is_refused():
    with pytest.raises(TTEError, match="no memory plan"):
        export("module {}")
