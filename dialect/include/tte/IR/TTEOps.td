// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_OPS_TD
#define TTE_OPS_TD

include "tte/IR/TTEGradientOps.td"
include "tte/IR/TTELossOps.td"
include "tte/IR/TTENetworkOps.td"
include "tte/IR/TTEProgramOps.td"
include "tte/IR/TTEUpdateOps.td"

#endif // TTE_OPS_TD
