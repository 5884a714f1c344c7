// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_OP_BASE_TD
#define TTE_OP_BASE_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "tte/IR/TTEAttributes.td"
include "tte/IR/TTEInterfaces.td"

class TTE_Op<string mnemonic, list<Trait> traits = []>
    : Op<TTE_Dialect, mnemonic, traits>;

/// i64 that C++ sees as signed.
def TTE_Int64Attr : TypedSignlessIntegerAttrBase<I64, "int64_t", "64-bit signless integer">;

/// Statically shaped tensors of f32 or of a quantized type.
def TTE_Tensor : Type<CPred<"::tte::isRealTensor($_self)">,
    "statically shaped tensor of f32 or !quant.uniform", "::mlir::RankedTensorType">;
def TTE_FloatTensor : Type<CPred<"::tte::isFloatTensor($_self)">,
    "statically shaped tensor of f32", "::mlir::RankedTensorType">;
def TTE_QuantTensor : Type<CPred<"::tte::isQuantizedTensor($_self)">,
    "statically shaped tensor of !quant.uniform", "::mlir::RankedTensorType">;
def TTE_ScalarFloat : Type<CPred<"::tte::isScalarTensor($_self, 32, true)">,
    "tensor<f32>", "::mlir::RankedTensorType">;
def TTE_ScalarInt : Type<CPred<"::tte::isScalarTensor($_self, 32, false)">,
    "tensor<i32>", "::mlir::RankedTensorType">;
def TTE_Labels : Type<CPred<"::tte::isLabelTensor($_self)">,
    "one-dimensional tensor of i32", "::mlir::RankedTensorType">;
def TTE_BitMask : Type<CPred<"::tte::isBitMaskTensor($_self)">,
    "one-dimensional tensor of i8", "::mlir::RankedTensorType">;
def TTE_LowBits : Type<CPred<"::tte::isByteTensor($_self)">,
    "statically shaped tensor of i8", "::mlir::RankedTensorType">;
def TTE_StaticBuffer : Type<CPred<"::tte::isStaticBuffer($_self)">,
    "statically shaped memref of i8, i32 or f32", "::mlir::MemRefType">;

#endif // TTE_OP_BASE_TD
