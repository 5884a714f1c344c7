// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the startup code of an architecture gives to the board.

#ifndef TTE_STARTUP_H
#define TTE_STARTUP_H

#include <stdint.h>

#define STACK_PAINT UINT32_C(0xA5A5A5A5)

// From the linker script.
extern uint32_t stack_bottom[], stack_top[];
extern uint32_t data_image[], data_begin[], data_end[];
extern uint32_t bss_begin[], bss_end[];
extern uint32_t flash_begin[], flash_end[]; // what must not be written

// Ticks of the counter of instructions since start-up.
uint64_t counter_ticks(void);

// Initialises the data of C; the stack is painted before.
static inline void initialise_data(void) {
  const uint32_t *image = data_image;
  for (uint32_t *word = data_begin; word < data_end; ++word)
    *word = *image++;
  for (uint32_t *word = bss_begin; word < bss_end; ++word)
    *word = 0;
}

#endif // TTE_STARTUP_H
