// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Pointers.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tte;

static Type getPointerType(KernelBuilder &kernel) {
  return LLVM::LLVMPointerType::get(kernel.builder.getContext());
}

static Value toWord(KernelBuilder &kernel, Value index) {
  return arith::IndexCastOp::create(kernel.builder, kernel.loc, kernel.builder.getI64Type(), index);
}

static Value addBytes(KernelBuilder &kernel, Value base, LLVM::GEPArg bytes) {
  return LLVM::GEPOp::create(kernel.builder, kernel.loc, getPointerType(kernel),
                             kernel.builder.getI8Type(), base, ArrayRef(bytes));
}

Pointer tte::getPointer(KernelBuilder &kernel, Value buffer, Index index) {
  Value address =
      memref::ExtractAlignedPointerAsIndexOp::create(kernel.builder, kernel.loc, buffer);
  Pointer pointer(LLVM::IntToPtrOp::create(kernel.builder, kernel.loc, getPointerType(kernel),
                                           toWord(kernel, address)));
  unsigned bits = cast<MemRefType>(buffer.getType()).getElementTypeBitWidth();
  return advance(kernel, pointer, kernel.mul(index, bits / 8));
}

Pointer tte::advance(KernelBuilder &kernel, Pointer pointer, Index bytes) {
  if (bytes.base)
    pointer.base = addBytes(kernel, pointer.base, toWord(kernel, bytes.base));
  return pointer + bytes.offset;
}

Value tte::materialize(KernelBuilder &kernel, Pointer pointer) {
  return pointer.offset ? addBytes(kernel, pointer.base, int32_t(pointer.offset)) : pointer.base;
}

/// Vectors lie at multiples of the size of their element.
static unsigned getAlignment(Type type) {
  return std::max(1u, getElementTypeOrSelf(type).getIntOrFloatBitWidth() / 8);
}

Value tte::loadAt(KernelBuilder &kernel, Type type, Pointer pointer, Order order,
                  unsigned alignment) {
  return LLVM::LoadOp::create(kernel.builder, kernel.loc, type, materialize(kernel, pointer),
                              alignment ? alignment : getAlignment(type),
                              /*isVolatile=*/order == Order::AsWritten);
}

void tte::storeAt(KernelBuilder &kernel, Value value, Pointer pointer, unsigned alignment) {
  LLVM::StoreOp::create(kernel.builder, kernel.loc, value, materialize(kernel, pointer),
                        alignment ? alignment : getAlignment(value.getType()));
}

/// vldmia: no pattern of the code generator gives loads consecutive registers. The registers are
/// the last ones but `inUse`: the code generator gives the first ones to accumulators.
static SmallVector<Value> loadMultiple(KernelBuilder &kernel, Value pointer, int64_t count,
                                       int64_t inUse, bool advances) {
  OpBuilder &builder = kernel.builder;
  std::string registers, constraints;
  for (int64_t i = 0; i < count; ++i) {
    std::string name = "s" + std::to_string(32 - inUse - count + i);
    registers += (i ? ", " : "") + name;
    constraints += "={" + name + "},";
  }
  std::string address = std::to_string(count);
  SmallVector<Type> types(count, builder.getF32Type());
  constraints += advances ? "=r," + address : "r";
  if (advances)
    types.push_back(getPointerType(kernel));
  std::string code = "vldmia $" + address + (advances ? "!" : "") + ", {" + registers + "}";
  auto result = LLVM::LLVMStructType::getLiteral(builder.getContext(), types);
  Value loaded = LLVM::InlineAsmOp::create(
                     builder, kernel.loc, result, ValueRange(pointer), code, constraints,
                     /*has_side_effects=*/true, /*is_align_stack=*/false, LLVM::TailCallKind::None,
                     LLVM::AsmDialectAttr(), /*operand_attrs=*/ArrayAttr())
                     .getResult(0);
  SmallVector<Value> values;
  for (size_t i = 0; i < types.size(); ++i)
    values.push_back(LLVM::ExtractValueOp::create(builder, kernel.loc, loaded, i));
  return values;
}

SmallVector<Value> tte::loadReals(KernelBuilder &kernel, Pointer pointer, int64_t count,
                                  int64_t inUse) {
  // One register has no consecutive ones: an ordinary load is as short and has an offset.
  if (kernel.target.hasLoadMultiple() && count > 1)
    return loadMultiple(kernel, materialize(kernel, pointer), count, inUse, /*advances=*/false);
  SmallVector<Value> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(loadAt(kernel, kernel.builder.getF32Type(),
                            pointer + i * int64_t(sizeof(float)), Order::AsWritten));
  return values;
}

SmallVector<Value> tte::loadRealsAndAdvance(KernelBuilder &kernel, Value &pointer, int64_t count,
                                            int64_t inUse) {
  SmallVector<Value> values;
  if (kernel.target.hasLoadMultiple()) {
    values = loadMultiple(kernel, pointer, count, inUse, /*advances=*/true);
    pointer = values.pop_back_val();
  } else {
    values = loadReals(kernel, pointer, count);
    pointer = materialize(kernel, Pointer(pointer, count * int64_t(sizeof(float))));
  }
  return values;
}

