// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "KernelBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tte;

int64_t tte::getLanes(Value value) {
  auto vector = dyn_cast<VectorType>(value.getType());
  return vector ? vector.getNumElements() : 1;
}

//===----------------------------------------------------------------------===//
// Indices
//===----------------------------------------------------------------------===//

Value KernelBuilder::materialize(Index index) {
  if (index.base && index.offset == 0)
    return index.base;
  Value constant = arith::ConstantIndexOp::create(builder, loc, index.offset);
  return index.base ? arith::AddIOp::create(builder, loc, index.base, constant) : constant;
}

Index KernelBuilder::add(Index lhs, Index rhs) {
  if (!lhs.base || !rhs.base)
    return Index(lhs.base ? lhs.base : rhs.base, lhs.offset + rhs.offset);
  return Index(arith::AddIOp::create(builder, loc, lhs.base, rhs.base), lhs.offset + rhs.offset);
}

Index KernelBuilder::sub(Index lhs, Index rhs) {
  if (!rhs.base)
    return lhs + -rhs.offset;
  Value left = materialize(Index(lhs.base));
  return Index(arith::SubIOp::create(builder, loc, left, rhs.base), lhs.offset - rhs.offset);
}

Index KernelBuilder::mul(Index lhs, int64_t factor) {
  if (!lhs.base || factor == 1 || factor == 0)
    return Index(factor ? lhs.base : Value(), lhs.offset * factor);
  Value product = arith::MulIOp::create(builder, loc, lhs.base, materialize(factor));
  return Index(product, lhs.offset * factor);
}

Index KernelBuilder::mul(Index lhs, Index rhs) {
  if (rhs.isConstant())
    return mul(lhs, rhs.offset);
  if (lhs.isConstant())
    return mul(rhs, lhs.offset);
  return Index(arith::MulIOp::create(builder, loc, materialize(lhs), materialize(rhs)));
}

Index KernelBuilder::max(Index lhs, Index rhs) {
  if (lhs.isConstant() && rhs.isConstant())
    return std::max(lhs.offset, rhs.offset);
  return Index(arith::MaxSIOp::create(builder, loc, materialize(lhs), materialize(rhs)));
}

Index KernelBuilder::min(Index lhs, Index rhs) {
  if (lhs.isConstant() && rhs.isConstant())
    return std::min(lhs.offset, rhs.offset);
  return Index(arith::MinSIOp::create(builder, loc, materialize(lhs), materialize(rhs)));
}

Index KernelBuilder::floorDiv(Index lhs, int64_t divisor) {
  if (divisor == 1)
    return lhs;
  if (lhs.isConstant())
    return llvm::divideFloorSigned(lhs.offset, divisor);
  return Index(arith::FloorDivSIOp::create(builder, loc, materialize(lhs), materialize(divisor)));
}

