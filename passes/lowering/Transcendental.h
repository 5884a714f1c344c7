// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Exponential and logarithm without a mathematical library: the same bits on every target.
#ifndef TTE_LOWERING_TRANSCENDENTAL_H
#define TTE_LOWERING_TRANSCENDENTAL_H

#include "KernelBuilder.h"

namespace tte {

/// exp(x) of an f32 scalar x <= 0, to a relative error below 2e-7; exp(-87) below -87, which is
/// the smallest normal result. Cephes' expf: 2^k * p(x - k ln 2).
mlir::Value emitExp(KernelBuilder &kernel, mlir::Value x);

/// log(x) of a normal f32 scalar x >= 1, to a relative error below 4e-7. Cephes' logf:
/// x = m * 2^k with sqrt(1/2) <= m < sqrt(2).
mlir::Value emitLog(KernelBuilder &kernel, mlir::Value x);

} // namespace tte

#endif // TTE_LOWERING_TRANSCENDENTAL_H
