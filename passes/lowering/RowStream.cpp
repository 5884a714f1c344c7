// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "RowStream.h"
#include "KernelFamily.h"
#include "PackedWeights.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tte;

/// A layer cut to one row of its result, for rows [begin, end) of it: those that take the same
/// rows of the window.
struct RowVariant {
  int64_t begin, end;
  int64_t firstRow, rowCount; ///< of the input, counted from the first row of the window
  OwningOpRef<KernelOp> kernel;
};

static constexpr int64_t wordBytes = sizeof(int32_t);

/// A kernel that computes one row of the result of `stage` from `variant.rowCount` rows.
static OwningOpRef<KernelOp> makeRowKernel(const RowStage &stage, const RowVariant &variant) {
  auto cut = [](Value value, int64_t rows) {
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> shape(type.getShape());
    shape[1] = rows;
    return RankedTensorType::get(shape, type.getElementType());
  };
  Operation *op = stage.op;
  OpBuilder builder(op->getContext());
  auto kernel =
      KernelOp::create(builder, op->getLoc(), op->getName().stripDialect().str(), Strategy::plain);
  Block *body = builder.createBlock(&kernel.getBody());
  IRMapping mapping;
  for (Value operand : op->getOperands()) {
    if (mapping.contains(operand))
      continue;
    bool hasRows = operand == stage.input || isa<AddOp>(op);
    Type type = hasRows ? Type(cut(operand, operand == stage.input ? variant.rowCount : 1))
                        : operand.getType();
    BlockArgument argument = body->addArgument(type, op->getLoc());
    mapping.map(operand, argument);
    if (auto input = dyn_cast<BlockArgument>(operand); input && isPacked(input))
      markPacked(argument);
  }
  Operation *row = builder.clone(*op, mapping);
  row->getResult(0).setType(cut(op->getResult(0), 1));
  int64_t above = variant.firstRow, reach = stage.getReach();
  int64_t below = reach - above - variant.rowCount;
  llvm::TypeSwitch<Operation *>(row).Case<Conv2DOp, AvgPool2DOp, MaxPool2DOp>([&](auto layer) {
    SmallVector<int64_t> padding(layer.getPadding());
    padding[0] = above;
    padding[1] = below;
    layer.setPadding(padding);
  });
  YieldOp::create(builder, op->getLoc(), row->getResults());
  return kernel;
}

/// Rows above and below the image may stand in the window as zero points.
static bool takesZeroRows(const RowStage &stage) { return isa<Conv2DOp>(stage.op); }

/// The kernels of a stage. Only those of the first one see no rows outside the image: they read
/// it where it lies.
static SmallVector<RowVariant> getVariants(const RowStage &stage, bool isFirst) {
  SmallVector<RowVariant> variants;
  if (!isFirst && takesZeroRows(stage))
    variants.push_back({0, stage.rows.output, 0, stage.getReach(), {}});
  else
    for (const Run &run : getRuns(getForwardAxis(stage.rows)))
      variants.push_back({run.begin,
                          run.end,
                          run.tapBegin * stage.rows.dilation,
                          (run.tapEnd - 1 - run.tapBegin) * stage.rows.dilation + 1,
                          {}});
  for (RowVariant &variant : variants)
    variant.kernel = makeRowKernel(stage, variant);
  return variants;
}

namespace {
/// Kernels of all stages of a chain and what they work in.
struct RowPlan {
  SmallVector<SmallVector<RowVariant>> stages;
  int64_t stagingOffset; ///< of bytes for what does not lie at a multiple of 4
  int64_t stagingInput = 0, stagingOutput = 0;
  int64_t partOffset, scratchBytes;

  explicit RowPlan(const RowChain &chain) {
    int64_t partBytes = 0;
    for (auto [index, stage] : llvm::enumerate(chain.getStages())) {
      stages.push_back(getVariants(stage, index == 0));
      for (RowVariant &variant : stages.back()) {
        Operation *root = &variant.kernel->getBody().front().front();
        if (const KernelFamily *family = findFamily(root))
          partBytes = std::max(partBytes, family->getScratchBytes(root));
        if (stage.inputRow % wordBytes)
          stagingInput = std::max(stagingInput, variant.rowCount * stage.inputRow);
      }
      if (stage.outputRow % wordBytes)
        stagingOutput = std::max(stagingOutput, stage.outputRow);
    }
    stagingInput = llvm::alignTo(stagingInput, wordBytes);
    stagingOutput = llvm::alignTo(stagingOutput, wordBytes);
    // A sum reads two rows.
    int64_t inputs = chain.getSkip() ? 2 * stagingInput : stagingInput;
    stagingOffset = chain.getWindowBytes();
    partOffset = stagingOffset + inputs + stagingOutput;
    scratchBytes = partOffset + partBytes;
  }
};

class RowStream {
public:
  RowStream(const RowChain &chain, FusedKernel &kernel)
      : chain(chain), stages(chain.getStages()), kernel(kernel), plan(chain) {}

