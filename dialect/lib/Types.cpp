// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tte/IR/TTETypes.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

using namespace mlir;
using mlir::quant::QuantizedType;
using mlir::quant::UniformQuantizedPerAxisType;
using mlir::quant::UniformQuantizedType;

static RankedTensorType asStaticTensor(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape() ? tensor : RankedTensorType();
}

static bool isUniform(Type element) {
  return isa<UniformQuantizedType, UniformQuantizedPerAxisType>(element);
}

bool tte::isFloatTensor(Type type) {
  auto tensor = asStaticTensor(type);
  return tensor && tensor.getElementType().isF32();
}

bool tte::isQuantizedTensor(Type type) {
  auto tensor = asStaticTensor(type);
  return tensor && isUniform(tensor.getElementType());
}

bool tte::isRealTensor(Type type) { return isFloatTensor(type) || isQuantizedTensor(type); }

bool tte::isScalarTensor(Type type, unsigned width, bool isFloat) {
  auto tensor = asStaticTensor(type);
  if (!tensor || tensor.getRank() != 0 || tensor.getElementTypeBitWidth() != width)
    return false;
  return isFloat ? isa<FloatType>(tensor.getElementType())
                 : tensor.getElementType().isSignlessInteger();
}

static bool isVectorOf(Type type, unsigned width) {
  auto tensor = asStaticTensor(type);
  return tensor && tensor.getRank() == 1 && tensor.getElementType().isSignlessInteger(width);
}

bool tte::isLabelTensor(Type type) { return isVectorOf(type, 32); }

bool tte::isBitMaskTensor(Type type) { return isVectorOf(type, 8); }

bool tte::isByteTensor(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape() && tensor.getElementType().isInteger(8);
}

bool tte::isStaticBuffer(Type type) {
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref || !memref.hasStaticShape())
    return false;
  Type element = memref.getElementType();
  return element.isSignlessInteger(8) || element.isSignlessInteger(32) || element.isF32();
}

QuantizedType tte::getQuantizedElement(Type type) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    type = tensor.getElementType();
  return dyn_cast<QuantizedType>(type);
}

ArrayRef<double> tte::getScales(QuantizedType type, SmallVectorImpl<double> &storage) {
  if (auto perAxis = dyn_cast<UniformQuantizedPerAxisType>(type))
    return perAxis.getScales();
  storage.assign(1, cast<UniformQuantizedType>(type).getScale());
  return storage;
}

double tte::getScale(QuantizedType type, int64_t index) {
  if (auto perAxis = dyn_cast<UniformQuantizedPerAxisType>(type))
    return perAxis.getScales()[index];
  return cast<UniformQuantizedType>(type).getScale();
}

int64_t tte::getZeroPoint(Type type) {
  auto uniform = dyn_cast_or_null<UniformQuantizedType>(getQuantizedElement(type));
  return uniform ? uniform.getZeroPoint() : 0;
}

bool tte::isSymmetric(QuantizedType type) {
  if (auto perAxis = dyn_cast<UniformQuantizedPerAxisType>(type))
    return llvm::all_of(perAxis.getZeroPoints(), [](int64_t zero) { return zero == 0; });
  return cast<UniformQuantizedType>(type).getZeroPoint() == 0;
}

int64_t tte::getQuantizedAxis(Type type) {
  auto perAxis = dyn_cast_or_null<UniformQuantizedPerAxisType>(getQuantizedElement(type));
  return perAxis ? perAxis.getQuantizedDimension() : -1;
}

QuantizedType tte::withScales(QuantizedType type, int32_t axis, ArrayRef<double> scales) {
  SmallVector<int64_t> zeroPoints(scales.size(), 0);
  return UniformQuantizedPerAxisType::get(type.getFlags(), type.getStorageType(),
                                          type.getExpressedType(), scales, zeroPoints, axis,
                                          type.getStorageTypeMin(), type.getStorageTypeMax());
}

RankedTensorType tte::getSlicedType(RankedTensorType type, ArrayRef<int64_t> offsets,
                                    ArrayRef<int64_t> shape) {
  Type element = type.getElementType();
  if (auto perAxis = dyn_cast<UniformQuantizedPerAxisType>(element)) {
    int32_t axis = perAxis.getQuantizedDimension();
    element = withScales(perAxis, axis, perAxis.getScales().slice(offsets[axis], shape[axis]));
  }
  return RankedTensorType::get(shape, element);
}

double tte::printableScale(double scale) {
  std::string text;
  llvm::raw_string_ostream(text) << scale;
  return std::strtod(text.c_str(), nullptr);
}

RankedTensorType tte::getStorageTensor(RankedTensorType type) {
  if (QuantizedType quantized = getQuantizedElement(type))
    return type.clone(quantized.getStorageType());
  return type;
}
