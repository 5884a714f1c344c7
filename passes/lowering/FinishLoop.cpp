// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "FinishLoop.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace tte;

/// The loop costs about four instructions a sum.
static constexpr int64_t kLeastTerms = 16;

/// Sums in one pass of the loop: more of them take code and save what the loop costs.
static int64_t chooseUnroll(int64_t columns) {
  for (int64_t unroll : {4, 3, 2})
    if (columns % unroll == 0)
      return unroll;
  return 1;
}

Value FinishLoop::getBuffer() {
  if (!buffer)
    buffer = kernel.onEntry([&]() -> Value {
      auto type =
          MemRefType::get({capacity * kernel.target.vectorWidth}, kernel.builder.getF32Type());
      return memref::AllocaOp::create(kernel.builder, kernel.loc, type);
    });
  return buffer;
}

void FinishLoop::run(ArrayRef<Value> sums, int64_t columns,
                     function_ref<void(Index, Index, Value)> finish) {
  int64_t count = sums.size(), unroll = chooseUnroll(columns), lanes = getLanes(sums.front());
  if (terms < kLeastTerms || count <= unroll || llvm::equal(kernel.getYielded(), ArrayRef(root))) {
    for (auto [i, sum] : llvm::enumerate(sums))
      finish(i / columns, i % columns, sum);
    return;
  }
  for (auto [i, sum] : llvm::enumerate(sums))
    kernel.store(sum, getBuffer(), i * lanes);
  kernel.loop(0, count / columns, 1, [&](Index row) {
    kernel.loop(0, columns, unroll, [&](Index first) {
      for (int64_t i = 0; i < unroll; ++i) {
        Index column = first + i;
        Index place = kernel.mul(kernel.add(kernel.mul(row, columns), column), lanes);
        finish(row, column, kernel.load(getBuffer(), place, lanes));
      }
    });
  });
}
