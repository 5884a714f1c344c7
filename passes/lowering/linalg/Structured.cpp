// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Structured.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"

#include <cmath>

using namespace mlir;
using namespace tte;
using namespace tte::structured;

RankedTensorType structured::typeOf(Value tensor) {
  return cast<RankedTensorType>(tensor.getType());
}

//===----------------------------------------------------------------------===//
// Generic ops
//===----------------------------------------------------------------------===//

Operand structured::along(Value vector, int64_t axis, int64_t rank) {
  MLIRContext *context = vector.getContext();
  return {vector, AffineMap::get(rank, 0, getAffineDimExpr(axis, context), context)};
}

static AffineMap getMap(const Operand &operand, int64_t loops) {
  if (operand.map)
    return operand.map;
  MLIRContext *context = operand.tensor.getContext();
  return typeOf(operand.tensor).getRank() ? AffineMap::getMultiDimIdentityMap(loops, context)
                                          : AffineMap::get(loops, 0, context);
}

/// A generic op; loops that `resultMap` leaves out are reductions. The body sees the elements of
/// the operands and of `initial`.
static Value createGeneric(LocBuilder &builder, Value initial, AffineMap resultMap,
                           ArrayRef<Operand> in, Body body) {
  SmallVector<utils::IteratorType> iterators(resultMap.getNumDims(),
                                             utils::IteratorType::reduction);
  for (AffineExpr expression : resultMap.getResults())
    iterators[cast<AffineDimExpr>(expression).getPosition()] = utils::IteratorType::parallel;
  SmallVector<Value> tensors;
  SmallVector<AffineMap> maps;
  for (const Operand &operand : in) {
    tensors.push_back(operand.tensor);
    maps.push_back(getMap(operand, resultMap.getNumDims()));
  }
  maps.push_back(resultMap);
  auto buildBody = [&](OpBuilder &nested, Location loc, ValueRange elements) {
    LocBuilder inside(loc, nested);
    linalg::YieldOp::create(inside, body(inside, elements));
  };
  return linalg::GenericOp::create(builder, initial.getType(), tensors, initial, maps, iterators,
                                   buildBody)
      .getResult(0);
}

Value structured::mapElements(LocBuilder &builder, RankedTensorType type, ArrayRef<Operand> in,
                              Body body) {
  Value empty = tensor::EmptyOp::create(builder, type.getShape(), type.getElementType());
  AffineMap identity = builder.getMultiDimIdentityMap(type.getRank());
  return createGeneric(builder, empty, identity, in, [&](LocBuilder &inside, ValueRange elements) {
    return body(inside, elements.drop_back());
  });
}