Index KernelBuilder::linearize(ArrayRef<Index> indices, ArrayRef<int64_t> shape) {
  Index linear = 0;
  for (auto [index, extent] : llvm::zip_equal(indices, shape))
    linear = add(mul(linear, extent), index);
  return linear;
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

SmallVector<Value> KernelBuilder::loop(Index lower, Index upper, int64_t step, ArrayRef<Value> init,
                                       CarriedBody body) {
  if (lower.isConstant() && upper.isConstant()) {
    if (lower.offset >= upper.offset)
      return SmallVector<Value>(init);
    if (lower.offset + step >= upper.offset)
      return body(lower, init);
  }
  auto loop = scf::ForOp::create(builder, loc, materialize(lower), materialize(upper),
                                 materialize(step), init);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> carried(loop.getRegionIterArgs());
  SmallVector<Value> next = body(Index(loop.getInductionVar()), carried);
  if (!init.empty())
    scf::YieldOp::create(builder, loc, next);
  return SmallVector<Value>(loop.getResults());
}

void KernelBuilder::loop(Index lower, Index upper, int64_t step, function_ref<void(Index)> body) {
  loop(lower, upper, step, {}, [&](Index index, ArrayRef<Value>) {
    body(index);
    return SmallVector<Value>();
  });
}

void KernelBuilder::loopNest(ArrayRef<int64_t> shape, function_ref<void(ArrayRef<Index>)> body) {
  SmallVector<Index> indices;
  std::function<void()> nest = [&] {
    if (indices.size() == shape.size())
      return body(indices);
    loop(0, shape[indices.size()], 1, [&](Index index) {
      indices.push_back(index);
      nest();
      indices.pop_back();
    });
  };
  nest();
}

void KernelBuilder::loopLanes(int64_t extent, int64_t lanes,
                              function_ref<void(Index, int64_t)> body) {
  int64_t vectors = extent / lanes * lanes;
  loop(0, vectors, lanes, [&](Index index) { body(index, lanes); });
  loop(vectors, extent, 1, [&](Index index) { body(index, 1); });
}

void KernelBuilder::loopTiles(int64_t extent, int64_t count, int64_t lanes,
                              function_ref<void(Index, int64_t, int64_t)> body) {
  int64_t tile = count * lanes, tiled = extent / tile * tile;
  loop(0, tiled, tile, [&](Index index) { body(index, count, lanes); });
  int64_t vectors = (extent - tiled) / lanes;
  if (vectors)
    body(tiled, vectors, lanes);
  for (int64_t done = tiled + vectors * lanes; done < extent; done += count)
    body(done, std::min(count, extent - done), 1);
}

SmallVector<Value> KernelBuilder::loopUnrolled(int64_t length, int64_t unroll, ArrayRef<Value> init,
                                               CarriedBody step) {
  auto run = [&](Index begin, int64_t steps, ArrayRef<Value> carried) {
    SmallVector<Value> values(carried);
    for (int64_t i = 0; i < steps; ++i)
      values = step(begin + i, values);
    return values;
  };
  int64_t whole = length / unroll * unroll;
  SmallVector<Value> values =
      loop(0, whole, unroll, init,
           [&](Index begin, ArrayRef<Value> carried) { return run(begin, unroll, carried); });
  return run(whole, length - whole, values);
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

Type KernelBuilder::laneType(Type element, int64_t lanes) {
  return lanes == 1 ? element : VectorType::get({lanes}, element);
}

static Value constant(KernelBuilder &kernel, TypedAttr value, int64_t lanes) {
  Type type = kernel.laneType(value.getType(), lanes);
  if (lanes > 1)
    value = DenseElementsAttr::get(cast<ShapedType>(type), Attribute(value));
  return arith::ConstantOp::create(kernel.builder, kernel.loc, value);
}

Value KernelBuilder::i32(int64_t value, int64_t lanes) {
  return constant(*this, builder.getI32IntegerAttr(int32_t(value)), lanes);
}

Value KernelBuilder::f32(float value, int64_t lanes) {
  return constant(*this, builder.getF32FloatAttr(value), lanes);
}

Value KernelBuilder::splat(Value scalar, int64_t lanes) {
  if (lanes == 1)
    return scalar;
  return vector::BroadcastOp::create(builder, loc, laneType(scalar.getType(), lanes), scalar);
}

static Type elementOf(Value buffer) { return cast<MemRefType>(buffer.getType()).getElementType(); }

Value KernelBuilder::loadStored(Value buffer, Index index, int64_t lanes) {
  Value position = materialize(index);
  if (lanes == 1)
    return memref::LoadOp::create(builder, loc, buffer, position);
  return vector::LoadOp::create(builder, loc, cast<VectorType>(laneType(elementOf(buffer), lanes)),
                                buffer, position);
}

static Value extend(KernelBuilder &kernel, Value stored) {
  if (!getElementTypeOrSelf(stored).isInteger(8))
    return stored;
  Type type = kernel.laneType(kernel.builder.getI32Type(), getLanes(stored));
  return arith::ExtSIOp::create(kernel.builder, kernel.loc, type, stored);
}

Value KernelBuilder::load(Value buffer, Index index, int64_t lanes) {
  return extend(*this, loadStored(buffer, index, lanes));
}

Value KernelBuilder::loadPacked(Value buffer, Index index, unsigned bits) {
  Type pointerType = LLVM::LLVMPointerType::get(builder.getContext());
  auto toWord = [&](Value value) -> Value {
    return arith::IndexCastOp::create(builder, loc, builder.getI64Type(), value);
  };
  Value address = memref::ExtractAlignedPointerAsIndexOp::create(builder, loc, buffer);
  Value pointer = LLVM::IntToPtrOp::create(builder, loc, pointerType, toWord(address));
  if (index.base)
    pointer = LLVM::GEPOp::create(builder, loc, pointerType, builder.getI8Type(), pointer,
                                  ArrayRef<LLVM::GEPArg>{toWord(index.base)});
  if (index.offset)
    pointer = LLVM::GEPOp::create(builder, loc, pointerType, builder.getI8Type(), pointer,
                                  ArrayRef<LLVM::GEPArg>{int32_t(index.offset)});
  Value packed = LLVM::LoadOp::create(builder, loc, builder.getIntegerType(bits), pointer,
                                      /*alignment=*/1);
  if (bits == 32)
    return packed;
  return arith::ExtUIOp::create(builder, loc, builder.getI32Type(), packed);
}

Value KernelBuilder::loadStrided(Value buffer, Index index, int64_t stride, int64_t lanes) {
  if (lanes == 1 || stride == 1)
    return load(buffer, index, lanes);
  return extend(*this, fromLanes(lanes, [&](int64_t lane) {
    return loadStored(buffer, index + lane * stride);
  }));
}

void KernelBuilder::store(Value value, Value buffer, Index index) {
  Type element = elementOf(buffer);
  int64_t lanes = getLanes(value);
  if (element.isInteger(8))
    value = arith::TruncIOp::create(builder, loc, laneType(element, lanes), value);
  Value position = materialize(index);
  if (lanes == 1)
    memref::StoreOp::create(builder, loc, value, buffer, position);
  else
    vector::StoreOp::create(builder, loc, value, buffer, position);
}

Value KernelBuilder::fromLanes(int64_t lanes, function_ref<Value(int64_t)> scalar) {
  if (lanes == 1)
    return scalar(0);
  SmallVector<Value> elements;
  for (int64_t lane = 0; lane < lanes; ++lane)
    elements.push_back(scalar(lane));
  auto type = cast<VectorType>(laneType(elements.front().getType(), lanes));
  return vector::FromElementsOp::create(builder, loc, type, elements);
}

Value KernelBuilder::toFloat(Value integer) {
  return arith::SIToFPOp::create(builder, loc, laneType(builder.getF32Type(), getLanes(integer)),
                                 integer);
}

Value KernelBuilder::toInteger(Value real) {
  return arith::FPToSIOp::create(builder, loc, laneType(builder.getI32Type(), getLanes(real)),
                                 real);
}

Value KernelBuilder::multiplyAdd(Value lhs, Value rhs, Value sum) {
  if (isa<FloatType>(getElementTypeOrSelf(lhs)))
    return math::FmaOp::create(builder, loc, lhs, rhs, sum);
  Value product = arith::MulIOp::create(builder, loc, lhs, rhs);
  return arith::AddIOp::create(builder, loc, product, sum);
}

Value KernelBuilder::roundedProduct(Value lhs, Value rhs) {
  return math::FmaOp::create(builder, loc, lhs, rhs, f32(0, getLanes(lhs)));
}

Value KernelBuilder::armIntrinsic(StringRef name, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(builder, loc, builder.getI32Type(),
                                       builder.getStringAttr("llvm.arm." + name), operands)
      .getResults();
}

Value KernelBuilder::roundHalfEven(Value real) {
  // Unlike math.roundeven, the intrinsic is one instruction on every target.
  return LLVM::RoundEvenOp::create(builder, loc, real);
}

Value KernelBuilder::clamp(Value value, std::optional<double> lower, std::optional<double> upper) {
  bool isFloat = isa<FloatType>(getElementTypeOrSelf(value));
  int64_t lanes = getLanes(value);
  auto bound = [&](double limit) { return isFloat ? f32(limit, lanes) : i32(limit, lanes); };
  if (lower)
    value = isFloat ? Value(arith::MaxNumFOp::create(builder, loc, value, bound(*lower)))
                    : Value(arith::MaxSIOp::create(builder, loc, value, bound(*lower)));
  if (upper)
    value = isFloat ? Value(arith::MinNumFOp::create(builder, loc, value, bound(*upper)))
                    : Value(arith::MinSIOp::create(builder, loc, value, bound(*upper)));
  return value;
}
