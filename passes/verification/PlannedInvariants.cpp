// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Invariants of planned programs, on buffers.
#include "Invariants.h"

using namespace mlir;
using namespace tte;

static LogicalResult verifyBuffers(CallOp call, StringRef what, TypeRange buffers,
                                   TypeRange values) {
  if (buffers.size() != values.size())
    return call.emitOpError() << "has " << buffers.size() << " " << what << ", the kernel "
                              << values.size();
  for (auto [index, types] : llvm::enumerate(llvm::zip(buffers, values))) {
    auto [buffer, value] = types;
    RankedTensorType storage = getStorageTensor(cast<RankedTensorType>(value));
    auto expected = MemRefType::get(storage.getShape(), storage.getElementType());
    if (buffer != expected)
      return call.emitOpError() << what << " " << index << " must be of type " << expected
                                << ", found " << buffer;
  }
  return success();
}

static LogicalResult verifyCall(CallOp call, SymbolTableCollection &symbols, ModuleOp program) {
  auto kernel = symbols.lookupSymbolIn<KernelOp>(program, call.getKernel());
  if (!kernel)
    return call.emitOpError() << "calls " << call.getKernel() << ", which is no kernel";
  Block &body = kernel.getBody().front();
  if (failed(verifyBuffers(call, "inputs", call.getInputs().getTypes(), body.getArgumentTypes())) ||
      failed(verifyBuffers(call, "outputs", call.getOutputs().getTypes(),
                           body.getTerminator()->getOperandTypes())))
    return failure();
  for (Value output : llvm::concat<Value>(call.getScratch(), call.getOutputs()))
    if (output.getDefiningOp<FlashOp>())
      return call.emitOpError("must not write to flash");
  return success();
}

static LogicalResult verifyFlash(FlashOp flash, ModuleOp program) {
  auto global = program.lookupSymbol<ml_program::GlobalOp>(flash.getGlobalAttr().getAttr());
  if (!global)
    return flash.emitOpError() << "names " << flash.getGlobalAttr() << ", which is no global";
  auto tensor = dyn_cast<RankedTensorType>(global.getType());
  auto buffer = cast<MemRefType>(flash.getType());
  if (!tensor || tensor.getNumElements() != buffer.getNumElements() ||
      getStorageTensor(tensor).getElementType() != buffer.getElementType())
    return flash.emitOpError() << "must hold the elements of " << flash.getGlobalAttr() << ", "
                               << global.getType() << ", found " << buffer;
  return success();
}

LogicalResult tte::verifyPlanned(ModuleOp program) {
  SymbolTableCollection symbols;
  for (StringRef name : {"tte.arena", "tte.arena_alignment", "tte.state_bytes"})
    if (!program->hasAttr(name))
      return program.emitError() << "has no '" << name << "': memory is not planned";
  for (auto function : program.getOps<func::FuncOp>()) {
    if (function.getNumArguments() || function.getNumResults())
      return function.emitOpError("must have no arguments and no results: values are buffers");
    for (Operation &op : function.getOps()) {
      if (!isa<SubspanOp, FlashOp, CallOp, RequireFiniteOp, func::ReturnOp>(op))
        return op.emitOpError("does not belong into a planned function");
      auto call = dyn_cast<CallOp>(op);
      if (call && failed(verifyCall(call, symbols, program)))
        return failure();
      auto flash = dyn_cast<FlashOp>(op);
      if (flash && failed(verifyFlash(flash, program)))
        return failure();
    }
  }
  return success();
}
