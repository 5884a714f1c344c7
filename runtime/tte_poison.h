// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// In a build with -DTTE_POISON, after each call the bytes of the arena that
// hold nothing get a pattern, so that a value that is used too late or before
// it is written is wrong for sure. Its tables are those of a compilation with
// --poison; in all other builds this costs nothing.

#ifndef TTE_POISON_H
#define TTE_POISON_H

#include "tte_program.h"

#ifdef TTE_POISON

// A NaN as f32, far from 0 as an integer.
#define TTE_POISON_BYTE 0xFF

static inline void tte_poison(uint8_t *arena, const tte_function *function, uint32_t call) {
  if (!function->dead_ends)
    return;
  for (uint32_t i = call ? function->dead_ends[call - 1] : 0; i < function->dead_ends[call]; ++i)
    memset(arena + function->dead[i].offset, TTE_POISON_BYTE, function->dead[i].size);
}

#else

static inline void tte_poison(uint8_t *arena, const tte_function *function, uint32_t call) {
  (void)arena, (void)function, (void)call;
}

#endif

#endif // TTE_POISON_H
