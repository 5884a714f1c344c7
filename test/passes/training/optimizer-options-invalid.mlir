// RUN: not tte-opt %s --pass-pipeline='builtin.module(tte-momentum{factor=1.5})' 2>&1 | FileCheck %s --check-prefix=FACTOR
// RUN: not tte-opt %s --pass-pipeline='builtin.module(tte-residual{bits=1})' 2>&1 | FileCheck %s --check-prefix=BITS
// RUN: not tte-opt %s --pass-pipeline='builtin.module(tte-accumulate{batch=0})' 2>&1 | FileCheck %s --check-prefix=BATCH
// FACTOR: error: momentum must lie between 0 and 1, found 1.5
// BITS: error: a residual has 2 to 8 bits, found 1
// BATCH: error: a batch has at least 1 step, found 0

func.func private @train_step()
