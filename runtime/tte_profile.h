// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where a build with -DTTE_PROFILE measures the calls of a function: the
// application then defines both hooks. In all other builds they cost nothing.

#ifndef TTE_PROFILE_H
#define TTE_PROFILE_H

#include <stdint.h>

#ifdef TTE_PROFILE

// Before and after position `call` of the call table, bindings included.
void tte_profile_begin(uint32_t call);
void tte_profile_end(uint32_t call);

#else

static inline void tte_profile_begin(uint32_t call) { (void)call; }
static inline void tte_profile_end(uint32_t call) { (void)call; }

#endif

#endif // TTE_PROFILE_H
