// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// An executable library in plain C: a linear classifier on four int8 values
// with three classes and a squared loss, and ways to break it.

#ifndef FAKE_KERNELS_H
#define FAKE_KERNELS_H

#include "executable_library.h"

typedef struct fake_faults {
  int no_library;     // the query returns NULL
  uint32_t version;   // of the header, where not 0
  uint16_t memory;    // pages of workgroup memory that kernels ask for
  int failing_kernel; // a kernel with this ordinal + 1 fails
} fake_faults;

extern fake_faults fake;

const tte_library *fake_library_query(uint32_t max_version, const tte_environment *environment);

#endif // FAKE_KERNELS_H