Value structured::reduce(LocBuilder &builder, RankedTensorType type, TypedAttr initial,
                         AffineMap resultMap, ArrayRef<Operand> in, Body body) {
  return createGeneric(builder, fill(builder, type, initial), resultMap, in, body);
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

Value structured::getIndex(LocBuilder &builder, int64_t dimension, Type type) {
  return arith::IndexCastOp::create(builder, type, linalg::IndexOp::create(builder, dimension));
}

TypedAttr structured::getNumber(Type type, double value) {
  if (isa<FloatType>(type))
    return FloatAttr::get(type, value);
  return IntegerAttr::get(type, int64_t(value));
}

Value structured::getConstant(LocBuilder &builder, Type type, double value) {
  return arith::ConstantOp::create(builder, getNumber(type, value));
}

TypedAttr structured::getLowest(Type type) {
  if (isa<FloatType>(type))
    return getNumber(type, -std::numeric_limits<double>::infinity());
  return IntegerAttr::get(type, APInt::getSignedMinValue(type.getIntOrFloatBitWidth()));
}

Value structured::getConstantTensor(LocBuilder &builder, ArrayRef<int64_t> shape,
                                    ArrayRef<float> values) {
  auto type = RankedTensorType::get(shape, builder.getF32Type());
  return arith::ConstantOp::create(builder, DenseElementsAttr::get(type, values));
}

Value structured::getConstantTensor(LocBuilder &builder, ArrayRef<int64_t> shape,
                                    ArrayRef<int32_t> values) {
  auto type = RankedTensorType::get(shape, builder.getI32Type());
  return arith::ConstantOp::create(builder, DenseElementsAttr::get(type, values));
}

Value structured::add(LocBuilder &builder, Value lhs, Value rhs) {
  if (isa<FloatType>(lhs.getType()))
    return arith::AddFOp::create(builder, lhs, rhs);
  return arith::AddIOp::create(builder, lhs, rhs);
}

Value structured::multiply(LocBuilder &builder, Value lhs, Value rhs) {
  if (isa<FloatType>(lhs.getType()))
    return arith::MulFOp::create(builder, lhs, rhs);
  return arith::MulIOp::create(builder, lhs, rhs);
}

Value structured::convert(LocBuilder &builder, Value value, Type type) {
  Type from = value.getType();
  if (from == type)
    return value;
  if (isa<FloatType>(type))
    return arith::SIToFPOp::create(builder, type, value);
  if (isa<FloatType>(from))
    return arith::FPToSIOp::create(builder, type, value);
  if (from.getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
    return arith::ExtSIOp::create(builder, type, value);
  return arith::TruncIOp::create(builder, type, value);
}

Value structured::maximum(LocBuilder &builder, Value lhs, Value rhs) {
  if (isa<FloatType>(lhs.getType()))
    return arith::MaximumFOp::create(builder, lhs, rhs);
  return arith::MaxSIOp::create(builder, lhs, rhs);
}

static Value minimum(LocBuilder &builder, Value lhs, Value rhs) {
  if (isa<FloatType>(lhs.getType()))
    return arith::MinimumFOp::create(builder, lhs, rhs);
  return arith::MinSIOp::create(builder, lhs, rhs);
}

Value structured::isEqual(LocBuilder &builder, Value lhs, Value rhs) {
  if (isa<FloatType>(lhs.getType()))
    return arith::CmpFOp::create(builder, arith::CmpFPredicate::OEQ, lhs, rhs);
  return arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, lhs, rhs);
}

Value structured::clamp(LocBuilder &builder, Value value, double lower, double upper) {
  if (!std::isinf(lower))
    value = maximum(builder, value, getConstant(builder, value.getType(), lower));
  if (!std::isinf(upper))
    value = minimum(builder, value, getConstant(builder, value.getType(), upper));
  return value;
}

static Value isBelow(LocBuilder &builder, Value lhs, Value rhs) {
  if (isa<FloatType>(lhs.getType()))
    return arith::CmpFOp::create(builder, arith::CmpFPredicate::OLT, lhs, rhs);
  return arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, lhs, rhs);
}

