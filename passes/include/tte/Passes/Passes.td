// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_PASSES_PASSES_TD
#define TTE_PASSES_PASSES_TD

include "tte/Passes/Lowering.td"
include "tte/Passes/Memory.td"
include "tte/Passes/Training.td"
include "tte/Passes/Verification.td"

#endif // TTE_PASSES_PASSES_TD
