// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the host asks of the example firmware: one reply a request.
// Little-endian.

#ifndef TTE_RECORDS_H
#define TTE_RECORDS_H

#include <stdint.h>

// REPORT_PROFILE: for builds with -DTTE_PROFILE.
enum { INFER, TRAIN_STEP, SAVE_STATE, LOAD_STATE, REPORT_STACK, REPORT_PROFILE };

typedef struct request_header {
  uint32_t command;
  uint32_t is_raw; // the image is uint8, not yet quantized
  int32_t label;
  float learning_rate;
  uint32_t size; // bytes of the image that follows, or of a saved state
} request_header;

typedef struct reply_header {
  int32_t status; // a tte_status
  float loss;
  int32_t prediction;
  uint32_t size; // bytes that follow: scores, a saved state, the stack used or instructions
  uint64_t instructions;
} reply_header;

// What LOAD_STATE sends before its reply: the host answers with these bytes of
// the saved state, until none are asked for.
typedef struct piece_request {
  uint32_t offset;
  uint32_t size;
} piece_request;

#endif // TTE_RECORDS_H
