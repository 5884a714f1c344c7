// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "KernelLibrary.h"
#include "ChannelGroup.h"
#include "KernelFamily.h"
#include "RowStream.h"

using namespace mlir;
using namespace tte;

/// Emits the function of a kernel whose region has at most one op that is not elementwise.
static LogicalResult emitPlain(KernelOp kernel, KernelEmitter &emitter) {
  FailureOr<Operation *> root = findRoot(kernel, kernel.getBody());
  if (failed(root))
    return failure();
  if (*root)
    findFamily(*root)->emit(*root, emitter);
  else
    emitElementwiseKernel(emitter);
  return success();
}

static LogicalResult emitFused(KernelOp kernel, FusedKernel &fused) {
  if (kernel.getStrategy() == Strategy::row_stream) {
    std::optional<RowChain> chain = RowChain::get(kernel.getBody());
    if (!chain)
      return kernel.emitOpError("lower-kernels: row_stream takes a chain of quantized "
                                "convolutions and pools on one image");
    return emitRowStream(*chain, fused);
  }
  std::optional<ChannelBlock> block = ChannelBlock::get(kernel.getBody());
  if (!block)
    return kernel.emitOpError("lower-kernels: channel_group takes the masked input gradients of a "
                              "quantized block on one image and updates of its parameters");
  return emitChannelGroups(*block, kernel.getBody().front(), fused);
}

static int64_t getPlainScratchBytes(KernelOp kernel) {
  FailureOr<Operation *> root = findRoot(kernel, kernel.getBody());
  return succeeded(root) && *root ? findFamily(*root)->getScratchBytes(*root) : 0;
}

FailureOr<LoweredKernel> KernelLibrary::lower(KernelOp kernel, bool isPrivate) {
  OpBuilder builder(kernel.getContext());
  LoweredKernel result;
  func::FuncOp function;
  if (kernel.getStrategy() != Strategy::plain) {
    FusedKernel fused(builder, kernel, *this);
    if (failed(emitFused(kernel, fused)))
      return failure();
    result.tables = fused.getTables();
    function = fused.build(*module.getBody());
  } else {
    KernelEmitter emitter(builder, kernel, target, scaleTables);
    if (failed(emitPlain(kernel, emitter)))
      return failure();
    function = emitter.build(*module.getBody());
    result.tables = emitter.getTables();
    result.scratchBytes = getPlainScratchBytes(kernel);
  }
  result.type = function.getFunctionType();
  result.function = insert(function, isPrivate);
  return result;
}

FlatSymbolRefAttr KernelLibrary::insert(func::FuncOp function, bool isPrivate) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << (isPrivate ? "private " : "") << function.getFunctionType();
  OpPrintingFlags flags = OpPrintingFlags().useLocalScope().assumeVerified();
  for (Operation &op : function.getBody().front())
    op.print(stream, flags);
  auto [entry, isNew] = names.try_emplace(text, function.getSymNameAttr());
  if (!isNew) {
    function.erase();
  } else if (isPrivate) {
    OpBuilder builder(function);
    function.setName((function.getSymName() + "_part" + Twine(privateCount++)).str());
    function.setPrivate();
    // Static buffers are plain pointers; inlining would repeat the body at each call.
    function->setAttr("llvm.bareptr", builder.getBoolAttr(true));
    function->setAttr("llvm.no_inline", builder.getUnitAttr());
    entry->second = function.getSymNameAttr();
  }
  return FlatSymbolRefAttr::get(entry->second);
}
