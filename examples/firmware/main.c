// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Trains a compiled network on images that arrive one at a time. Build with
// -DNETWORK=NAME -DNETWORK_HEADER='"NAME.h"', and give it a board.h.

#include "board.h"
#include "records.h"

#include NETWORK_HEADER

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define NET(suffix) JOIN(NETWORK, suffix) // NET(_init) is NAME_init

// A saved state passes through the arena, which is free between two calls.
static union {
  _Alignas(NET(_ARENA_ALIGNMENT)) uint8_t bytes[NET(_ARENA_BYTES)];
  uint8_t saved_state[NET(_SAVED_STATE_BYTES)];
} arena;
static _Alignas(NET(_STATE_ALIGNMENT)) uint8_t state[NET(_STATE_BYTES)];
static NET(_t) network;

static const void *run(const request_header *request, reply_header *reply) {
  int8_t *input = NET(_input)(&network);
  if (request->size != NET(_INPUT_SIZE) || !board_read(input, request->size))
    board_fail("an image has the wrong size or ends early");
  if (request->is_raw)
    NET(_quantize_input_u8)(&network, (const uint8_t *)input);

  uint64_t begin = board_instructions();
  if (request->command == INFER)
    reply->status = NET(_infer)(&network, NULL);
  else
    reply->status =
        NET(_train_step)(&network, request->label, request->learning_rate, &reply->loss);
  reply->instructions = board_instructions() - begin;
  if (reply->status != TTE_OK)
    return NULL;

  const float *scores = NET(_scores)(&network);
  reply->size = NET(_CLASSES) * sizeof(float);
  reply->prediction = 0;
  for (int32_t i = 1; i < NET(_CLASSES); ++i)
    if (scores[i] > scores[reply->prediction])
      reply->prediction = i;
  return scores;
}

static const void *serve(const request_header *request, reply_header *reply) {
  static uint32_t stack;
  switch (request->command) {
  case SAVE_STATE:
    reply->size = sizeof(arena.saved_state);
    reply->status = NET(_save_state)(&network, arena.saved_state, reply->size);
    return arena.saved_state;
  case LOAD_STATE:
    if (request->size > sizeof(arena) || !board_read(&arena, request->size))
      board_fail("a saved state is too long or ends early");
    reply->status = NET(_load_state)(&network, &arena, request->size);
    return NULL;
  case REPORT_STACK:
    stack = board_stack_used();
    reply->size = sizeof(stack);
    return &stack;
  default:
    return run(request, reply);
  }
}

int main(void) {
  request_header request;
  tte_status status = NET(_init)(&network, &arena, state);
  if (status != TTE_OK)
    board_fail(tte_status_string(status));
  while (board_read(&request, sizeof(request))) {
    reply_header reply = {.prediction = -1};
    const void *payload = serve(&request, &reply);
    board_write(&reply, sizeof(reply));
    board_write(payload, reply.size);
  }
  return 0;
}