void tte::loadRow(KernelBuilder &kernel, Value &pointer, int64_t count, int64_t lanes,
                  int64_t rowBytes, function_ref<void(int64_t, Value)> body) {
  int64_t vectorBytes = lanes * int64_t(sizeof(float));
  if (lanes == 1) {
    for (int64_t begin = 0; begin < count; begin += loadedTogether) {
      int64_t loaded = std::min(loadedTogether, count - begin);
      for (auto [i, value] : llvm::enumerate(loadRealsAndAdvance(kernel, pointer, loaded)))
        body(begin + i, value);
    }
    pointer = materialize(kernel, Pointer(pointer, rowBytes - count * vectorBytes));
    return;
  }
  Type type = kernel.laneType(kernel.builder.getF32Type(), lanes);
  for (int64_t i = 0; i < count; ++i)
    body(i, loadAt(kernel, type, Pointer(pointer, i * vectorBytes)));
  pointer = materialize(kernel, Pointer(pointer, rowBytes));
}

void tte::storeRealsAndAdvance(KernelBuilder &kernel, ArrayRef<Value> values, Value &pointer) {
  OpBuilder &builder = kernel.builder;
  int64_t count = values.size();
  if (!kernel.target.hasLoadMultiple() || count == 1) {
    for (auto [i, value] : llvm::enumerate(values))
      storeAt(kernel, value, Pointer(pointer, i * int64_t(sizeof(float))));
    pointer = materialize(kernel, Pointer(pointer, count * int64_t(sizeof(float))));
    return;
  }
  std::string registers, constraints = "=r";
  for (int64_t i = 0; i < count; ++i) {
    std::string name = "s" + std::to_string(i);
    registers += (i ? ", " : "") + name;
    constraints += ",{" + name + "}";
  }
  SmallVector<Value> operands(values);
  operands.push_back(pointer);
  pointer = LLVM::InlineAsmOp::create(
                builder, kernel.loc, getPointerType(kernel), operands,
                "vstmia $0!, {" + registers + "}", constraints + ",0,~{memory}",
                /*has_side_effects=*/true, /*is_align_stack=*/false, LLVM::TailCallKind::None,
                LLVM::AsmDialectAttr(), /*operand_attrs=*/ArrayAttr())
                .getResult(0);
}

/// vmov takes two integers at a time, and vstmia all of them: code generators form neither.
static Value storeConverted(KernelBuilder &kernel, ArrayRef<Value> integers, Value pointer) {
  OpBuilder &builder = kernel.builder;
  int64_t count = integers.size();
  std::string code, registers, clobbers, constraints = "=r";
  for (int64_t i = 0; i < count; ++i) {
    std::string name = "s" + std::to_string(i);
    registers += (i ? ", " : "") + name;
    clobbers += ",~{" + name + "}";
    constraints += ",r";
    // Operand 0 is the result, those of the integers follow.
    if (i + 1 < count && i % 2 == 0)
      code += "vmov " + name + ", s" + std::to_string(i + 1) + ", $" + std::to_string(i + 1) +
              ", $" + std::to_string(i + 2) + "\n";
    else if (i % 2 == 0)
      code += "vmov " + name + ", $" + std::to_string(i + 1) + "\n";
  }
  for (int64_t i = 0; i < count; ++i) {
    std::string name = "s" + std::to_string(i);
    code += "vcvt.f32.s32 " + name + ", " + name + "\n";
  }
  SmallVector<Value> operands(integers);
  operands.push_back(pointer);
  return LLVM::InlineAsmOp::create(
             builder, kernel.loc, getPointerType(kernel), operands,
             code + "vstmia $0!, {" + registers + "}", constraints + ",0,~{memory}" + clobbers,
             /*has_side_effects=*/true, /*is_align_stack=*/false, LLVM::TailCallKind::None,
             LLVM::AsmDialectAttr(), /*operand_attrs=*/ArrayAttr())
      .getResult(0);
}

void tte::storeConvertedAndAdvance(KernelBuilder &kernel, ArrayRef<Value> integers,
                                   Value &pointer) {
  // More integers than that leave too few registers for addresses.
  constexpr size_t together = 4;
  while (kernel.target.hasLoadMultiple() && !integers.empty()) {
    ArrayRef<Value> first = integers.take_front(together);
    pointer = storeConverted(kernel, first, pointer);
    integers = integers.drop_front(first.size());
  }
  SmallVector<Value> reals =
      llvm::map_to_vector(integers, [&](Value integer) { return kernel.toFloat(integer); });
  if (!reals.empty())
    storeRealsAndAdvance(kernel, reals, pointer);
}

SmallVector<Value> tte::loopPointers(KernelBuilder &kernel, Value end,
                                     SmallVectorImpl<Value> &pointers, ArrayRef<Value> carried,
                                     PointerBody body) {
  OpBuilder &builder = kernel.builder;
  SmallVector<Value> init(pointers.begin(), pointers.end());
  llvm::append_range(init, carried);
  size_t count = pointers.size();
  auto loop = scf::WhileOp::create(
      builder, kernel.loc, ValueRange(init).getTypes(), init,
      [&](OpBuilder &, Location loc, ValueRange arguments) {
        SmallVector<Value> moved(arguments.take_front(count));
        SmallVector<Value> next = body(moved, SmallVector<Value>(arguments.drop_front(count)));
        Value goesOn = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::ne, moved[0], end);
        llvm::append_range(moved, next);
        scf::ConditionOp::create(builder, loc, goesOn, moved);
      },
      [&](OpBuilder &, Location loc, ValueRange arguments) {
        scf::YieldOp::create(builder, loc, arguments);
      });
  pointers.assign(loop.result_begin(), loop.result_begin() + count);
  return SmallVector<Value>(loop.getResults().drop_front(count));
}

Value tte::getEnd(KernelBuilder &kernel, Pointer pointer, Index bytes) {
  Value end = materialize(kernel, advance(kernel, pointer, bytes));
  return LLVM::LaunderInvariantGroupOp::create(kernel.builder, kernel.loc, end);
}
