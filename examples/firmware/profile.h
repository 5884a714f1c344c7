// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PROFILE_H
#define PROFILE_H

#include <stdint.h>

// Instructions of each call of the last inference or training step, without
// those of the counter: `count` of them.
const uint32_t *profile_calls(uint32_t *count);

#endif // PROFILE_H
