// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "FusedKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tte;

static MemRefType getBytesType(OpBuilder &builder, int64_t bytes) {
  return MemRefType::get({bytes}, builder.getI8Type());
}

static int64_t getBytes(Type type) {
  RankedTensorType storage = getStorageTensor(cast<RankedTensorType>(type));
  return storage.getNumElements() * llvm::divideCeil(storage.getElementTypeBitWidth(), 8);
}

FusedKernel::FusedKernel(OpBuilder &builder, KernelOp kernel, KernelLibrary &library)
    : KernelBuilder(builder, kernel.getLoc(), library.getTarget()), library(library) {
  SmallVector<Type> types;
  Block &body = kernel.getBody().front();
  for (BlockArgument input : body.getArguments())
    types.push_back(getBytesType(builder, getBytes(input.getType())));
  // Tables and scratch get their size in build().
  types.append(4, getBytesType(builder, 1));
  for (Value result : body.getTerminator()->getOperands())
    types.push_back(getBytesType(builder, getBytes(result.getType())));
  function = func::FuncOp::create(loc, kernel.getSymName(), builder.getFunctionType(types, {}));
  Block *block = function.addEntryBlock();
  for (auto [input, buffer] : llvm::zip(body.getArguments(), block->getArguments()))
    inputs[input] = buffer;
  auto rest = block->getArguments().drop_front(body.getNumArguments());
  integerTable = rest[0];
  realTable = rest[1];
  byteTable = rest[2];
  scratch = rest[3];
  llvm::append_range(outputs, rest.drop_front(4));
  builder.setInsertionPointToEnd(block);
}

void FusedKernel::setScratchBytes(int64_t bytes) {
  scratchBytes = bytes;
  scratch.setType(getBytesType(builder, bytes));
}

/// Adds a table of each version to `contents`, where it is not there yet.
template <typename T>
static FusedKernel::TablePart join(SmallVectorImpl<T> &contents, ArrayRef<ArrayRef<T>> versions) {
  // A multiple of 4 bytes, so that the part can be that of a kernel of its own.
  FusedKernel::TablePart part;
  part.size = versions.front().size();
  bool isSame = llvm::all_equal(versions);
  part.step = isSame ? 0 : part.size;
  SmallVector<T, 0> joined;
  for (ArrayRef<T> version : isSame ? versions.take_front() : versions)
    llvm::append_range(joined, version);
  auto found = std::search(contents.begin(), contents.end(), joined.begin(), joined.end());
  part.offset = found - contents.begin();
  if (found != contents.end())
    return part;
  // A multiple of 4 bytes, so that the part can be that of a kernel of its own.
  contents.resize(llvm::alignTo(contents.size() * sizeof(T), 4) / sizeof(T));
  part.offset = contents.size();
  llvm::append_range(contents, joined);
  return part;
}

FailureOr<FusedKernel::Part> FusedKernel::addParts(ArrayRef<KernelOp> versions) {
  SmallVector<LoweredKernel, 0> lowered;
  for (KernelOp kernel : versions) {
    FailureOr<LoweredKernel> version = library.lower(kernel, /*isPrivate=*/true);
    if (failed(version))
      return failure();
    lowered.push_back(std::move(*version));
    if (lowered.back().function != lowered.front().function)
      return kernel->emitOpError("lower-kernels: parts of one kernel must differ in nothing but "
                                 "their constants"),
             failure();
  }
  auto joinTable = [&](auto &contents, auto member) {
    using T = std::decay_t<decltype(contents[0])>;
    return join<T>(contents, llvm::map_to_vector(lowered, [&](const LoweredKernel &version) {
                     return ArrayRef<T>(version.tables.*member);
                   }));
  };
  Part part;
  part.integers = joinTable(contents.integers, &TableContents::integers);
  part.reals = joinTable(contents.reals, &TableContents::reals);
  part.bytes = joinTable(contents.bytes, &TableContents::bytes);
  part.kernel = std::move(lowered.front());
  return part;
}

Value FusedKernel::view(Bytes bytes, Type type) {
  return memref::ViewOp::create(builder, loc, cast<MemRefType>(type), bytes.buffer,
                                materialize(bytes.offset), ValueRange());
}

