// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What convolutions, dense layers and their gradients have in common.
#ifndef TTE_LOWERING_CONVSHAPE_H
#define TTE_LOWERING_CONVSHAPE_H

#include "Window.h"
#include "tte/IR/TTEOps.h"

namespace tte {

/// Sizes of a convolution: x (batch, rows.input, columns.input, inputChannels), weights
/// (rows.kernel, columns.kernel, inputChannels / groups, outputChannels), y (batch, rows.output,
/// columns.output, outputChannels).
struct ConvShape {
  int64_t batch = 1, inputChannels, outputChannels, groups = 1;
  WindowParameters rows{1, 1, 1, 1, 0, 1}, columns{1, 1, 1, 1, 0, 1};

  int64_t groupInputs() const { return inputChannels / groups; }
  int64_t groupOutputs() const { return outputChannels / groups; }
  /// One row of pixels without neighbours.
  bool isPointwise() const {
    return batch == 1 && rows.kernel * columns.kernel == 1 && rows.input * rows.output == 1 &&
           columns.input == columns.output;
  }
};

ConvShape getConvShape(Conv2DOp op);
ConvShape getConvShape(DenseOp op);
ConvShape getConvShape(Conv2DInputGradOp op);
ConvShape getConvShape(DenseInputGradOp op);
ConvShape getConvShape(Conv2DWeightGradOp op);
ConvShape getConvShape(DenseWeightGradOp op);

/// Part of a weight: channels [begin, begin + size) of the sliced axis.
struct WeightPart {
  mlir::Value buffer;
  mlir::Type type;
  int64_t begin, size;
  bool isPacked = false; ///< as `PairPacking`
};

/// The scales of the output channels of a weight given in parts along `axis`.
llvm::SmallVector<double> getOutputScales(mlir::ValueRange weights, int64_t axis);

/// A tile of `rows` by `columns` accumulators, where columns count vectors.
struct Tile {
  int64_t rows, columns;
};

/// The tile of at most `accumulators` that covers `rows` x `columns` with the fewest instructions:
/// a step of an r x c tile costs r * rowCost + c * columnCost + r * c.
Tile chooseTile(int64_t rows, int64_t columns, int64_t accumulators, double rowCost,
                double columnCost);

} // namespace tte

#endif // TTE_LOWERING_CONVSHAPE_H
