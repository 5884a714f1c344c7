// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_PASSES_LOWERING_TD
#define TTE_PASSES_LOWERING_TD

include "mlir/Pass/PassBase.td"

#endif // TTE_PASSES_LOWERING_TD
