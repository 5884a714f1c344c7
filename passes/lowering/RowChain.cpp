// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "RowChain.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tte;

int64_t RowStage::getNeededRows(int64_t row) const {
  return std::clamp<int64_t>(row * rows.stride - rows.before + getReach(), 0, rows.input);
}

int64_t RowStage::getFirstRow(int64_t row) const {
  return std::clamp<int64_t>(row * rows.stride - rows.before, 0, rows.input);
}

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// One image of stored i8.
static bool isImage(Value value) {
  quant::QuantizedType element = getQuantizedElement(value.getType());
  return element && element.getStorageTypeIntegralWidth() == 8 && typeOf(value).getRank() == 4 &&
         typeOf(value).getDimSize(0) == 1;
}

static int64_t getRowBytes(Value value) {
  return typeOf(value).getDimSize(2) * typeOf(value).getDimSize(3);
}

static RowStage makeStage(Operation *op, Value input, ArrayRef<int64_t> kernel,
                          ArrayRef<int64_t> strides, ArrayRef<int64_t> padding,
                          ArrayRef<int64_t> dilations) {
  Value result = op->getResult(0);
  auto window = [&](unsigned axis, int64_t before) {
    return WindowParameters{typeOf(input).getDimSize(axis + 1),
                            typeOf(result).getDimSize(axis + 1),
                            kernel[axis],
                            strides[axis],
                            before,
                            dilations[axis]};
  };
  return {op,
          input,
          window(0, padding[0]),
          window(1, padding[2]),
          getRowBytes(input),
          getRowBytes(result)};
}

/// The stage of `op`, none where it cannot be one. `previous` is what the chain has computed.
static std::optional<RowStage> getStage(Operation *op, Value previous) {
  int64_t ones[] = {1, 1}, zeros[] = {0, 0, 0, 0};
  return llvm::TypeSwitch<Operation *, std::optional<RowStage>>(op)
      .Case<Conv2DOp>([&](Conv2DOp conv) -> std::optional<RowStage> {
        if (!conv.allowsWeightParts())
          return std::nullopt; // groups
        ArrayRef<int64_t> weight = typeOf(conv.getWeights().front()).getShape();
        return makeStage(op, conv.getInput(), weight.take_front(2), conv.getStrides(),
                         conv.getPadding(), conv.getDilations());
      })
      .Case<AvgPool2DOp, MaxPool2DOp>([&](auto pool) {
        return makeStage(op, pool.getInput(), pool.getKernel(), pool.getStrides(),
                         pool.getPadding(), ones);
      })
      .Case<AddOp>([&](AddOp add) -> std::optional<RowStage> {
        if (!previous || (add.getLhs() == previous) == (add.getRhs() == previous))
          return std::nullopt;
        return makeStage(op, previous, ones, ones, zeros, ones);
      })
      .Default([](Operation *) { return std::nullopt; });
}

/// Whether every window holds a row of the image and a window that moves on drops no row unseen.
static bool isRegular(const RowStage &stage, bool isFirst) {
  const WindowParameters &rows = stage.rows;
  return rows.before < stage.getReach() &&
         (rows.output - 1) * rows.stride - rows.before < rows.input &&
         (isFirst || rows.stride <= stage.getReach());
}

std::optional<RowChain> RowChain::get(ArrayRef<Operation *> ops) {
  RowChain chain;
  Value previous;
  for (Operation *op : ops) {
    std::optional<RowStage> stage = chain.skip ? std::nullopt : getStage(op, previous);
    if (!stage || (previous && stage->input != previous) || !isImage(stage->input) ||
        !isImage(op->getResult(0)))
      return std::nullopt;
    if (!isRegular(*stage, /*isFirst=*/!previous))
      return std::nullopt;
    if (auto add = dyn_cast<AddOp>(op))
      chain.skip = add.getLhs() == previous ? add.getRhs() : add.getLhs();
    previous = op->getResult(0);
    chain.stages.push_back(*stage);
  }
  if (chain.stages.size() < 2)
    return std::nullopt;
  chain.layOutWindows();
  return chain;
}

std::optional<RowChain> RowChain::get(Region &region) {
  return get(llvm::map_to_vector(region.front().without_terminator(),
                                 [](Operation &op) -> Operation * { return &op; }));
}

void RowChain::layOutWindows() {
  for (auto [index, stage] : llvm::enumerate(MutableArrayRef(stages).drop_back())) {
    stage.windowOffset = windowBytes;
    windowBytes += llvm::alignTo(stages[index + 1].getReach() * stage.outputRow, 4);
  }
}

int64_t RowChain::getFreeRows(int64_t row) const {
  // Rows of each stage's output that exist, from the last stage to the first.
  int64_t produced = row + 1;
  for (const RowStage &stage : llvm::reverse(ArrayRef(stages).drop_front()))
    produced = stage.getNeededRows(produced - 1);
  const RowStage &first = stages.front();
  return produced == first.rows.output ? first.rows.input : first.getFirstRow(produced);
}

std::optional<Overlap> RowChain::getOverlap(Value value) const {
  if (value != getInput() && value != skip)
    return std::nullopt;
  const RowStage &first = stages.front(), &last = stages.back();
  int64_t lag = std::numeric_limits<int64_t>::min();
  for (int64_t row = 0; row < last.rows.output; ++row) {
    int64_t rowBytes = value == skip ? last.outputRow : first.inputRow;
    int64_t end = value == skip ? last.rows.output : first.rows.input;
    int64_t free = value == getInput() ? getFreeRows(row) : end;
    // A sum reads each element just before it writes that of the result.
    if (value == skip)
      free = std::min(free, row + 1);
    if (free < end || value == skip)
      lag = std::max(lag, (row + 1) * last.outputRow - free * rowBytes);
  }
  // The whole input is read before anything is written.
  int64_t outputBytes = last.rows.output * last.outputRow;
  int64_t inputBytes = first.rows.input * first.inputRow;
  lag = std::max(lag, -(inputBytes + outputBytes));
  return Overlap{Overlap::Traversal::Ascending, lag};
}