Value structured::isInside(LocBuilder &builder, Value value, double lower, double upper) {
  // Bounds of integers may lie outside their type: compare in i32.
  if (isa<IntegerType>(value.getType()))
    value = convert(builder, value, builder.getI32Type());
  auto limit = [&](double bound) {
    if (isa<IntegerType>(value.getType()))
      bound = std::clamp(bound, double(INT32_MIN), double(INT32_MAX));
    return getConstant(builder, value.getType(), bound);
  };
  Value above = isBelow(builder, limit(lower), value);
  Value below = isBelow(builder, value, limit(upper));
  return arith::AndIOp::create(builder, above, below);
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

static SmallVector<OpFoldResult> asIndices(LocBuilder &builder, ArrayRef<int64_t> values) {
  return getAsIndexOpFoldResult(builder.getContext(), values);
}

Value structured::fill(LocBuilder &builder, RankedTensorType type, TypedAttr value) {
  Value empty = tensor::EmptyOp::create(builder, type.getShape(), type.getElementType());
  Value scalar = arith::ConstantOp::create(builder, value);
  return linalg::FillOp::create(builder, scalar, empty).getResult(0);
}

Value structured::reshape(LocBuilder &builder, Value tensor, ArrayRef<int64_t> shape) {
  RankedTensorType from = typeOf(tensor), to = from.clone(shape);
  if (from == to)
    return tensor;
  if (auto groups = getReassociationIndicesForReshape(from, to)) {
    if (from.getRank() > to.getRank())
      return tensor::CollapseShapeOp::create(builder, to, tensor, *groups);
    return tensor::ExpandShapeOp::create(builder, to, tensor, *groups);
  }
  Value flat = reshape(builder, tensor, from.getNumElements());
  return reshape(builder, flat, shape);
}

Value structured::slice(LocBuilder &builder, Value tensor, ArrayRef<int64_t> offsets,
                        ArrayRef<int64_t> shape) {
  if (typeOf(tensor).getShape() == shape)
    return tensor;
  SmallVector<int64_t> strides(shape.size(), 1);
  return tensor::ExtractSliceOp::create(builder, tensor, asIndices(builder, offsets),
                                        asIndices(builder, shape), asIndices(builder, strides));
}

/// Puts `interior` times `value` between neighbours: each element becomes a box of its own, which
/// grows. (A strided `tensor.insert_slice` would do, but IREE 3.13 miscompiles a pad of it.)
static Value spread(LocBuilder &builder, Value tensor, TypedAttr value,
                    ArrayRef<int64_t> interior) {
  if (llvm::all_of(interior, [](int64_t count) { return count == 0; }))
    return tensor;
  SmallVector<int64_t> boxes, low(2 * interior.size(), 0), high, merged, shape;
  for (auto [size, count] : llvm::zip(typeOf(tensor).getShape(), interior)) {
    boxes.append({size, 1});
    high.append({0, count});
    merged.push_back(size * (count + 1));
    shape.push_back(merged.back() - count);
  }
  Value grown = pad(builder, reshape(builder, tensor, boxes), value, low, high);
  SmallVector<int64_t> offsets(interior.size(), 0);
  return slice(builder, reshape(builder, grown, merged), offsets, shape);
}

/// Cuts off as many elements as `low` and `high` say where they are negative.
static Value crop(LocBuilder &builder, Value tensor, ArrayRef<int64_t> low,
                  ArrayRef<int64_t> high) {
  SmallVector<int64_t> offsets, shape;
  for (auto [size, before, after] : llvm::zip(typeOf(tensor).getShape(), low, high)) {
    offsets.push_back(std::max<int64_t>(-before, 0));
    shape.push_back(size - offsets.back() - std::max<int64_t>(-after, 0));
  }
  return slice(builder, tensor, offsets, shape);
}

Value structured::pad(LocBuilder &builder, Value tensor, TypedAttr value, ArrayRef<int64_t> low,
                      ArrayRef<int64_t> high, ArrayRef<int64_t> interior) {
  tensor = crop(builder, spread(builder, tensor, value, interior), low, high);
  auto positive = [](ArrayRef<int64_t> counts) {
    return llvm::map_to_vector(counts, [](int64_t count) { return std::max<int64_t>(count, 0); });
  };
  SmallVector<int64_t> before = positive(low), after = positive(high), shape;
  RankedTensorType type = typeOf(tensor);
  for (auto [size, b, a] : llvm::zip(type.getShape(), before, after))
    shape.push_back(size + b + a);
  if (type.getShape() == ArrayRef(shape))
    return tensor;
  Value scalar = arith::ConstantOp::create(builder, value);
  return tensor::PadOp::create(builder, type.clone(shape), tensor, asIndices(builder, before),
                               asIndices(builder, after), scalar);
}

Value structured::concatenate(LocBuilder &builder, ValueRange tensors, int64_t axis) {
  if (tensors.size() == 1)
    return tensors.front();
  return tensor::ConcatOp::create(builder, axis, tensors);
}