  LogicalResult emit() {
    kernel.setScratchBytes(plan.scratchBytes);
    for (SmallVector<RowVariant> &variants : plan.stages) {
      parts.emplace_back();
      for (RowVariant &variant : variants) {
        FailureOr<FusedKernel::Part> part = kernel.addPart(*variant.kernel);
        if (failed(part))
          return failure();
        parts.back().push_back(*part);
      }
    }
    const RowStage &last = stages.back();
    kernel.loop(0, last.rows.output, 1, [&](Index row) {
      emitRow(stages.size() - 1, row,
              kernel.add(kernel.getOutput(0), kernel.mul(row, last.outputRow)));
    });
    return success();
  }

private:
  /// Emits row `row` of stage `index`, into `output`, and before it the rows that it needs.
  void emitRow(size_t index, Index row, Bytes output) {
    const RowStage &stage = stages[index];
    if (index > 0 && stage.isRowwise())
      emitRow(index - 1, row, getWindow(index - 1));
    else if (index > 0)
      moveWindow(index, row);
    ArrayRef<RowVariant> variants = plan.stages[index];
    emitVariant(index, variants, row, output);
  }

  Bytes getWindow(size_t index) { return kernel.getScratch(stages[index].windowOffset); }

  /// Moves the window of stage `index` to row `row`: rows enter at its end, at first all.
  void moveWindow(size_t index, Index row) {
    const RowStage &stage = stages[index];
    int64_t reach = stage.getReach(), rowBytes = stage.inputRow;
    int64_t kept = reach - stage.rows.stride;
    Bytes window = getWindow(index - 1);
    bool inWords = stage.rows.stride * rowBytes % wordBytes == 0;
    if (kept > 0)
      kernel.copy(kernel.add(window, stage.rows.stride * rowBytes), window, kept * rowBytes,
                  inWords);
    Index first = kernel.mul(row, stage.rows.stride) + -stage.rows.before;
    Value isStart = kernel.isLess(row, 1);
    Index begin(arith::SelectOp::create(kernel.builder, kernel.loc, isStart, kernel.materialize(0),
                                        kernel.materialize(std::max<int64_t>(kept, 0))));
    kernel.loop(begin, reach, 1, [&](Index slot) {
      Index inputRow = kernel.add(first, slot);
      Bytes place = kernel.add(window, kernel.mul(slot, rowBytes));
      Value isOutside = arith::OrIOp::create(kernel.builder, kernel.loc, kernel.isLess(inputRow, 0),
                                             kernel.isLess(stage.rows.input - 1, inputRow));
      auto enter = [&] { emitRow(index - 1, inputRow, place); };
      auto fill = [&] {
        if (takesZeroRows(stage))
          kernel.fill(place, getZeroPoint(stage.input.getType()), rowBytes,
                      rowBytes % wordBytes == 0);
      };
      kernel.when(isOutside, fill, enter);
    });
  }

  void emitVariant(size_t index, ArrayRef<RowVariant> variants, Index row, Bytes output) {
    const RowVariant &variant = variants.front();
    auto body = [&] {
      size_t number = plan.stages[index].size() - variants.size();
      callPart(index, variant, parts[index][number], row, output);
    };
    if (variants.size() == 1)
      return body();
    kernel.when(kernel.isLess(row, variant.end), body,
                [&] { emitVariant(index, variants.drop_front(), row, output); });
  }

  void callPart(size_t index, const RowVariant &variant, const FusedKernel::Part &part, Index row,
                Bytes output) {
    const RowStage &stage = stages[index];
    Bytes input;
    if (index == 0) {
      Index first = kernel.mul(row, stage.rows.stride) + (variant.firstRow - stage.rows.before);
      input = kernel.add(kernel.getInput(stage.input), kernel.mul(first, stage.inputRow));
    } else {
      input = kernel.add(getWindow(index - 1), variant.firstRow * stage.inputRow);
    }
    int64_t staging = plan.stagingOffset;
    auto align = [&](Bytes bytes, int64_t size, bool isAligned) {
      if (isAligned)
        return bytes;
      Bytes place = kernel.getScratch(staging);
      staging += plan.stagingInput;
      kernel.copy(bytes, place, size, /*inWords=*/false);
      return place;
    };
    SmallVector<Bytes> inputs;
    SmallVector<Value> seen;
    for (Value operand : stage.op->getOperands()) {
      if (llvm::is_contained(seen, operand))
        continue;
      seen.push_back(operand);
      if (operand == stage.input) {
        bool isAligned = stage.inputRow % wordBytes == 0 || (index > 0 && variant.firstRow == 0);
        inputs.push_back(align(input, variant.rowCount * stage.inputRow, isAligned));
      } else if (operand == chain.getSkip() && isa<AddOp>(stage.op)) {
        Bytes skip = kernel.add(kernel.getInput(operand), kernel.mul(row, stage.outputRow));
        inputs.push_back(align(skip, stage.outputRow, stage.outputRow % wordBytes == 0));
      } else {
        inputs.push_back(kernel.getInput(operand));
      }
    }
    bool isAligned = stage.outputRow % wordBytes == 0;
    Bytes result = isAligned ? output : kernel.getScratch(plan.partOffset - plan.stagingOutput);
    kernel.call(part, inputs, kernel.getScratch(plan.partOffset), result);
    if (!isAligned)
      kernel.copy(result, output, stage.outputRow, /*inWords=*/false);
  }

  const RowChain &chain;
  ArrayRef<RowStage> stages;
  FusedKernel &kernel;
  RowPlan plan;
  SmallVector<SmallVector<FusedKernel::Part>> parts;
};
} // namespace

int64_t tte::getRowStreamScratchBytes(const RowChain &chain) { return RowPlan(chain).scratchBytes; }

LogicalResult tte::emitRowStream(const RowChain &chain, FusedKernel &kernel) {
  return RowStream(chain, kernel).emit();
}
