// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The hooks of a profile build, -DTTE_PROFILE, with the board's counter.

#include "profile.h"

#include "board.h"
#include "tte_profile.h"

enum { MAX_CALLS = 4096 };

static uint32_t instructions[MAX_CALLS], call_count, counter_cost;
static uint64_t begin;

void tte_profile_begin(uint32_t call) {
  if (call == 0) { // what two readings count with nothing between them
    begin = board_instructions();
    counter_cost = (uint32_t)(board_instructions() - begin);
  }
  begin = board_instructions();
}

void tte_profile_end(uint32_t call) {
  uint64_t passed = board_instructions() - begin;
  if (call >= MAX_CALLS)
    board_fail("too many calls to profile");
  instructions[call] = (uint32_t)passed - (passed < counter_cost ? (uint32_t)passed : counter_cost);
  call_count = call + 1;
}

const uint32_t *profile_calls(uint32_t *count) {
  *count = call_count;
  return instructions;
}
