// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Losses and their gradients: small, in scalars.
#include "../KernelFamily.h"
#include "../Transcendental.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tte;

namespace {

Value isLabel(KernelEmitter &kernel, Value label, Index channel) {
  Value index = arith::IndexCastOp::create(kernel.builder, kernel.loc, kernel.builder.getI32Type(),
                                           kernel.materialize(channel));
  return arith::CmpIOp::create(kernel.builder, kernel.loc, arith::CmpIPredicate::eq, index, label);
}

/// Softmax of one row of scores.
class Softmax {
public:
  Softmax(KernelEmitter &kernel, Value scores, Index row)
      : kernel(kernel), scores(kernel.bufferOf(scores)),
        classes(cast<RankedTensorType>(scores.getType()).getDimSize(1)),
        first(kernel.mul(row, classes)) {
    largest = reduce(load(0), 1, [&](Value element, Value sum) -> Value {
      return arith::MaxNumFOp::create(kernel.builder, kernel.loc, sum, element);
    });
    sum = reduce(kernel.f32(0), 0, [&](Value element, Value sum) -> Value {
      return arith::AddFOp::create(kernel.builder, kernel.loc, sum, exponential(element));
    });
  }

  Value load(Index channel) { return kernel.load(scores, kernel.add(first, channel)); }
  /// exp(score - largest)
  Value exponential(Value score) {
    return emitExp(kernel, arith::SubFOp::create(kernel.builder, kernel.loc, score, largest));
  }

  KernelEmitter &kernel;
  Value scores;
  int64_t classes;
  Index first;
  Value largest, sum;

private:
  Value reduce(Value init, int64_t begin, function_ref<Value(Value, Value)> combine) {
    return kernel
        .loop(begin, classes, 1, init,
              [&](Index channel, ArrayRef<Value> carried) -> SmallVector<Value> {
                return {combine(load(channel), carried[0])};
              })
        .front();
  }
};

class OneHotFamily : public OpFamily<OneHotOp> {
  void emit(OneHotOp op, KernelEmitter &kernel) const override {
    ArrayRef<int64_t> shape = cast<RankedTensorType>(op.getType()).getShape();
    kernel.loopNest(shape, [&](ArrayRef<Index> at) {
      Value label = kernel.load(kernel.bufferOf(op.getLabels()), at[0]);
      Value value = arith::SelectOp::create(
          kernel.builder, kernel.loc, isLabel(kernel, label, at[1]), kernel.f32(1), kernel.f32(0));
      kernel.finish(op.getResult(), value, {kernel.linearize(at, shape), at[1], {}, 1});
    });
  }
};

class CrossEntropyFamily : public OpFamily<SoftmaxCrossEntropyOp> {
  void emit(SoftmaxCrossEntropyOp op, KernelEmitter &kernel) const override {
    OpBuilder &builder = kernel.builder;
    Location loc = kernel.loc;
    int64_t rows = cast<RankedTensorType>(op.getScores().getType()).getDimSize(0);
    auto addRow = [&](Index row, ArrayRef<Value> carried) -> SmallVector<Value> {
      Softmax softmax(kernel, op.getScores(), row);
      Value label = kernel.load(kernel.bufferOf(op.getLabels()), row);
      Value channel = arith::IndexCastOp::create(builder, loc, builder.getIndexType(), label);
      Value logSum =
          arith::AddFOp::create(builder, loc, emitLog(kernel, softmax.sum), softmax.largest);
      Value loss = arith::SubFOp::create(builder, loc, logSum, softmax.load(Index(channel)));
      return {arith::AddFOp::create(builder, loc, carried[0], loss)};
    };
    Value sum = kernel.loop(0, rows, 1, kernel.f32(0), addRow).front();
    Value mean = arith::DivFOp::create(builder, loc, sum, kernel.f32(rows));
    kernel.finish(op.getLoss(), mean, {0, 0, {}, 1});
  }
};

class CrossEntropyGradientFamily : public OpFamily<SoftmaxCrossEntropyGradOp> {
  void emit(SoftmaxCrossEntropyGradOp op, KernelEmitter &kernel) const override {
    OpBuilder &builder = kernel.builder;
    Location loc = kernel.loc;
    int64_t rows = cast<RankedTensorType>(op.getType()).getDimSize(0);
    kernel.loop(0, rows, 1, [&](Index row) {
      Softmax softmax(kernel, op.getScores(), row);
      Value label = kernel.load(kernel.bufferOf(op.getLabels()), row);
      kernel.loop(0, softmax.classes, 1, [&](Index channel) {
        Value probability = arith::DivFOp::create(
            builder, loc, softmax.exponential(softmax.load(channel)), softmax.sum);
        Value target = arith::SelectOp::create(builder, loc, isLabel(kernel, label, channel),
                                               kernel.f32(1), kernel.f32(0));
        Value difference = arith::SubFOp::create(builder, loc, probability, target);
        Value share = arith::DivFOp::create(builder, loc, difference, kernel.f32(rows));
        kernel.finish(op.getResult(), share, {kernel.add(softmax.first, channel), channel, {}, 1});
      });
    });
  }
};

class SquaredErrorFamily : public OpFamily<MeanSquaredErrorOp> {
  void emit(MeanSquaredErrorOp op, KernelEmitter &kernel) const override {
    int64_t elements = cast<RankedTensorType>(op.getPrediction().getType()).getNumElements();
    auto addElement = [&](Index element, ArrayRef<Value> carried) -> SmallVector<Value> {
      Value difference = arith::SubFOp::create(
          kernel.builder, kernel.loc, kernel.load(kernel.bufferOf(op.getPrediction()), element),
          kernel.load(kernel.bufferOf(op.getTarget()), element));
      return {kernel.multiplyAdd(difference, difference, carried[0])};
    };
    Value sum = kernel.loop(0, elements, 1, kernel.f32(0), addElement).front();
    Value mean = arith::DivFOp::create(kernel.builder, kernel.loc, sum, kernel.f32(elements));
    kernel.finish(op.getLoss(), mean, {0, 0, {}, 1});
  }
};

} // namespace

void tte::addLossFamilies(FamilyList &families) {
  families.push_back(std::make_unique<OneHotFamily>());
  families.push_back(std::make_unique<CrossEntropyFamily>());
  families.push_back(std::make_unique<CrossEntropyGradientFamily>());
  families.push_back(std::make_unique<SquaredErrorFamily>());
}
