// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Window.h"

#include <numeric>

using namespace mlir;
using namespace tte;

std::pair<int64_t, int64_t> Axis::getTaps(int64_t output) const {
  // What is read moves one way along the taps: those inside are consecutive.
  int64_t begin = 0, end = taps;
  while (begin < end && !reads(output, begin))
    ++begin;
  while (end > begin && !reads(output, end - 1))
    --end;
  return {begin, end};
}

bool Axis::isInside() const {
  for (int64_t output : {int64_t(0), count - 1})
    if (getTaps(output) != std::pair<int64_t, int64_t>(0, taps))
      return false;
  return true;
}

std::pair<Index, Index> Axis::emitTaps(KernelBuilder &kernel, Index output) const {
  if (isInside() || taps == 0)
    return {0, taps};
  if (output.isConstant()) {
    auto [begin, end] = getTaps(output.offset);
    return {begin, end};
  }
  // first + t * offsetStep in [0, extent)
  Index first = kernel.mul(output, inputStride) + firstOffset;
  Index begin, end;
  if (offsetStep > 0) {
    begin = kernel.ceilDiv(kernel.sub(0, first), offsetStep);
    end = kernel.ceilDiv(kernel.sub(extent, first), offsetStep);
  } else {
    begin = kernel.ceilDiv(first + (1 - extent), -offsetStep);
    end = kernel.floorDiv(first, -offsetStep) + 1;
  }
  return {kernel.max(begin, 0), kernel.min(end, taps)};
}

Axis tte::getForwardAxis(const WindowParameters &window) {
  Axis axis;
  axis.count = window.output;
  axis.inputStride = window.stride;
  axis.extent = window.input;
  axis.taps = window.kernel;
  axis.firstOffset = -window.before;
  axis.offsetStep = window.dilation;
  return axis;
}

// Input a takes tap i of output y where y * stride + i * dilation - before = a.
SmallVector<Axis> tte::getGradientAxes(const WindowParameters &window) {
  SmallVector<Axis> axes;
  int64_t stride = window.stride;
  for (int64_t phase = 0; phase < std::min(stride, window.input); ++phase) {
    Axis axis;
    axis.count = (window.input - phase + stride - 1) / stride;
    axis.outputStride = stride;
    axis.outputBase = phase;
    axis.extent = window.output;
    axis.taps = 0;
    axis.tapStep = stride / std::gcd(stride, window.dilation);
    auto distance = [&](int64_t tap) { return phase + window.before - tap * window.dilation; };
    for (int64_t tap = 0; tap < window.kernel; ++tap) {
      if (distance(tap) % stride)
        continue;
      if (axis.taps++ == 0) {
        axis.firstTap = tap;
        axis.firstOffset = distance(tap) / stride;
      }
    }
    axis.offsetStep = -axis.tapStep * window.dilation / stride;
    axes.push_back(axis);
  }
  return axes;
}

SmallVector<Run> tte::getRuns(const Axis &axis) {
  SmallVector<Run> runs;
  for (int64_t output = 0; output < axis.count; ++output) {
    auto [begin, end] = axis.getTaps(output);
    if (!runs.empty() && runs.back().tapBegin == begin && runs.back().tapEnd == end)
      runs.back().end = output + 1;
    else
      runs.push_back({output, output + 1, begin, end});
  }
  return runs;
}

/// The outputs that take all taps.
static Run getInterior(const Axis &axis) {
  for (const Run &run : getRuns(axis))
    if (run.tapBegin == 0 && run.tapEnd == axis.taps)
      return run;
  return {axis.count, axis.count, 0, 0};
}

SmallVector<Value>
tte::loopColumnTiles(KernelBuilder &kernel, const Axis &axis, int64_t width, ArrayRef<Value> init,
                     function_ref<SmallVector<Value>(const ColumnTile &, ArrayRef<Value>)> body) {
  SmallVector<Value> values(init);
  int64_t column = 0;
  auto emitTilesUntil = [&](int64_t end) {
    while (column < end) {
      int64_t count = std::min(width, axis.count - column);
      values = body({column, column, count}, values);
      column += count;
    }
  };
  Run interior = getInterior(axis);
  emitTilesUntil(interior.begin);
  int64_t tiles = std::max<int64_t>(interior.end - column, 0) / width;
  values = kernel.loop(
      column, column + tiles * width, width, values,
      [&](Index index, ArrayRef<Value> carried) { return body({index, column, width}, carried); });
  column += tiles * width;
  emitTilesUntil(axis.count);
  return values;
}

void tte::loopRows(KernelBuilder &kernel, const Axis &axis,
                   function_ref<void(Index, Index, Index)> body) {
  auto border = [&](Index row) {
    auto [begin, end] = axis.emitTaps(kernel, row);
    body(row, begin, end);
  };
  Run interior = getInterior(axis);
  kernel.loop(0, interior.begin, 1, border);
  kernel.loop(interior.begin, interior.end, 1, [&](Index row) { body(row, 0, axis.taps); });
  kernel.loop(interior.end, axis.count, 1, border);
}

std::pair<Index, Index> tte::emitOutputs(KernelBuilder &kernel, const WindowParameters &window,
                                         Index tap) {
  if (getForwardAxis(window).isInside())
    return {0, window.output};
  // 0 <= q * stride + tap * dilation - before < input
  Index shift = kernel.mul(tap, window.dilation) + -window.before;
  Index begin = kernel.ceilDiv(kernel.sub(0, shift), window.stride);
  Index end = kernel.ceilDiv(kernel.sub(window.input, shift), window.stride);
  return {kernel.max(begin, 0), kernel.min(end, window.output)};
}
