// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the example firmware wants from a board: two byte streams and a meter.

#ifndef TTE_BOARD_H
#define TTE_BOARD_H

#include <stddef.h>
#include <stdint.h>

// Opens the streams; call it before you read or write.
void board_open(void);

// Fills `data` from the host; returns 0 where the stream has ended.
int board_read(void *data, size_t size);

// Hands `data` to the host at once.
void board_write(const void *data, size_t size);

// Instructions executed since start-up.
uint64_t board_instructions(void);

// The most bytes of stack used since start-up.
uint32_t board_stack_used(void);

// Prints `message` and stops with exit code 1.
_Noreturn void board_fail(const char *message);

#endif // TTE_BOARD_H
