// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The board under an emulator: `firmware REQUESTS REPLIES` as command line
// names the two host files (or pipes) that are the streams.

#include "board.h"

#include "semihosting.h"
#include "startup.h"

static int requests, replies; // file handles

// Cuts the next word off `rest`.
static char *next_word(char **rest) {
  char *word = *rest;
  while (**rest && **rest != ' ')
    ++*rest;
  if (**rest)
    *(*rest)++ = '\0';
  return word;
}

static int open_stream(const char *path, semihosting_mode mode) {
  int file = semihosting_open(path, mode);
  if (file < 0)
    board_fail("cannot open a stream of the command line");
  return file;
}

void board_open(void) {
  char line[256];
  if (!semihosting_command_line(line, sizeof(line)))
    board_fail("no command line");
  char *rest = line;
  next_word(&rest); // the program
  requests = open_stream(next_word(&rest), SEMIHOSTING_READ);
  replies = open_stream(next_word(&rest), SEMIHOSTING_WRITE);
}

int board_read(void *data, size_t size) {
  uint8_t *bytes = data;
  while (size) {
    size_t missing = semihosting_read(requests, bytes, size);
    if (missing >= size)
      return 0;
    bytes += size - missing;
    size = missing;
  }
  return 1;
}

void board_write(const void *data, size_t size) {
  const uint8_t *bytes = data;
  while (size) {
    size_t missing = semihosting_write(replies, bytes, size);
    if (missing >= size)
      board_fail("the host takes no more replies");
    bytes += size - missing;
    size = missing;
  }
}

// The build says how many INSTRUCTIONS of the emulator pass in so many TICKS of the counter.
uint64_t board_instructions(void) { return counter_ticks() * INSTRUCTIONS / TICKS; }

uint32_t board_stack_used(void) {
  const uint32_t *lowest = stack_bottom;
  while (lowest < stack_top && *lowest == STACK_PAINT)
    ++lowest;
  return (uint32_t)((const uint8_t *)stack_top - (const uint8_t *)lowest);
}

_Noreturn void board_fail(const char *message) {
  semihosting_print(message);
  semihosting_print("\n");
  semihosting_exit(1);
}
