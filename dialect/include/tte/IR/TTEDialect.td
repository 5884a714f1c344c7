// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_DIALECT_TD
#define TTE_DIALECT_TD

include "mlir/IR/OpBase.td"

def TTE_Dialect : Dialect {
  let name = "tte";
  let cppNamespace = "::tte";
  let summary = "Training of neural networks in little memory";
  let description = [{
    The dialect describes a network, its loss, the gradients and the parameter
    updates on statically shaped tensors, and, after memory planning, calls of
    kernels on buffers of one arena.

    Layouts: activations are NHWC, convolution weights HWIO, that is
    (kh, kw, ci / groups, co), dense weights (ci, co), biases (co).

    Element types are `f32` and `!quant.uniform`: x = scale * (q - zero_point).
    Activations are i8 with one scale a tensor; weights are i8<-127:127> with
    zero point 0 and one scale per output channel; biases are i32 with the
    scales s_x * s_w per output channel, and their storage range is the bound
    within which no input can overflow the accumulator.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect",
    "::mlir::ml_program::MLProgramDialect",
    "::mlir::quant::QuantDialect"
  ];
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
}

#endif // TTE_DIALECT_TD
