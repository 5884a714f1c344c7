// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Geometry of sliding windows along one axis.
#ifndef TTE_LOWERING_WINDOW_H
#define TTE_LOWERING_WINDOW_H

#include "KernelBuilder.h"

namespace tte {

/// Outputs 0 <= q < count along one axis, each a sum over taps 0 <= t < taps. Output q lies at
/// outputBase + q * outputStride of the output. Tap t is index firstTap + t * tapStep of the
/// kernel and reads element q * inputStride + firstOffset + t * offsetStep of the input where
/// that is one of its `extent` elements, and contributes nothing elsewhere.
struct Axis {
  int64_t count, outputStride = 1, outputBase = 0;
  int64_t inputStride = 1, extent;
  int64_t taps, firstTap = 0, tapStep = 1;
  int64_t firstOffset = 0, offsetStep = 1;

  int64_t offsetOf(int64_t tap) const { return firstOffset + tap * offsetStep; }
  bool reads(int64_t output, int64_t tap) const {
    int64_t element = output * inputStride + offsetOf(tap);
    return element >= 0 && element < extent;
  }
  /// The taps [begin, end) that read something for a known output.
  std::pair<int64_t, int64_t> getTaps(int64_t output) const;
  /// The same for an output that may be known at run time only.
  std::pair<Index, Index> emitTaps(KernelBuilder &kernel, Index output) const;
  /// Whether all taps read something for all outputs.
  bool isInside() const;
};

/// Parameters of a sliding window along one axis.
struct WindowParameters {
  int64_t input, output, kernel, stride, before, dilation;
};

/// From the input to the output of a convolution or pool.
Axis getForwardAxis(const WindowParameters &window);

/// From the gradient of the output to that of the input: one axis for each phase of the stride,
/// whose outputs all take the same taps but for those outside.
llvm::SmallVector<Axis> getGradientAxes(const WindowParameters &window);

/// Consecutive outputs that take the same taps.
struct Run {
  int64_t begin, end, tapBegin, tapEnd;
};
llvm::SmallVector<Run> getRuns(const Axis &axis);

/// Outputs column + p for 0 <= p < count take the taps of the known outputs example + p.
struct ColumnTile {
  Index column;
  int64_t example, count;
};

/// Covers the outputs of `axis` by tiles of `width`, carrying values: single tiles where taps are
/// outside, a loop between.
llvm::SmallVector<mlir::Value>
loopColumnTiles(KernelBuilder &kernel, const Axis &axis, int64_t width,
                llvm::ArrayRef<mlir::Value> init,
                llvm::function_ref<llvm::SmallVector<mlir::Value>(const ColumnTile &,
                                                                  llvm::ArrayRef<mlir::Value>)>
                    body);

/// Calls `body` for each output of `axis` with its taps: known ones between the borders, where
/// they are all, and those found at run time at the borders.
void loopRows(KernelBuilder &kernel, const Axis &axis,
              llvm::function_ref<void(Index row, Index tapBegin, Index tapEnd)> body);

/// Outputs [begin, end) of a convolution along one axis for which tap `tap` reads an input.
std::pair<Index, Index> emitOutputs(KernelBuilder &kernel, const WindowParameters &window,
                                    Index tap);

} // namespace tte

#endif // TTE_LOWERING_WINDOW_H