void FusedKernel::call(const Part &part, ArrayRef<Bytes> inputs, Bytes scratch,
                       ArrayRef<Bytes> outputs, Index version) {
  SmallVector<Bytes> all(inputs);
  auto addTable = [&](Value table, const TablePart &place, int64_t width) {
    if (place.size)
      all.push_back({table, mul(version, place.step * width) + place.offset * width});
  };
  addTable(integerTable, part.integers, sizeof(int32_t));
  addTable(realTable, part.reals, sizeof(float));
  addTable(byteTable, part.bytes, sizeof(int8_t));
  if (part.kernel.scratchBytes)
    all.push_back(scratch);
  llvm::append_range(all, outputs);
  SmallVector<Value> arguments;
  for (auto [bytes, type] : llvm::zip_equal(all, part.kernel.type.getInputs()))
    arguments.push_back(view(bytes, type));
  func::CallOp::create(builder, loc, part.kernel.function, TypeRange(), arguments);
}

void FusedKernel::loopWords(int64_t bytes, bool inWords,
                            function_ref<void(Index, int64_t, Type)> body) {
  int64_t width = inWords ? sizeof(int32_t) : 1;
  int64_t elements = bytes / width;
  Type type = inWords ? builder.getI32Type() : builder.getI8Type();
  loopTiles(elements, 4, 1, [&](Index first, int64_t count, int64_t) { body(first, count, type); });
  for (int64_t rest = elements * width; rest < bytes; ++rest)
    body(rest, 1, builder.getI8Type());
}

void FusedKernel::copy(Bytes from, Bytes to, int64_t bytes, bool inWords) {
  auto asWords = [&](Bytes start) {
    return view(start, MemRefType::get({bytes / int64_t(sizeof(int32_t))}, builder.getI32Type()));
  };
  Value source = view(from, getBytesType(builder, bytes));
  Value target = view(to, getBytesType(builder, bytes));
  bool hasWords = inWords && bytes >= int64_t(sizeof(int32_t));
  Value sourceWords = hasWords ? asWords(from) : Value();
  Value targetWords = hasWords ? asWords(to) : Value();
  loopWords(bytes, inWords, [&](Index first, int64_t count, Type type) {
    bool isWord = type.isInteger(32);
    SmallVector<Value> values;
    for (int64_t i = 0; i < count; ++i)
      values.push_back(loadStored(isWord ? sourceWords : source, first + i));
    for (auto [i, value] : llvm::enumerate(values))
      memref::StoreOp::create(builder, loc, value, isWord ? targetWords : target,
                              materialize(first + i));
  });
}

void FusedKernel::fill(Bytes to, int64_t value, int64_t bytes, bool inWords) {
  Value target = view(to, getBytesType(builder, bytes)), words;
  if (inWords && bytes >= int64_t(sizeof(int32_t)))
    words = view(to, MemRefType::get({bytes / int64_t(sizeof(int32_t))}, builder.getI32Type()));
  int64_t byte = value & 0xff;
  loopWords(bytes, inWords, [&](Index first, int64_t count, Type type) {
    for (int64_t i = 0; i < count; ++i)
      store(i32(type.isInteger(32) ? int32_t(uint32_t(byte) * 0x01010101u) : byte),
            type.isInteger(32) ? words : target, first + i);
  });
}

void FusedKernel::when(Value condition, function_ref<void()> then, function_ref<void()> otherwise) {
  auto branch = scf::IfOp::create(builder, loc, condition, /*withElseRegion=*/bool(otherwise));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  then();
  if (!otherwise)
    return;
  builder.setInsertionPointToStart(branch.elseBlock());
  otherwise();
}

Value FusedKernel::isLess(Index lhs, Index rhs) {
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, materialize(lhs),
                               materialize(rhs));
}

func::FuncOp FusedKernel::build(Block &destination) {
  func::ReturnOp::create(builder, loc);
  Block &block = function.getBody().front();
  auto settle = [&](Value buffer, int64_t bytes) {
    if (bytes)
      buffer.setType(getBytesType(builder, bytes));
    else
      block.eraseArgument(cast<BlockArgument>(buffer).getArgNumber());
  };
  settle(integerTable, contents.integers.size() * sizeof(int32_t));
  settle(realTable, contents.reals.size() * sizeof(float));
  settle(byteTable, contents.bytes.size());
  settle(scratch, scratchBytes);
  function.setFunctionType(builder.getFunctionType(block.getArgumentTypes(), {}));
  destination.push_back(function);
  return function;
}
