// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Depthwise convolutions: quantized ones by row kernels; for the others a tile of columns of one
// channel (one vector of channels) shares what it loads; at the borders of the image, taps outside
// are left out of the code (columns) or of the loop (rows).
#include "../AffineResult.h"
#include "../ConvShape.h"
#include "../KernelFamily.h"
#include "../KernelResult.h"
#include "../WeightParts.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/DenseMap.h"

using namespace mlir;
using namespace tte;

namespace {

/// Columns of a tile. Scalar f32 code has 32 registers, other code half as many.
int64_t getTileWidth(KernelEmitter &kernel, bool isFloat) {
  return kernel.target.vectorWidth == 1 && isFloat ? 8 : 4;
}

/// A sum over taps for every output.
class DepthwiseSum {
public:
  DepthwiseSum(KernelEmitter &kernel, const ConvShape &shape, ArrayRef<WeightPart> parts,
               const Axis &rows, const Axis &columns, int64_t width)
      : kernel(kernel), shape(shape), parts(parts), rows(rows), columns(columns), width(width) {}
  virtual ~DepthwiseSum() = default;

  void emit();

protected:
  virtual Value getInitial(Index channel, int64_t lanes) = 0;
  virtual Value loadInput(Index index, int64_t lanes) = 0;
  virtual Value loadWeight(const WeightPart &part, Index index, Index channel, int64_t lanes) = 0;
  virtual void finish(Value sum, const Position &position) = 0;

  KernelEmitter &kernel;
  const ConvShape &shape;

private:
  void emitTile(Index image, Index row, Index tapBegin, Index tapEnd, const ColumnTile &tile,
                const WeightPart &part, Index first, int64_t lanes);
  SmallVector<Value> accumulateRow(SmallVector<Value> sums, Index image, Index row, Index tap,
                                   const ColumnTile &tile, const WeightPart &part, Index first,
                                   int64_t lanes);

  ArrayRef<WeightPart> parts;
  const Axis &rows, &columns;
  int64_t width;
};

void DepthwiseSum::emit() {
  kernel.loop(0, shape.batch, 1, [&](Index image) {
    loopRows(kernel, rows, [&](Index row, Index tapBegin, Index tapEnd) {
      loopColumnTiles(kernel, columns, width, {}, [&](const ColumnTile &tile, ArrayRef<Value>) {
        for (const WeightPart &part : parts)
          kernel.loopLanes(part.size, kernel.target.vectorWidth, [&](Index first, int64_t lanes) {
            emitTile(image, row, tapBegin, tapEnd, tile, part, first, lanes);
          });
        return SmallVector<Value>();
      });
    });
  });
}

SmallVector<Value> DepthwiseSum::accumulateRow(SmallVector<Value> sums, Index image, Index row,
                                               Index tap, const ColumnTile &tile,
                                               const WeightPart &part, Index first, int64_t lanes) {
  int64_t channels = shape.inputChannels;
  Index y = kernel.add(kernel.mul(row, rows.inputStride),
                       kernel.mul(tap, rows.offsetStep) + rows.firstOffset);
  Index line = kernel.mul(kernel.add(kernel.mul(image, rows.extent), y), columns.extent);
  Index pixel =
      kernel.mul(kernel.add(line, kernel.mul(tile.column, columns.inputStride)), channels);
  Index input = kernel.add(pixel, first) + part.begin;
  Index kernelRow =
      kernel.mul(kernel.mul(tap, rows.tapStep) + rows.firstTap, shape.columns.kernel * part.size);
  llvm::DenseMap<int64_t, Value> loaded;
  for (int64_t t = 0; t < columns.taps; ++t) {
    Value weight;
    for (int64_t p = 0; p < tile.count; ++p) {
      if (!columns.reads(tile.example + p, t))
        continue;
      if (!weight)
        weight = loadWeight(part,
                            kernel.add(kernelRow, first) +
                                (columns.firstTap + t * columns.tapStep) * part.size,
                            first + part.begin, lanes);
      int64_t offset = p * columns.inputStride + columns.offsetOf(t);
      Value &x = loaded[offset];
      if (!x)
        x = loadInput(input + offset * channels, lanes);
      sums[p] = kernel.multiplyAdd(x, weight, sums[p]);
    }
  }
  return sums;
}

void DepthwiseSum::emitTile(Index image, Index row, Index tapBegin, Index tapEnd,
                            const ColumnTile &tile, const WeightPart &part, Index first,
                            int64_t lanes) {
  Index channel = first + part.begin;
  SmallVector<Value> sums(tile.count, getInitial(channel, lanes));
  auto step = [&](Index tap, ArrayRef<Value> carried) {
    return accumulateRow(SmallVector<Value>(carried), image, row, tap, tile, part, first, lanes);
  };
  // With more integer sums than two, scalar code spills where all kernel rows are in one block.
  bool unrolls =
      kernel.target.vectorWidth > 1 || tile.count <= 2 || isa<FloatType>(sums.front().getType());
  if (unrolls && tapBegin.isConstant() && tapEnd.isConstant())
    for (int64_t tap = tapBegin.offset; tap < tapEnd.offset; ++tap)
      sums = step(tap, sums);
  else
    sums = kernel.loop(tapBegin, tapEnd, 1, sums, step);

  int64_t outputRows = rows.outputStride == 1 ? rows.count : shape.rows.input;
  int64_t outputColumns = columns.outputStride == 1 ? columns.count : shape.columns.input;
  Index y = kernel.mul(row, rows.outputStride) + rows.outputBase;
  Index x = kernel.mul(tile.column, columns.outputStride) + columns.outputBase;
  Index line = kernel.mul(kernel.add(kernel.mul(image, outputRows), y), outputColumns);
  for (int64_t p = 0; p < tile.count; ++p) {
    Index pixel = kernel.mul(kernel.add(line, x) + p * columns.outputStride, shape.inputChannels);
    finish(sums[p], {kernel.add(pixel, channel), channel, {}, lanes});
  }
}

class Forward : public DepthwiseSum {
public:
  Forward(KernelEmitter &kernel, const ConvShape &shape, ArrayRef<WeightPart> parts,
          const Axis &rows, const Axis &columns, Conv2DOp op, AffineResult &affine)
      : DepthwiseSum(kernel, shape, parts, rows, columns,
                     getTileWidth(kernel, !affine.isQuantized())),
        input(kernel.bufferOf(op.getInput())), result(op.getResult()), affine(affine) {}

private:
  Value getInitial(Index channel, int64_t lanes) override {
    return affine.getInitial(channel, lanes);
  }
  Value loadInput(Index index, int64_t lanes) override {
    return loadCentred(kernel, input, index, lanes, affine.getInputZeroPoint());
  }
  Value loadWeight(const WeightPart &part, Index index, Index channel, int64_t lanes) override {
    return kernel.load(part.buffer, index, lanes);
  }
  void finish(Value sum, const Position &position) override {
    kernel.finish(result, affine.finish(sum, position.channel), position);
  }

