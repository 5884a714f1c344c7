// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The generated definitions of the ops.
#include "tte/IR/TTEOps.h"

#define GET_OP_CLASSES
#include "tte/IR/TTEOps.cpp.inc"
