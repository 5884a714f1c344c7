// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "DSPBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace tte;

Value DSPBuilder::pointerTo(Place place) {
  return materialize(kernel, getPointer(kernel, place.buffer, place.element));
}

Value DSPBuilder::advance(Value pointer, int64_t bytes) {
  return materialize(kernel, Pointer(pointer, bytes));
}

Value DSPBuilder::advance(Value pointer, Index bytes) {
  return materialize(kernel, tte::advance(kernel, pointer, bytes));
}

Value DSPBuilder::load(Type type, Value pointer, int64_t offset, unsigned alignment) {
  return loadAt(kernel, type, Pointer(pointer, offset), Order::AsWritten, alignment);
}

Value DSPBuilder::loadWord(Value pointer, int64_t offset) {
  return load(builder.getI32Type(), pointer, offset, 4);
}

std::pair<Value, Value> DSPBuilder::loadWords(Value pointer, int64_t offset) {
  Value words = load(builder.getI64Type(), pointer, offset, 4);
  Value bits = arith::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(32));
  Value high = arith::ShRUIOp::create(builder, loc, words, bits);
  Type word = builder.getI32Type();
  return {arith::TruncIOp::create(builder, loc, word, words),
          arith::TruncIOp::create(builder, loc, word, high)};
}

Value DSPBuilder::loadUnalignedWord(Value pointer, int64_t offset) {
  return load(builder.getI32Type(), pointer, offset, 1);
}

Value DSPBuilder::loadByte(Value pointer, int64_t offset) {
  return arith::ExtSIOp::create(builder, loc, builder.getI32Type(),
                                load(builder.getI8Type(), pointer, offset, 1));
}

Value DSPBuilder::loadBytePair(Value pointer, int64_t offset) {
  return arith::ExtUIOp::create(builder, loc, builder.getI32Type(),
                                load(builder.getI16Type(), pointer, offset, 1));
}

void DSPBuilder::store(Value value, unsigned bits, Value pointer, int64_t offset,
                       unsigned alignment) {
  if (bits < 32)
    value = arith::TruncIOp::create(builder, loc, builder.getIntegerType(bits), value);
  storeAt(kernel, value, Pointer(pointer, offset), alignment);
}

void DSPBuilder::storeWord(Value value, Value pointer, int64_t offset) {
  store(value, 32, pointer, offset);
}
void DSPBuilder::storeUnalignedWord(Value value, Value pointer, int64_t offset) {
  store(value, 32, pointer, offset, 1);
}
void DSPBuilder::storeHalf(Value value, Value pointer, int64_t offset) {
  store(value, 16, pointer, offset);
}
void DSPBuilder::storeByte(Value value, Value pointer, int64_t offset) {
  store(value, 8, pointer, offset);
}

SmallVector<Value> DSPBuilder::loop(Value pointer, int64_t bytes, int64_t step,
                                    ArrayRef<Value> init,
                                    function_ref<SmallVector<Value>(Value, ArrayRef<Value>)> body) {
  assert(bytes > 0 && bytes % step == 0 && "a loop over pointers meets its end");
  if (bytes == step)
    return body(pointer, init);
  SmallVector<Value> pointers{pointer};
  return loopPointers(kernel, getEnd(kernel, pointer, bytes), pointers, init,
                      [&](MutableArrayRef<Value> pointers, ArrayRef<Value> carried) {
                        SmallVector<Value> next = body(pointers[0], carried);
                        pointers[0] = advance(pointers[0], step);
                        return next;
                      });
}

Value DSPBuilder::pack(Value low, Value high) {
  Value mask = kernel.i32(0xffff);
  low = arith::AndIOp::create(builder, loc, low, mask);
  high = arith::ShLIOp::create(builder, loc, high, kernel.i32(16));
  return arith::OrIOp::create(builder, loc, low, high);
}

Value DSPBuilder::rotate(Value word, int64_t bits) {
  Value amount = kernel.i32(bits);
  return LLVM::FshrOp::create(builder, loc, word, word, amount);
}

Value DSPBuilder::widenEven(Value word, Value addend) {
  return addend ? kernel.armIntrinsic("sxtab16", {addend, word})
                : kernel.armIntrinsic("sxtb16", word);
}

Value DSPBuilder::widenOdd(Value word, Value addend) { return widenEven(rotate(word, 8), addend); }

Value DSPBuilder::splatHalves(int64_t value) {
  uint32_t half = uint32_t(value) & 0xffff;
  return kernel.i32(int32_t(half << 16 | half));
}