  Value input, result;
  AffineResult &affine;
};

class DepthwiseForwardFamily : public OpFamily<Conv2DOp> {
  bool matches(Operation *root) const override {
    auto op = dyn_cast<Conv2DOp>(root);
    return op && op.isDepthwise();
  }
  static std::optional<DepthwiseRows> getRows(Conv2DOp op) {
    if (!getQuantizedElement(op.getInput().getType()))
      return std::nullopt;
    return DepthwiseRows::get(getConvShape(op), getZeroPoint(op.getInput().getType()));
  }
  int64_t getScratchBytes(Operation *root) const override {
    std::optional<DepthwiseRows> rows = getRows(cast<Conv2DOp>(root));
    return rows ? rows->getScratchBytes() : 0;
  }
  std::optional<Overlap> getOverlap(Operation *root, unsigned operand) const override {
    auto op = cast<Conv2DOp>(root);
    std::optional<DepthwiseRows> rows = getRows(op);
    if (!rows || !rows->isInPlace() || root->getOperand(operand) != op.getInput())
      return std::nullopt;
    return Overlap{Overlap::Traversal::Exact, 0};
  }
  void emit(Conv2DOp op, KernelEmitter &kernel) const override {
    ConvShape shape = getConvShape(op);
    AffineResult affine(kernel, op.getInput(), op.getWeights(), op.getBias(), op.getResult(),
                        op.getClamp(), op.getWeightAxis());
    SmallVector<WeightPart> parts = getWeightParts(kernel, op.getWeights(), /*axis=*/3);
    KernelResult result(kernel, affine, op.getResult());
    std::optional<DepthwiseRows> known = getRows(op);
    if (known) {
      DepthwiseRows::Operands operands{
          {kernel.bufferOf(op.getInput())}, parts, kernel.getScratch(known->getScratchBytes())};
      known->emit(kernel, operands, result);
      return;
    }
    Axis rows = getForwardAxis(shape.rows), columns = getForwardAxis(shape.columns);
    Forward(kernel, shape, parts, rows, columns, op, affine).emit();
  }
};

} // namespace

void tte::addDepthwiseForwardFamily(FamilyList &families) {
  families.push_back(std::make_unique<DepthwiseForwardFamily>());
}
