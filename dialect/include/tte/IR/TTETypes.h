// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the dialect asks of tensor types: shapes, quantization, storage.
#ifndef TTE_IR_TTETYPES_H
#define TTE_IR_TTETYPES_H

#include "mlir/Dialect/Quant/IR/QuantTypes.h"
#include "mlir/IR/BuiltinTypes.h"

namespace tte {

/// Statically shaped tensor of f32 or of a quantized type.
bool isRealTensor(mlir::Type type);
/// Statically shaped tensor of f32.
bool isFloatTensor(mlir::Type type);
/// Statically shaped tensor of `!quant.uniform`.
bool isQuantizedTensor(mlir::Type type);
/// Zero-dimensional tensor of a float or signless integer of `width` bits.
bool isScalarTensor(mlir::Type type, unsigned width, bool isFloat);
/// One-dimensional tensor of i32.
bool isLabelTensor(mlir::Type type);
/// One-dimensional tensor of i8.
bool isBitMaskTensor(mlir::Type type);
/// Statically shaped tensor of i8.
bool isByteTensor(mlir::Type type);
/// Statically shaped memref of i8, i32 or f32.
bool isStaticBuffer(mlir::Type type);

/// The quantized element type of `type`, a tensor or an element type; null for others.
mlir::quant::QuantizedType getQuantizedElement(mlir::Type type);

/// The scales of a quantized element type: one per tensor, or one per channel of its axis.
llvm::ArrayRef<double> getScales(mlir::quant::QuantizedType type,
                                 llvm::SmallVectorImpl<double> &storage);
/// The scale of channel `index`; the one scale of a type quantized per tensor.
double getScale(mlir::quant::QuantizedType type, int64_t index);
/// The zero point of a type quantized per tensor; 0 for one per axis and for f32.
int64_t getZeroPoint(mlir::Type type);
/// Whether every zero point of the type is 0.
bool isSymmetric(mlir::quant::QuantizedType type);
/// The axis of a type quantized per axis, or -1.
int64_t getQuantizedAxis(mlir::Type type);
/// `type` with the axis `axis` and the given scales, storage unchanged.
mlir::quant::QuantizedType withScales(mlir::quant::QuantizedType type, int32_t axis,
                                      llvm::ArrayRef<double> scales);

/// The type of a box of a tensor of type `type` at `offsets` with `shape`: along its axis a
/// quantized type keeps the scales of the channels in the box.
mlir::RankedTensorType getSlicedType(mlir::RankedTensorType type, llvm::ArrayRef<int64_t> offsets,
                                     llvm::ArrayRef<int64_t> shape);

/// `scale` as its printed form reads back: quantized types print seven digits, so
/// whoever makes a type rounds its scales with this, and text loses nothing.
double printableScale(double scale);

/// The tensor as it is stored: elements i8, i32 or f32 of the same shape.
mlir::RankedTensorType getStorageTensor(mlir::RankedTensorType type);

} // namespace tte

#endif // TTE_IR_TTETYPES_H
