// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a function of dispatches keeps in memory: the ranges of bytes its values live in and the
// steps that read and write them. Scheduling and placement work on this alone.
#ifndef TTE_PASSES_MEMORY_MEMORYMODEL_H
#define TTE_PASSES_MEMORY_MEMORYMODEL_H

#include "tte/Passes/Overlap.h"
#include "tte/Passes/Passes.h"
#include "llvm/ADT/MapVector.h"

namespace tte {

enum class Space { Arena, State, Flash };

/// A range of bytes. Values that are the same bytes share it: reshaped ones, checked ones, and
/// the new value of what an operand tied to it held.
struct Buffer {
  Space space = Space::Arena;
  int64_t bytes = 0;
  bool liveAtStart = false; // the caller writes it: input, label, learning rate, state
  bool liveAtEnd = false;   // the caller reads it: loss, scores, state
};

/// A new buffer that a step may write over a buffer that it reads, if that dies with the step.
struct InPlace {
  unsigned operand;
  unsigned result;
  Overlap overlap;
  int64_t saving; // bytes that both need less than side by side
};

/// A dispatch or a check, with the positions of its buffers and predecessors.
struct Step {
  mlir::Operation *op = nullptr;
  llvm::SmallVector<unsigned> reads;
  llvm::SmallVector<unsigned> writes; // new buffers, and overwritten ones
  llvm::SmallVector<unsigned> predecessors;
  llvm::SmallVector<InPlace> inPlace; // all in the arena
  int64_t scratchBytes = 0;           // in the arena
};

/// How a value lies in its buffer.
struct Residence {
  unsigned buffer;
  unsigned generation; // how often the buffer was overwritten before
  int producer;        // position of the step that makes the value, or -1
};

class MemoryModel {
public:
  /// Reads `function`, whose computations all lie in dispatches. Emits an error and fails where
  /// they do not, or where one old value is overwritten twice.
  static llvm::FailureOr<MemoryModel> build(mlir::func::FuncOp function);

  llvm::ArrayRef<Buffer> getBuffers() const { return buffers; }
  llvm::ArrayRef<Step> getSteps() const { return steps; }
  const Residence &getResidence(mlir::Value value) const { return residences.find(value)->second; }
  /// All values in program order.
  const llvm::MapVector<mlir::Value, Residence> &getResidences() const { return residences; }

  /// Fails at the first step that in program order runs before one of its predecessors: it
  /// overwrites a state that is read later.
  llvm::LogicalResult verifyOrder() const;

private:
  unsigned addBuffer(mlir::Value value, Space space);
  llvm::LogicalResult addOp(mlir::Operation *op);
  void addDispatch(DispatchOp dispatch);
  void addInPlace(Step &step);
  void addCheck(CheckFiniteOp check);
  llvm::LogicalResult addPredecessors();
  llvm::LogicalResult verifyOrderExists() const;

  llvm::SmallVector<Buffer> buffers;
  llvm::SmallVector<Step> steps;
  llvm::MapVector<mlir::Value, Residence> residences;
};

/// Bytes that a value of `type` takes in memory.
int64_t getStorageBytes(mlir::Type type);

/// The role of an argument or of a result, or none.
std::optional<Role> getArgumentRole(mlir::func::FuncOp function, unsigned index);
std::optional<Role> getResultRole(mlir::func::FuncOp function, unsigned index);

} // namespace tte

#endif // TTE_PASSES_MEMORY_MEMORYMODEL_H
