# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Functions, globals, regions, observers and errors of the interpreter."""

import numpy as np
import pytest
from modules import parse

from tte_mlir.reference import Interpreter, InterpreterError

MODULE = """
!q = !quant.uniform<i8<-100:100>:f32, 0.5>
ml_program.global private @w(dense<[1, -2]> : tensor<2xi8>) : tensor<2x!q>
ml_program.global private @splat(dense<2.5> : tensor<2xf32>) : tensor<2xf32>
func.func @double(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = tte.add %x, %x : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}
func.func @main(%x: tensor<2xf32>) -> (tensor<2xf32>, tensor<2x!q>) {
  %c = arith.constant dense<[10.0, 20.0]> : tensor<2xf32>
  %w = ml_program.global_load_const @w : tensor<2x!q>
  %s = ml_program.global_load @splat : tensor<2xf32>
  %0 = func.call @double(%x) : (tensor<2xf32>) -> tensor<2xf32>
  %1 = tte.dispatch plain forward (%a = %0 : tensor<2xf32>, %b = %c : tensor<2xf32>)
      -> tensor<2xf32> {
    %2 = tte.add %a, %b : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
    tte.yield %2 : tensor<2xf32>
  }
  %3 = tte.add %1, %s : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %3, %w : tensor<2xf32>, tensor<2x!q>
}
func.func @unknown(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = arith.addf %x, %x : tensor<2xf32>
  return %0 : tensor<2xf32>
}
func.func @grid(%q: tensor<2x!q>) -> tensor<2x!q> {
  return %q : tensor<2x!q>
}
"""


@pytest.fixture
def interpreter() -> Interpreter:
    return Interpreter(parse(MODULE))


def test_functions_globals_and_dispatches(interpreter):
    real, stored = interpreter.run("main", np.float32([1, 2]))
    np.testing.assert_array_equal(real, [14.5, 26.5])
    np.testing.assert_array_equal(stored, [1, -2])
    assert (real.dtype, stored.dtype) == (np.float32, np.int8)


def test_observers_see_every_result(interpreter):
    seen = []
    interpreter.run(
        "main", np.float32([1, 2]), observe=lambda op, results: seen.append(op.operation.name)
    )
    assert seen == [
        "arith.constant",
        "ml_program.global_load_const",
        "ml_program.global_load",
        "tte.add",
        "func.call",
        "tte.add",
        "tte.dispatch",
        "tte.add",
    ]


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        ("absent", [], "no symbol @absent"),
        ("double", [], "@double takes 1 arguments, found 0"),
        ("double", [np.zeros(3, np.float32)], r"cannot hold shape \(3,\)"),
        ("unknown", [np.zeros(2, np.float32)], "does not know the op 'arith.addf'"),
        ("grid", [np.int8([0, 101])], r"\[0, 101\] leave the storage range \[-100, 100\]"),
        ("grid", [np.float32([0, 1])], "cannot hold float32"),
    ],
)
def test_errors(interpreter, function, arguments, message):
    with pytest.raises(InterpreterError, match=message):
        interpreter.run(function, *arguments)


def test_an_accumulator_that_overflows_is_an_error():
    module = parse("""
      !x = !quant.uniform<i8:f32, 0.5>
      !w = !quant.uniform<i8<-127:127>:f32:1, {0.5}>
      !b = !quant.uniform<i32:f32:0, {0.25}>
      func.func @f(%x: tensor<1x1x!x>, %w: tensor<1x1x!w>, %b: tensor<1x!b>) -> tensor<1x1x!x> {
        %0 = tte.dense %x weights(%w) bias(%b)
          : (tensor<1x1x!x>, tensor<1x1x!w>, tensor<1x!b>) -> tensor<1x1x!x>
        return %0 : tensor<1x1x!x>
      }""")
    operands = np.int8([[127]]), np.int8([[127]]), np.int32([2**31 - 1])
    with pytest.raises(InterpreterError, match="accumulator"):
        Interpreter(module).run("f", *operands)
