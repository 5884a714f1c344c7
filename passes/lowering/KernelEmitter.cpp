// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "KernelEmitter.h"
#include "Elementwise.h"

using namespace mlir;
using namespace tte;

/// The buffer of a tensor: its storage elements in row-major order.
static MemRefType getFlatBuffer(Type type) {
  RankedTensorType storage = getStorageTensor(cast<RankedTensorType>(type));
  return MemRefType::get({storage.getNumElements()}, storage.getElementType());
}

KernelEmitter::KernelEmitter(OpBuilder &builder, KernelOp kernel, const KernelTarget &target,
                             const ScaleTables &scaleTables)
    : KernelBuilder(builder, kernel.getLoc(), target), kernel(kernel), scaleTables(scaleTables),
      yield(cast<YieldOp>(kernel.getBody().front().getTerminator())) {
  SmallVector<Type> types;
  for (BlockArgument input : kernel.getBody().getArguments())
    types.push_back(getFlatBuffer(input.getType()));
  size_t inputs = types.size();
  // Tables and scratch get their size in build().
  types.push_back(MemRefType::get({1}, builder.getI32Type()));
  types.push_back(MemRefType::get({1}, builder.getF32Type()));
  types.append(2, MemRefType::get({1}, builder.getI8Type()));
  for (Value result : yield.getValues())
    types.push_back(getFlatBuffer(result.getType()));
  function = func::FuncOp::create(loc, kernel.getSymName(), builder.getFunctionType(types, {}));
  Block *block = function.addEntryBlock();
  for (auto [input, buffer] : llvm::zip(kernel.getBody().getArguments(), block->getArguments()))
    buffers[input] = buffer;
  integerTable = block->getArgument(inputs);
  realTable = block->getArgument(inputs + 1);
  byteTable = block->getArgument(inputs + 2);
  scratch = block->getArgument(inputs + 3);
  llvm::append_range(outputs, block->getArguments().drop_front(inputs + 4));
  builder.setInsertionPointToEnd(block);
}

Value KernelEmitter::bufferOf(Value input) {
  assert(buffers.contains(input) && "operands of a kernel's root are inputs of the kernel");
  return buffers.lookup(input);
}

Value KernelEmitter::getScratch(int64_t bytes) {
  assert((!scratchBytes || scratchBytes == bytes) && "a kernel has one size of scratch");
  scratchBytes = bytes;
  scratch.setType(MemRefType::get({bytes}, builder.getI8Type()));
  return scratch;
}

Value KernelEmitter::addTableScalar(int32_t value) {
  Table table = addTable(ArrayRef(value));
  return onEntry([&] { return loadTable(table, 0); });
}

Value KernelEmitter::addTableScalar(float value) {
  Table table = addTable(ArrayRef(value));
  return onEntry([&] { return loadTable(table, 0); });
}

Value KernelEmitter::loadScalar(Value input) {
  Value &scalar = scalars[input];
  if (!scalar)
    scalar = onEntry([&] { return load(bufferOf(input), 0); });
  return scalar;
}

Value KernelEmitter::onEntry(function_ref<Value()> emit) {
  OpBuilder::InsertionGuard guard(builder);
  if (entryEnd)
    builder.setInsertionPointAfter(entryEnd);
  else
    builder.setInsertionPointToStart(&function.getBody().front());
  Value value = emit();
  entryEnd = &*std::prev(builder.getInsertionPoint());
  return value;
}

Value KernelEmitter::evaluate(Value tensor, const Position &position) {
  auto known = elements.find(tensor);
  if (known != elements.end())
    return known->second;
  Operation *op = tensor.getDefiningOp();
  Value value = op ? emitElementwise(op, *this, position,
                                     [&](Value operand) { return evaluate(operand, position); })
                   : load(bufferOf(tensor), position.linear, position.lanes);
  elements[tensor] = value;
  return value;
}

void KernelEmitter::finish(Value root, Value value, const Position &position) {
  elements.clear();
  if (root)
    elements[root] = value;
  SmallVector<Value> results = llvm::map_to_vector(
      yield.getValues(), [&](Value result) { return evaluate(result, position); });
  for (auto [result, buffer] : llvm::zip_equal(results, outputs))
    store(result, buffer, position.linear);
}

func::FuncOp KernelEmitter::build(Block &destination) {
  func::ReturnOp::create(builder, loc);
  Block &block = function.getBody().front();
  auto settle = [&](Value buffer, int64_t size) {
    auto argument = cast<BlockArgument>(buffer);
    auto type = cast<MemRefType>(argument.getType());
    if (size)
      argument.setType(MemRefType::get({size}, type.getElementType()));
    else
      block.eraseArgument(argument.getArgNumber());
  };
  settle(integerTable, contents.integers.size());
  settle(realTable, contents.reals.size());
  settle(byteTable, contents.bytes.size());
  settle(scratch, scratchBytes);
  function.setFunctionType(builder.getFunctionType(block.getArgumentTypes(), {}));
  destination.push_back(function);
  return function;
}
