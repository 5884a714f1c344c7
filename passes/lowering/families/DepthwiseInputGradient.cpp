// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gradient of depthwise convolutions with respect to their input, one channel after another: the
// channel's gradient is gathered into a plane in scratch, or into a band of its rows that moves
// down, and its weights are converted once. Every row of the result is then a sum of rows of the
// plane. Nothing of a channel is written before it has been gathered, so that the result may lie
// where the gradient does.
#include "../ConvShape.h"
#include "../KernelFamily.h"
#include "../Pointers.h"
#include "../WeightParts.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tte;

namespace {

constexpr int64_t realBytes = sizeof(float);
/// Bytes of scratch from which on a plane is worked on in bands. With a stride the result is larger
/// than the gradient and can lie over it only where the plane is whole.
constexpr int64_t largestPlane = 4096, largestStridedPlane = 8192;
/// Sums that stay in registers beside a row of weights and what they are multiplied with.
constexpr int64_t sumsInRegisters = 8;
/// Registers for f32 of the targets that load several at once, less two for temporaries.
constexpr int64_t usableRegisters = 30;

/// How the plane of a channel lies in scratch.
struct Plane {
  int64_t bandRows;    ///< rows of the result in a band; all of them where the plane fits
  int64_t rows, pitch; ///< rows of the gradient in scratch, and elements of one
  int64_t left;        ///< columns of zeros before a row's first element
  int64_t firstRow;    ///< row of the gradient in the first place while band 0 is worked on
  int64_t kernelElements;

  int64_t getBytes() const { return (rows * pitch + kernelElements) * realBytes; }
};

/// The row of the gradient that tap `tap` of row or column `position` of the result reads, rounded
/// down where it reads none.
int64_t getSource(const WindowParameters &window, int64_t position, int64_t tap) {
  return llvm::divideFloorSigned(position + window.before - tap * window.dilation, window.stride);
}

bool isRead(const WindowParameters &window, int64_t position, int64_t tap) {
  return (position + window.before - tap * window.dilation) % window.stride == 0;
}

/// Columns of the result that are worked on together on scalar targets.
int64_t getTileWidth(const WindowParameters &columns) {
  return std::max<int64_t>(sumsInRegisters / columns.stride, 1) * columns.stride;
}

/// A row that is one tile needs no zeros: its code leaves out what lies outside.
Plane getPlane(const ConvShape &shape) {
  const WindowParameters &rows = shape.rows, &columns = shape.columns;
  Plane plane;
  int64_t last = columns.kernel - 1;
  plane.left = std::max<int64_t>(-getSource(columns, 0, last), 0);
  int64_t right = getSource(columns, llvm::alignTo(columns.input, columns.stride) - 1, 0) -
                  (columns.output - 1);
  plane.pitch = plane.left + columns.output + std::max<int64_t>(right, 0);
  plane.kernelElements = rows.kernel * columns.kernel;
  plane.bandRows = rows.input;
  plane.rows = rows.output;
  plane.firstRow = 0;
  int64_t band = llvm::alignTo(rows.input, rows.stride);
  int64_t largest = rows.stride == 1 ? largestPlane : largestStridedPlane;
  while (plane.getBytes() > largest && band > rows.stride) {
    band = llvm::alignTo(band / 2, rows.stride);
    plane.bandRows = band;
    plane.firstRow = getSource(rows, 0, rows.kernel - 1);
    plane.rows = getSource(rows, band - 1, 0) - plane.firstRow + 1;
  }
  return plane;
}

class DepthwiseInputGradient {
public:
  DepthwiseInputGradient(KernelEmitter &kernel, const ConvShape &shape, Conv2DInputGradOp op)
      : kernel(kernel), shape(shape), plane(getPlane(shape)),
        gradient(kernel.bufferOf(op.getGradient())), result(op.getResult()),
        rowAxes(getGradientAxes(shape.rows)),
        source(getPointer(kernel, kernel.getScratch(plane.getBytes()))),
        weights(source + plane.rows * plane.pitch * realBytes) {
    scales = addScaleTable(kernel, op.getWeights(), op.getWeightAxis());
  }

  void clearPlane();
  void emitChannel(Index image, const WeightPart &part, Index first);

private:
  /// Columns `column` + stride * (vector * lanes + lane) + phase of the result, for all phases.
  struct Columns {
    Index column;
    int64_t example; ///< a known column that reads like `column`
    int64_t vectors, lanes;
  };

