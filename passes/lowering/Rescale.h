// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From accumulators to stored results.
#ifndef TTE_LOWERING_RESCALE_H
#define TTE_LOWERING_RESCALE_H

#include "DSPBuilder.h"
#include "Elementwise.h"

namespace tte {

/// value = multiplier * 2^-shift as TOSA 1.0 RESCALE takes it: multiplier in [2^30, 2^31),
/// 2 <= shift <= 62; smaller values shift the multiplier right.
struct FixedPoint {
  int32_t multiplier;
  int32_t shift;
};
FixedPoint getFixedPoint(double value);

/// Requantization of i32 accumulators with one factor per channel, or one for all.
///
/// A channel takes five bytes of flash: the multiplier and, in a byte, its shift less 33. For
/// targets with DSP instructions they are a record, else two tables. Where factors are loaded very
/// often, the record is three words: multiplier, rounding constant and shift as `apply` takes them.
class Rescale {
public:
  /// `isHot`: factors are loaded often, so that instructions count for more than bytes.
  Rescale(KernelEmitter &kernel, llvm::ArrayRef<double> factors, int64_t zeroPoint, Bounds bounds,
          bool isHot);
  /// The factors of `lanes` channels, for `apply`.
  llvm::SmallVector<mlir::Value> loadFactors(Index channel, int64_t lanes);
  mlir::Value apply(mlir::Value accumulator, llvm::ArrayRef<mlir::Value> factors);

  /// The records, where there is one a channel.
  std::optional<Table> getRecords() const {
    return perChannel && kernel.target.dsp ? std::optional(records) : std::nullopt;
  }
  int64_t getRecordBytes() const { return hasWords ? 12 : 5; }
  /// The factors from the record that lies `offset` bytes behind `pointer`.
  llvm::SmallVector<mlir::Value> loadRecord(DSPBuilder &pointers, mlir::Value pointer,
                                            int64_t offset);

private:
  void addTables(llvm::ArrayRef<FixedPoint> points);
  /// What is shifted left to become the rounding constant.
  int32_t getUnit() const { return foldsZeroPoint ? 2 * zeroPoint + 1 : 1; }
  /// Whether the last place of the shift is part of the instruction that saturates.
  bool saturates() const;
  llvm::SmallVector<mlir::Value> getFactors(mlir::Value multiplier, mlir::Value shift);
  mlir::Value applyHigh(mlir::Value accumulator, llvm::ArrayRef<mlir::Value> factors);
  mlir::Value applyWide(mlir::Value accumulator, llvm::ArrayRef<mlir::Value> factors);

  KernelEmitter &kernel;
  Bounds bounds;
  int64_t zeroPoint;
  bool perChannel;
  /// All shifts are 33 or more: the high word of the product suffices.
  bool highWordSuffices;
  /// Whether the zero point joins the rounding constant: it cannot overflow there.
  bool foldsZeroPoint = false;
  bool hasWords;
  Table records;
  Table multipliers, shifts; ///< where there are no records
};

} // namespace tte

#endif // TTE_LOWERING_RESCALE_H
