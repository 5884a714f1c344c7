// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_PASSES_LOWERING_TD
#define TTE_PASSES_LOWERING_TD

include "mlir/Pass/PassBase.td"

def LowerKernels : Pass<"tte-lower-kernels", "::mlir::ModuleOp"> {
  let summary = "Turn tte.kernel into functions of loops, vectors and memory accesses";
  let description = [{
    Each `tte.kernel` of a nested module becomes a `func.func` of scf, arith,
    math, vector and memref on flat memrefs of storage elements, in the order
    of `tte.call`: inputs, tables, scratch, outputs. All buffers start at a
    multiple of 4 bytes.

    What depends on scales (requantization multipliers and shifts, factors of
    gradients and updates) becomes constants in at most one table of i32, one of
    f32 and one of i8, new globals which each call passes as `tables`. Kernels of equal
    shape thus become equal functions, and one of them is kept.

    f32 sums have one accumulator for each output, in the order that the ops
    describe, by fused multiply-adds. Vectors run across outputs, never along
    a sum: every vector width gives the same bits.

    ```mlir
    tte.call @kernels::@k ins(%x : memref<4xf32>) outs(%y : memref<4xf32>)
      layer "act" phase forward macs 0
    module @kernels {
      tte.kernel @k plain {
      ^bb0(%x: tensor<4xf32>):
        %0 = tte.clamp %x <0.0, 6.0> : tensor<4xf32>
        tte.yield %0 : tensor<4xf32>
      }
    }
    ```

    The kernel becomes `func.func @k(%x: memref<4xf32>, %y: memref<4xf32>)`.
  }];
  let options = [
    Option<"vectorWidth", "vector-width", "int64_t", /*default=*/"1",
           "f32 lanes of a vector register; 1 where there are none">,
    Option<"dsp", "dsp", "bool", /*default=*/"false",
           "use the DSP instructions of Armv7E-M (smlad, sxtab16)">
  ];
}

def ShareKernels : Pass<"tte-share-kernels", "::mlir::ModuleOp"> {
  let summary = "Make one function of kernels that differ in sizes alone";
  let description = [{
    Lowered kernels whose functions are equal but for integer constants, constant
    distances of pointers and the sizes of their buffers become one function. What
    differs becomes i32 arguments behind the buffers, which each `tte.call` passes
    as its attribute `tte.constants` (an array of i32); equal columns of constants
    are one argument. Buffers get the size of the largest.

    Amounts of shifts, divisors and widths of saturation stay in the code: kernels
    that differ in them are not of one form, and neither are kernels that call
    others or make buffers. Kernels with a distance that differs in more than one
    of 20 ops stay apart: an access takes a constant for nothing, an argument for
    an instruction.

    ```
    func.func @short(%x: memref<8xf32>) { %c8 = arith.constant 8 : index ... }
    func.func @long(%x: memref<20xf32>) { %c20 = arith.constant 20 : index ... }
    ```

    leaves `func.func @short(%x: memref<20xf32>, %size: i32)`, and their calls pass 8
    and 20.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def ExpandFloat : Pass<"tte-expand-float"> {
  let summary = "Replace f32 operations that the target has no instructions for";
  let description = [{
    For lowered kernels on floating-point units before Arm's FPv5: minimum and
    maximum (`arith.maxnumf`, `arith.minnumf`), `math.floor` and
    `llvm.intr.roundeven` become comparisons, conversions and additions, where
    the code generator would call libm. The results are the same, but for the
    sign of a zero.

    ```mlir
    %0 = arith.maxnumf %x, %zero : f32
    ```

    becomes `arith.cmpf ogt` and `arith.select`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect"];
}

def ExportHAL : Pass<"tte-export-hal", "::mlir::ModuleOp"> {
  let summary = "Wrap each function of @kernels as an IREE executable";
  let description = [{
    Leaves a `hal.executable.source` for each public function of the nested
    module @kernels, in their order and with their names. It holds the function,
    called `kernel`, as its one export, whose bindings are the arguments, and
    the private functions that it calls: kernels compile and are cached each by
    itself. `iree-compile --compile-mode=hal-executable` takes each of them,
    printed in the generic form. The context must allow unregistered dialects.
  }];
}

def LowerToLinalg : Pass<"tte-lower-to-linalg", "::mlir::ModuleOp"> {
  let summary = "Lower a network and its training step to linalg, for whole-program IREE";
  let description = [{
    The route to everything bigger than a microcontroller: functions of `tte`
    ops become functions of linalg, arith, math and tensor ops on tensors of
    storage types (i8, i32, f32), which `iree-compile` takes in generic form.
    State stays arguments and results, parameters stay `ml_program.global`s,
    dispatches are inlined, scales become constants.

    Integers are exact: the forward pass of a quantized network has the bits of
    every other target. Sums in f32 may be reordered by what compiles them.
    `tte.check_finite` becomes a `cf.assert`; the state is a value, so a failed
    step leaves the caller's alone.

    ```mlir
    %0 = tte.add %a, %b clamp <0.0, inf> : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    ```

    becomes a `linalg.generic` of `arith.addf` and `arith.maximumf`. Ops of a
    planned program (`tte.call`, `tte.subspan`, ...) have no lowering here.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::cf::ControlFlowDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

#endif // TTE_PASSES_LOWERING_TD
