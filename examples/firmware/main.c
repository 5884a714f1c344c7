// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Trains a compiled network on images that arrive one at a time. Build with
// -DNETWORK=NAME -DNETWORK_HEADER='"NAME.h"', and give it a board.h.

#include "board.h"
#include "records.h"
#ifdef TTE_PROFILE
#include "profile.h"
#endif

#include NETWORK_HEADER

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define NET(suffix) JOIN(NETWORK, suffix) // NET(_init) is NAME_init

static _Alignas(NET(_ARENA_ALIGNMENT)) uint8_t arena[NET(_ARENA_BYTES)];
static _Alignas(NET(_STATE_ALIGNMENT)) uint8_t state[NET(_STATE_BYTES)];
static NET(_t) network;

static int write_state(void *context, const void *data, size_t size) {
  (void)context;
  board_write(data, size);
  return 0;
}

static int read_state(void *context, size_t offset, void *data, size_t size) {
  const request_header *request = context;
  const piece_request piece = {.offset = (uint32_t)offset, .size = (uint32_t)size};
  if (offset + size > request->size)
    return 1;
  board_write(&piece, sizeof(piece));
  return !board_read(data, size);
}

static tte_status load_state(request_header *request) {
  static const piece_request none;
  tte_status status = NET(_load_state)(&network, read_state, request);
  board_write(&none, sizeof(none));
  return status;
}

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

static void serve(request_header *request) {
  reply_header reply = {.prediction = -1};
  const void *payload = NULL;
  uint32_t stack;
  switch (request->command) {
  case SAVE_STATE:
    reply.size = NET(_SAVED_STATE_BYTES);
    board_write(&reply, sizeof(reply));
    NET(_save_state)(&network, write_state, NULL);
    return;
  case LOAD_STATE:
    reply.status = load_state(request);
    break;
  case REPORT_STACK:
    stack = board_stack_used();
    reply.size = sizeof(stack);
    payload = &stack;
    break;
#ifdef TTE_PROFILE
  case REPORT_PROFILE:
    payload = profile_calls(&reply.size);
    reply.size *= sizeof(uint32_t);
    break;
#endif
  default:
    payload = run(request, &reply);
  }
  board_write(&reply, sizeof(reply));
  board_write(payload, reply.size);
}

int main(void) {
  request_header request;
  board_open();
  tte_status status = NET(_init)(&network, arena, state);
  if (status != TTE_OK)
    board_fail(tte_status_string(status));
  while (board_read(&request, sizeof(request)))
    serve(&request);
  return 0;
}
