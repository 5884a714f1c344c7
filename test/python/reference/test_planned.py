# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The interpreter on buffers: they are bytes, and what overlaps is seen."""

import numpy as np
import pytest
from modules import parse

from tte_mlir.reference import Interpreter, NonFiniteError
from tte_mlir.reference.training import TrainingRun

PROGRAM = """
ml_program.global private @w(dense<[1.0, 2.0]> : tensor<2xf32>) : tensor<2xf32>
ml_program.global private @c(dense<[10.0, 20.0]> : tensor<2xf32>) : tensor<2xf32>
module @kernels {{
  tte.kernel @add plain {{
  ^bb0(%a: tensor<2xf32>, %b: tensor<2xf32>):
    %0 = tte.add %a, %b : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    tte.yield %0 : tensor<2xf32>
  }}
}}
func.func @forward() {{
  %x = tte.subspan arena[0] {{tte.role = #tte.role<input>, tte.tensor = tensor<2xf32>}}
    : memref<2xf32>
  %w = tte.subspan state[4] {{tte.state = @w}} : memref<2xf32>
  %c = tte.flash @c : memref<2xf32>
  %t = tte.subspan arena[{t}] : memref<2xf32>
  %y = tte.subspan arena[{y}] {{tte.role = #tte.role<scores>}} : memref<2xf32>
  tte.call @kernels::@add ins(%x, %c : memref<2xf32>, memref<2xf32>) outs(%t : memref<2xf32>)
    layer "first" phase forward macs 0
  tte.require_finite %t : memref<2xf32>
  tte.call @kernels::@add ins(%x, %t : memref<2xf32>, memref<2xf32>) outs(%y : memref<2xf32>)
    layer "second" phase forward macs 0
  tte.call @kernels::@add ins(%w, %c : memref<2xf32>, memref<2xf32>) outs(%w : memref<2xf32>)
    layer "third" phase update macs 0
  return
}}
"""
X = np.float32([1, 2])


def run(t: int, y: int) -> TrainingRun:
    return TrainingRun(parse(PROGRAM.format(t=t, y=y)))


@pytest.mark.parametrize(("t", "y"), [(8, 16), (16, 8), (8, 8), (8, 0)])
def test_sound_placements(t, y):
    program = run(t, y)
    np.testing.assert_array_equal(program.infer(X), [12, 24])
    np.testing.assert_array_equal(program.state["w"], [11, 22])
    np.testing.assert_array_equal(program.infer(X), [12, 24])
    np.testing.assert_array_equal(program.state["w"], [21, 42])


def test_a_value_overwritten_too_early_is_wrong():
    assert not np.array_equal(run(0, 8).infer(X), [12, 24])


@pytest.mark.parametrize(("t", "y"), [(8, 12), (8, 4)])
def test_an_output_over_an_input_is_written_after_all_reads(t, y):
    np.testing.assert_array_equal(run(t, y).infer(X), [12, 24])


def test_require_finite_ends_the_run_before_the_update():
    program = run(8, 16)
    with pytest.raises(NonFiniteError):
        program.infer(np.float32([1, np.inf]))
    np.testing.assert_array_equal(program.state["w"], [1, 2])


def test_buffers_are_bytes():
    module = parse("""
      func.func @f() {
        %a = tte.subspan arena[0] : memref<2xf32>
        %b = tte.subspan arena[4] : memref<4xi8>
        %c = tte.subspan arena[12] : memref<i32>
        return
      }""")
    interpreter = Interpreter(module)
    seen = []
    interpreter.run("f", observe=lambda op, results: seen.extend(results))
    assert interpreter.memory.spaces["arena"].size == 16
    seen[0][:] = [0.0, 1.0]
    assert seen[1].view(np.float32)[0] == 1.0
    assert seen[2].shape == ()
