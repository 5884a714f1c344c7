// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What row kernels store where they make up a whole kernel.
#ifndef TTE_LOWERING_KERNELRESULT_H
#define TTE_LOWERING_KERNELRESULT_H

#include "AffineResult.h"
#include "RowKernels.h"

namespace tte {

/// The result of a whole kernel.
class KernelResult : public RowResult {
public:
  KernelResult(KernelEmitter &kernel, AffineResult &affine, mlir::Value root)
      : kernel(kernel), affine(affine), root(root) {}

  mlir::Value getInitial(Index channel, int64_t lanes) override {
    return affine.getInitial(channel, lanes);
  }
  llvm::SmallVector<mlir::Value> loadFactors(Index channel, int64_t lanes) override {
    return affine.loadFactors(channel, lanes);
  }
  void store(mlir::Value sum, llvm::ArrayRef<mlir::Value> factors, Index element,
             Index channel) override {
    kernel.finish(root, affine.finish(sum, factors), {element, channel, {}, getLanes(sum)});
  }
  std::optional<Requantization> getRequantization() override {
    std::optional<Table> records = affine.getRecords();
    if (!records || !llvm::equal(kernel.getYielded(), llvm::ArrayRef(root)))
      return std::nullopt;
    Requantization places{
        {}, {records->buffer, records->offset}, affine.getRecordBytes(), {kernel.getOutput(0)}};
    if (affine.getBias())
      places.bias = Place{affine.getBias()};
    return places;
  }
  llvm::SmallVector<mlir::Value> loadFactors(DSPBuilder &pointers, mlir::Value record,
                                             int64_t offset) override {
    return affine.loadRecord(pointers, record, offset);
  }
  mlir::Value requantize(mlir::Value sum, llvm::ArrayRef<mlir::Value> factors) override {
    return affine.finish(sum, factors);
  }

private:
  KernelEmitter &kernel;
  AffineResult &affine;
  mlir::Value root;
};

} // namespace tte

#endif // TTE_LOWERING_KERNELRESULT_H
