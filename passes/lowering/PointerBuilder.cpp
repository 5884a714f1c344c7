// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "PointerBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tte;

static Type getPointerType(OpBuilder &builder) {
  return LLVM::LLVMPointerType::get(builder.getContext());
}

Value PointerBuilder::pointerTo(Place place) {
  Value address = memref::ExtractAlignedPointerAsIndexOp::create(builder, loc, place.buffer);
  address = arith::IndexCastOp::create(builder, loc, builder.getI32Type(), address);
  Value pointer = LLVM::IntToPtrOp::create(builder, loc, getPointerType(builder), address);
  auto type = cast<MemRefType>(place.buffer.getType());
  return advance(pointer, kernel.mul(place.element, type.getElementTypeBitWidth() / 8));
}

Value PointerBuilder::advance(Value pointer, int64_t bytes) {
  if (bytes == 0)
    return pointer;
  return LLVM::GEPOp::create(builder, loc, getPointerType(builder), builder.getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{int32_t(bytes)},
                             LLVM::GEPNoWrapFlags::inbounds);
}

Value PointerBuilder::advance(Value pointer, Index bytes) {
  if (bytes.base) {
    Value distance = arith::IndexCastOp::create(builder, loc, builder.getI32Type(), bytes.base);
    pointer =
        LLVM::GEPOp::create(builder, loc, getPointerType(builder), builder.getI8Type(), pointer,
                            ArrayRef<LLVM::GEPArg>{distance}, LLVM::GEPNoWrapFlags::inbounds);
  }
  return advance(pointer, bytes.offset);
}

Value PointerBuilder::load(Type type, Value pointer, int64_t offset, unsigned alignment) {
  return LLVM::LoadOp::create(builder, loc, type, advance(pointer, offset), alignment,
                              /*isVolatile=*/true);
}

Value PointerBuilder::loadWord(Value pointer, int64_t offset) {
  return load(builder.getI32Type(), pointer, offset, 4);
}

std::pair<Value, Value> PointerBuilder::loadWords(Value pointer, int64_t offset) {
  Value words = load(builder.getI64Type(), pointer, offset, 4);
  Value bits = arith::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(32));
  Value high = arith::ShRUIOp::create(builder, loc, words, bits);
  Type word = builder.getI32Type();
  return {arith::TruncIOp::create(builder, loc, word, words),
          arith::TruncIOp::create(builder, loc, word, high)};
}

Value PointerBuilder::loadUnalignedWord(Value pointer, int64_t offset) {
  return load(builder.getI32Type(), pointer, offset, 1);
}

Value PointerBuilder::loadByte(Value pointer, int64_t offset) {
  return arith::ExtSIOp::create(builder, loc, builder.getI32Type(),
                                load(builder.getI8Type(), pointer, offset, 1));
}

Value PointerBuilder::loadBytePair(Value pointer, int64_t offset) {
  return arith::ExtUIOp::create(builder, loc, builder.getI32Type(),
                                load(builder.getI16Type(), pointer, offset, 1));
}

void PointerBuilder::store(Value value, unsigned bits, Value pointer, int64_t offset,
                           unsigned alignment) {
  if (bits < 32)
    value = arith::TruncIOp::create(builder, loc, builder.getIntegerType(bits), value);
  LLVM::StoreOp::create(builder, loc, value, advance(pointer, offset), alignment);
}

void PointerBuilder::storeWord(Value value, Value pointer, int64_t offset) {
  store(value, 32, pointer, offset, 4);
}
void PointerBuilder::storeUnalignedWord(Value value, Value pointer, int64_t offset) {
  store(value, 32, pointer, offset, 1);
}
void PointerBuilder::storeHalf(Value value, Value pointer, int64_t offset) {
  store(value, 16, pointer, offset, 2);
}
void PointerBuilder::storeByte(Value value, Value pointer, int64_t offset) {
  store(value, 8, pointer, offset, 1);
}

SmallVector<Value>
PointerBuilder::loop(Value pointer, int64_t bytes, int64_t step, ArrayRef<Value> init,
                     function_ref<SmallVector<Value>(Value, ArrayRef<Value>)> body) {
  assert(bytes > 0 && bytes % step == 0 && "a loop over pointers meets its end");
  if (bytes == step)
    return body(pointer, init);
  // Laundered, so that the end is one register and not an offset from the pointer.
  Value end = LLVM::LaunderInvariantGroupOp::create(builder, loc, advance(pointer, bytes));
  SmallVector<Value> operands{pointer};
  llvm::append_range(operands, init);
  auto condition = [&](OpBuilder &, Location, ValueRange arguments) {
    SmallVector<Value> carried(arguments.drop_front());
    SmallVector<Value> next{Value()};
    llvm::append_range(next, body(arguments.front(), carried));
    next.front() = advance(arguments.front(), step);
    Value goesOn = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::ne, next.front(), end);
    scf::ConditionOp::create(builder, loc, goesOn, next);
  };
  auto pass = [&](OpBuilder &, Location, ValueRange arguments) {
    scf::YieldOp::create(builder, loc, arguments);
  };
  auto loop = scf::WhileOp::create(builder, loc, ValueRange(operands).getTypes(), operands,
                                   condition, pass);
  return SmallVector<Value>(loop.getResults().drop_front());
}

Value PointerBuilder::pack(Value low, Value high) {
  Value mask = kernel.i32(0xffff);
  low = arith::AndIOp::create(builder, loc, low, mask);
  high = arith::ShLIOp::create(builder, loc, high, kernel.i32(16));
  return arith::OrIOp::create(builder, loc, low, high);
}

Value PointerBuilder::rotate(Value word, int64_t bits) {
  Value amount = kernel.i32(bits);
  return LLVM::FshrOp::create(builder, loc, word, word, amount);
}

Value PointerBuilder::widenEven(Value word, Value addend) {
  return addend ? kernel.armIntrinsic("sxtab16", {addend, word})
                : kernel.armIntrinsic("sxtb16", word);
}

Value PointerBuilder::widenOdd(Value word, Value addend) {
  return widenEven(rotate(word, 8), addend);
}

Value PointerBuilder::splatHalves(int64_t value) {
  uint32_t half = uint32_t(value) & 0xffff;
  return kernel.i32(int32_t(half << 16 | half));
}
