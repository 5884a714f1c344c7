// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What kernels need of the arena beside their operands and results.
#ifndef TTE_PASSES_SCRATCH_H
#define TTE_PASSES_SCRATCH_H

#include "tte/IR/TTEOps.h"

namespace tte {

/// Bytes of scratch that the kernel of `dispatch` works in; 0 for none. The planner reserves
/// them, aligned as the arena is, for the time of the call and passes them as the scratch
/// operand of `tte.call`, a memref of i8. The lowering of the kernel defines it.
int64_t getScratchBytes(DispatchOp dispatch);

} // namespace tte

#endif // TTE_PASSES_SCRATCH_H
