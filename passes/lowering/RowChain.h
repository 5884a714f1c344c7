// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Layers that run together row by row: sizes, windows of rows, and how far the result may lie over
// what the chain reads. Knows nothing of the code that computes a row.
#ifndef TTE_LOWERING_ROWCHAIN_H
#define TTE_LOWERING_ROWCHAIN_H

#include "Window.h"
#include "tte/IR/TTEOps.h"
#include "tte/Passes/Overlap.h"

namespace tte {

/// A layer of a chain. Rows hold all columns and channels; sizes are in bytes (of i8 elements).
struct RowStage {
  mlir::Operation *op;
  mlir::Value input; ///< what the chain hands to it
  WindowParameters rows, columns;
  int64_t inputRow, outputRow;
  int64_t windowOffset = 0; ///< in the scratch, of the rows of the output that the next stage reads

  /// Rows of the input from the first to the last that a row of the output reads.
  int64_t getReach() const { return rows.dilation * (rows.kernel - 1) + 1; }
  /// Whether each row of the output takes exactly the same row of the input.
  bool isRowwise() const { return rows.kernel == 1 && rows.stride == 1 && rows.before == 0; }
  /// Rows of the input that must exist before row `row` of the output is computed.
  int64_t getNeededRows(int64_t row) const;
  /// The first row of the input that rows from `row` on read.
  int64_t getFirstRow(int64_t row) const;
};

/// Quantized convolutions and pools, each the only reader of the one before, and at the end
/// perhaps the sum with another value of the result's shape.
class RowChain {
public:
  /// The chain of `ops` in this order; none where they are not one.
  static std::optional<RowChain> get(llvm::ArrayRef<mlir::Operation *> ops);
  /// The chain of the ops of a region.
  static std::optional<RowChain> get(mlir::Region &region);

  llvm::ArrayRef<RowStage> getStages() const { return stages; }
  /// What the first stage reads.
  mlir::Value getInput() const { return stages.front().input; }
  /// What is added at the end; null where nothing is.
  mlir::Value getSkip() const { return skip; }
  /// Bytes of the windows of all stages.
  int64_t getWindowBytes() const { return windowBytes; }
  /// Where the result may lie over `value`, which the chain reads row by row: results are
  /// written in row-major order. None for anything but the input and the skip.
  std::optional<Overlap> getOverlap(mlir::Value value) const;

private:
  void layOutWindows();
  /// Rows of the input that nothing reads after the last stage began with row `row`.
  int64_t getFreeRows(int64_t row) const;

  llvm::SmallVector<RowStage> stages;
  mlir::Value skip;
  int64_t windowBytes = 0;
};

} // namespace tte

#endif // TTE_LOWERING_ROWCHAIN_H
