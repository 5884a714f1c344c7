// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The way of convolutions and dense layers from the bias over the accumulator to the result.
#ifndef TTE_LOWERING_AFFINERESULT_H
#define TTE_LOWERING_AFFINERESULT_H

#include "Rescale.h"

namespace tte {

class AffineResult {
public:
  /// `channelAxis` is the axis along which the parts of the weight follow each other.
  AffineResult(KernelEmitter &kernel, mlir::Value input, mlir::ValueRange weights, mlir::Value bias,
               mlir::Value result, std::optional<ClampAttr> clamp, int64_t channelAxis);

  bool isQuantized() const { return bool(inputType); }
  int64_t getInputZeroPoint() const { return inputZeroPoint; }
  /// What the accumulators of output channels start with.
  mlir::Value getInitial(Index channel, int64_t lanes);
  /// What `finish` needs of `lanes` channels.
  llvm::SmallVector<mlir::Value> loadFactors(Index channel, int64_t lanes);
  /// The result of finished accumulators.
  mlir::Value finish(mlir::Value accumulator, llvm::ArrayRef<mlir::Value> factors);
  mlir::Value finish(mlir::Value accumulator, Index channel) {
    return finish(accumulator, loadFactors(channel, getLanes(accumulator)));
  }

  /// Null where there is none.
  mlir::Value getBias() const { return bias; }
  /// See `Rescale`.
  std::optional<Table> getRecords() const { return rescale ? rescale->getRecords() : std::nullopt; }
  int64_t getRecordBytes() const { return rescale->getRecordBytes(); }
  llvm::SmallVector<mlir::Value> loadRecord(DSPBuilder &pointers, mlir::Value pointer,
                                            int64_t offset) {
    return rescale->loadRecord(pointers, pointer, offset);
  }

private:
  KernelEmitter &kernel;
  mlir::quant::QuantizedType inputType;
  int64_t inputZeroPoint;
  mlir::Value bias;
  Bounds bounds;
  std::optional<Rescale> rescale; ///< i32 to the grid of the result
  std::optional<Table> scales;    ///< i32 to f32
};

/// x - zeroPoint as the kind of number that is accumulated, of stored activations.
mlir::Value loadCentred(KernelBuilder &kernel, mlir::Value buffer, Index index, int64_t lanes,
                        int64_t zeroPoint);

} // namespace tte

#endif // TTE_LOWERING_AFFINERESULT_H
