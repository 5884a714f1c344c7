// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef TTE_STARTUP_H
#define TTE_STARTUP_H

#include <stdint.h>

// Ticks of the processor clock since start-up.
uint64_t systick_ticks(void);

// The most bytes of stack used since start-up, by the paint that is left.
uint32_t stack_used(void);

#endif // TTE_STARTUP_H