  void convertWeights(const WeightPart &part, Index first, Index channel);
  void gatherRows(Index image, Index channel, Index begin, Index end, Index firstPlace);
  void moveBand();
  void emitRow(Index image, Index channel, const Axis &axis, Index row, Index tapBegin,
               Index tapEnd, Index firstRow);
  void emitColumns(Index image, Index channel, const Axis &axis, Index row, Index tapBegin,
                   Index tapEnd, Index firstRow, const Columns &columns);
  SmallVector<Value> addKernelRow(const Columns &columns, Pointer row, Pointer weights,
                                  SmallVector<Value> sums);
  int64_t getLanes() const;

  int64_t stride() const { return shape.columns.stride; }
  /// Whether all columns of the result are known in the code.
  bool isOneTile() const {
    return getLanes() == 1 && shape.columns.input <= getTileWidth(shape.columns);
  }
  Type realType(int64_t lanes = 1) { return kernel.laneType(kernel.builder.getF32Type(), lanes); }

  KernelEmitter &kernel;
  const ConvShape &shape;
  const Plane plane;
  Value gradient, result;
  SmallVector<Axis> rowAxes;
  Pointer source, weights;
  std::optional<Table> scales;
};

/// The columns around the gradient stay zero from here on.
void DepthwiseInputGradient::clearPlane() {
  if (isOneTile())
    return;
  kernel.loop(0, plane.rows * plane.pitch, 1, [&](Index element) {
    storeAt(kernel, kernel.f32(0), advance(kernel, source, kernel.mul(element, realBytes)));
  });
}

void DepthwiseInputGradient::emitChannel(Index image, const WeightPart &part, Index first) {
  Index channel = first + part.begin;
  convertWeights(part, first, channel);
  const WindowParameters &rows = shape.rows;
  if (plane.bandRows == rows.input) {
    gatherRows(image, channel, 0, rows.output, 0);
    for (const Axis &axis : rowAxes)
      loopRows(kernel, axis, [&](Index row, Index tapBegin, Index tapEnd) {
        emitRow(image, channel, axis, row, tapBegin, tapEnd, 0);
      });
    return;
  }
  // Every band but the first moves the rows that it shares with the one before.
  int64_t step = plane.bandRows / rows.stride, shared = plane.rows - step;
  int64_t sharedEnd = std::min(plane.firstRow + shared, rows.output);
  gatherRows(image, channel, 0, sharedEnd, step - plane.firstRow);
  kernel.loop(0, rows.input, plane.bandRows, [&](Index band) {
    Index firstRow = kernel.floorDiv(band, rows.stride) + plane.firstRow;
    moveBand();
    Index end = kernel.min(firstRow + plane.rows, rows.output);
    Index begin = kernel.min(firstRow + shared, end);
    gatherRows(image, channel, begin, end, kernel.sub(0, firstRow));
    for (const Axis &axis : rowAxes) {
      Index firstOutput = kernel.floorDiv(band, rows.stride);
      Index lastOutput = kernel.min(firstOutput + step, axis.count);
      kernel.loop(firstOutput, lastOutput, 1, [&](Index row) {
        auto [tapBegin, tapEnd] = axis.emitTaps(kernel, row);
        emitRow(image, channel, axis, row, tapBegin, tapEnd, firstRow);
      });
    }
  });
}

/// f32(s_w) * f32(w) of the channel, for all taps.
void DepthwiseInputGradient::convertWeights(const WeightPart &part, Index first, Index channel) {
  OpBuilder &builder = kernel.builder;
  Value scale = scales ? kernel.loadTable(*scales, channel) : Value();
  int64_t width = scales ? 1 : realBytes, taps = shape.columns.kernel;
  SmallVector<Value> pointers{materialize(kernel, weights),
                              materialize(kernel, getPointer(kernel, part.buffer, first))};
  Value end = getEnd(kernel, weights, plane.kernelElements * realBytes);
  loopPointers(kernel, end, pointers, {}, [&](MutableArrayRef<Value> pointers, ArrayRef<Value>) {
    for (int64_t tap = 0; tap < taps; ++tap) {
      Pointer place(pointers[1], tap * part.size * width);
      Value weight = loadAt(kernel, scales ? Type(builder.getI8Type()) : realType(), place);
      if (scales) {
        weight = arith::SIToFPOp::create(builder, kernel.loc, realType(), weight);
        weight = arith::MulFOp::create(builder, kernel.loc, weight, scale);
      }
      storeAt(kernel, weight, Pointer(pointers[0], tap * realBytes));
    }
    pointers[0] = materialize(kernel, Pointer(pointers[0], taps * realBytes));
    pointers[1] = materialize(kernel, Pointer(pointers[1], taps * part.size * width));
    return SmallVector<Value>();
  });
}

/// Rows [begin, end) of the gradient to the places `firstPlace` + row.
void DepthwiseInputGradient::gatherRows(Index image, Index channel, Index begin, Index end,
                                        Index firstPlace) {
  int64_t width = shape.columns.output;
  // As integers: an f32 that is only moved needs no f32 register.
  Type word = kernel.builder.getI32Type();
  kernel.loop(begin, end, 1, [&](Index row) {
    Index pixel = kernel.mul(kernel.add(kernel.mul(image, shape.rows.output), row), width);
    Pointer from =
        getPointer(kernel, gradient, kernel.add(kernel.mul(pixel, shape.inputChannels), channel));
    Index place = kernel.mul(kernel.add(row, firstPlace), plane.pitch) + plane.left;
    Pointer to = advance(kernel, source, kernel.mul(place, realBytes));
    auto copy = [&](Pointer from, Pointer to, int64_t count) {
      for (int64_t x = 0; x < count; ++x)
        storeAt(kernel, loadAt(kernel, word, from + x * shape.inputChannels * realBytes),
                to + x * realBytes);
    };
    constexpr int64_t together = 8;
    int64_t whole = width / together * together;
    kernel.loop(0, whole, together, [&](Index x) {
      copy(advance(kernel, from, kernel.mul(x, shape.inputChannels * realBytes)),
           advance(kernel, to, kernel.mul(x, realBytes)), together);
    });
    copy(from + whole * shape.inputChannels * realBytes, to + whole * realBytes, width - whole);
  });
}

/// The last rows of the band become the first ones of the next.
void DepthwiseInputGradient::moveBand() {
  int64_t moved = plane.bandRows / shape.rows.stride * plane.pitch;
  Type word = kernel.builder.getI32Type();
  kernel.loop(0, plane.rows * plane.pitch - moved, 1, [&](Index element) {
    Pointer to = advance(kernel, source, kernel.mul(element, realBytes));
    storeAt(kernel, loadAt(kernel, word, to + moved * realBytes), to);
  });
}

/// Elements of a vector along the columns of one phase.
int64_t DepthwiseInputGradient::getLanes() const {
  int64_t lanes = kernel.target.vectorWidth;
  while (lanes > 1 && shape.columns.input % (lanes * stride()))
    lanes /= 2;
  return lanes;
}

void DepthwiseInputGradient::emitRow(Index image, Index channel, const Axis &axis, Index row,
                                     Index tapBegin, Index tapEnd, Index firstRow) {
  int64_t lanes = getLanes(), width = shape.columns.input;
  int64_t vectors = lanes == 1 ? getTileWidth(shape.columns) / stride() : 1;
  auto emit = [&](Index column, int64_t example, int64_t vectors) {
    emitColumns(image, channel, axis, row, tapBegin, tapEnd, firstRow,
                {column, example, vectors, lanes});
  };
  int64_t tile = vectors * lanes * stride(), whole = width / tile * tile;
  kernel.loop(0, whole, tile, [&](Index column) { emit(column, 0, vectors); });
  if (whole < width)
    emit(whole, whole, llvm::divideCeil(width - whole, stride()));
}

void DepthwiseInputGradient::emitColumns(Index image, Index channel, const Axis &axis, Index row,
                                         Index tapBegin, Index tapEnd, Index firstRow,
                                         const Columns &columns) {
  SmallVector<Value> sums(stride() * columns.vectors, kernel.f32(0, columns.lanes));
  Index sourceColumn = kernel.floorDiv(columns.column, stride()) + plane.left;
  auto addTap = [&](Index tap, ArrayRef<Value> carried) {
    Index sourceRow =
        kernel.sub(kernel.add(row, kernel.mul(tap, axis.offsetStep) + axis.firstOffset), firstRow);
    Index element = kernel.add(kernel.mul(sourceRow, plane.pitch), sourceColumn);
    Index kernelRow =
        kernel.mul(kernel.mul(tap, axis.tapStep) + axis.firstTap, shape.columns.kernel);
    return addKernelRow(columns, advance(kernel, source, kernel.mul(element, realBytes)),
                        advance(kernel, weights, kernel.mul(kernelRow, realBytes)),
                        SmallVector<Value>(carried));
  };
  // Few products are not worth a loop.
  constexpr int64_t unrolled = 32;
  int64_t products = columns.vectors * shape.columns.kernel;
  if (tapBegin.isConstant() && tapEnd.isConstant() &&
      (tapEnd.offset - tapBegin.offset) * products <= unrolled)
    for (int64_t tap = tapBegin.offset; tap < tapEnd.offset; ++tap)
      sums = addTap(tap, sums);
  else
    sums = kernel.loop(tapBegin, tapEnd, 1, sums, addTap);
  Index y = kernel.mul(row, axis.outputStride) + axis.outputBase;
  Index line = kernel.mul(kernel.add(kernel.mul(image, shape.rows.input), y), shape.columns.input);
  Index first =
      kernel.add(kernel.mul(kernel.add(line, columns.column), shape.inputChannels), channel);
  for (int64_t vector = 0; vector < columns.vectors; ++vector)
    for (int64_t phase = 0; phase < stride(); ++phase)
      for (int64_t lane = 0; lane < columns.lanes; ++lane) {
        int64_t column = stride() * (vector * columns.lanes + lane) + phase;
        if (columns.example + column >= shape.columns.input)
          continue;
        Value sum = sums[vector * stride() + phase];
        if (columns.lanes > 1)
          sum = vector::ExtractOp::create(kernel.builder, kernel.loc, sum, lane);
        kernel.finish(result, sum, {first + column * shape.inputChannels, channel, {}, 1});
      }
}

/// Adds the products of a row of weights. `row` points at the element of the plane that lies above
/// the first column of the tile.
SmallVector<Value> DepthwiseInputGradient::addKernelRow(const Columns &columns, Pointer row,
                                                        Pointer weights, SmallVector<Value> sums) {
  const WindowParameters &window = shape.columns;
  int64_t taps = window.kernel;
  struct Product {
    int64_t sum, tap, element;
  };
  SmallVector<Product> products;
  int64_t begin = std::numeric_limits<int64_t>::max(), end = std::numeric_limits<int64_t>::min();
  for (int64_t tap = 0; tap < taps; ++tap)
    for (int64_t vector = 0; vector < columns.vectors; ++vector)
      for (int64_t phase = 0; phase < stride(); ++phase) {
        int64_t column = stride() * vector * columns.lanes + phase;
        if (!isRead(window, column, tap) || columns.example + column >= window.input)
          continue;
        int64_t element = getSource(window, column, tap);
        int64_t known = element + columns.example / stride();
        if (isOneTile() && (known < 0 || known >= window.output))
          continue;
        products.push_back({vector * stride() + phase, tap, element});
        begin = std::min(begin, element);
        end = std::max(end, element + 1);
      }
  if (products.empty())
    return sums;
  SmallVector<Value> factors, elements;
  bool fits = int64_t(sums.size()) + taps + (end - begin) <= usableRegisters;
  if (columns.lanes == 1 && kernel.target.hasLoadMultiple() && fits) {
    factors = loadReals(kernel, weights, taps);
    elements = loadReals(kernel, row + begin * realBytes, end - begin, /*inUse=*/taps);
  } else {
    factors.resize(taps);
    elements.resize(end - begin);
  }
  for (auto [sum, tap, element] : products) {
    Value &factor = factors[tap], &x = elements[element - begin];
    if (!factor)
      factor = kernel.splat(loadAt(kernel, realType(), weights + tap * realBytes), columns.lanes);
    if (!x)
      x = loadAt(kernel, realType(columns.lanes), row + element * realBytes);
    sums[sum] = kernel.multiplyAdd(x, factor, sums[sum]);
  }
  return sums;
}

class DepthwiseInputGradientFamily : public OpFamily<Conv2DInputGradOp> {
  bool matches(Operation *root) const override {
    auto op = dyn_cast<Conv2DInputGradOp>(root);
    return op && op.isDepthwise();
  }
  void emit(Conv2DInputGradOp op, KernelEmitter &kernel) const override {
    ConvShape shape = getConvShape(op);
    DepthwiseInputGradient body(kernel, shape, op);
    body.clearPlane();
    for (const WeightPart &part : getWeightParts(kernel, op.getWeights(), op.getWeightAxis()))
      kernel.loop(0, shape.batch, 1, [&](Index image) {
        kernel.loop(0, part.size, 1, [&](Index first) { body.emitChannel(image, part, first); });
      });
  }
  int64_t getScratchBytes(Operation *root) const override {
    return getPlane(getConvShape(cast<Conv2DInputGradOp>(root))).getBytes();
  }
  std::optional<Overlap> getOverlap(Operation *root, unsigned operand) const override {
    ConvShape shape = getConvShape(cast<Conv2DInputGradOp>(root));
    // Rows of another size lie elsewhere: only what is gathered at once may be overwritten.
    bool hasSameRows = shape.rows.stride == 1 && shape.columns.stride == 1 &&
                       shape.rows.input == shape.rows.output &&
                       shape.columns.input == shape.columns.output;
    bool isGathered = shape.batch == 1 && getPlane(shape).bandRows == shape.rows.input;
    if (operand != 0 || !(hasSameRows || isGathered))
      return std::nullopt;
    return Overlap{Overlap::Traversal::Exact, 0};
  }
  Visits getVisits(Operation *root) const override { return Visits::Once; }
};

} // namespace

void tte::addDepthwiseInputGradientFamily(FamilyList &families) {
  families.push_back(std::make_unique<DepthwiseInputGradientFamily>());
}
