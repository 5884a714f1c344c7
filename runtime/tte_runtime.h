// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the headers of all compiled networks share. Applications include the
// generated NAME.h and need nothing else from here than tte_status.

#ifndef TTE_RUNTIME_H
#define TTE_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Version of the tables between generated code and this runtime.
#define TTE_ABI_VERSION 3u

typedef enum tte_status {
  TTE_OK = 0,
  TTE_ERROR_INVALID_ARGUMENT = 1,
  TTE_ERROR_MISALIGNED_MEMORY = 2,
  TTE_ERROR_NOT_INITIALIZED = 3,
  TTE_ERROR_INCOMPATIBLE_LIBRARY = 4,
  TTE_ERROR_NO_TRAINING = 5,
  TTE_ERROR_LABEL_OUT_OF_RANGE = 6,
  TTE_ERROR_LEARNING_RATE = 7,
  TTE_ERROR_NOT_A_NUMBER = 8,
  TTE_ERROR_NOT_FINITE = 9,
  TTE_ERROR_KERNEL = 10,
  TTE_ERROR_STATE_NOT_WRITTEN = 11,
  TTE_ERROR_STATE_CORRUPT = 12,
  TTE_ERROR_STATE_VERSION = 13,
  TTE_ERROR_STATE_OF_OTHER_MODEL = 14,
  TTE_ERROR_STATE_CHANGED = 15,
} tte_status;

// One line of English, never NULL.
const char *tte_status_string(tte_status status);

// A network bound to its memory. Private: use the functions of NAME.h.
typedef struct tte_network {
  const struct tte_program *program; // NULL until initialized
  const struct tte_library *library;
  uint8_t *arena;
  uint8_t *state;
  const float *scores; // of the last call, NULL where it failed
} tte_network;

// How the learning rate changes: through the first `warmup` steps it rises in
// equal parts to `learning_rate`; over the rest it stays, or falls to 0 along a
// line or half a cosine.
typedef enum tte_schedule_kind {
  TTE_SCHEDULE_CONSTANT = 0,
  TTE_SCHEDULE_LINEAR = 1,
  TTE_SCHEDULE_COSINE = 2,
} tte_schedule_kind;

typedef struct tte_schedule {
  tte_schedule_kind kind;
  float learning_rate;
  uint32_t warmup;
} tte_schedule;

// The rate of the step `step` (from 0) of `steps`, exact to 3e-7 of the highest
// rate. A rate that has fallen to 0 stays there.
float tte_learning_rate(const tte_schedule *schedule, uint32_t step, uint32_t steps);

// A saved state is this header and then the bytes of the state, little-endian.
// `checksum` is the CRC-32 (IEEE 802.3) of everything else.
typedef struct tte_state_header {
  uint32_t magic;
  uint32_t version;
  uint64_t model_hash;
  uint32_t state_bytes;
  uint32_t checksum;
} tte_state_header;

#define TTE_STATE_HEADER_BYTES 24u

// Where a saved state goes: takes the next `size` bytes and returns 0, or
// another value where it cannot.
typedef int (*tte_write_fn)(void *context, const void *data, size_t size);

// Where a saved state comes from: fills `data` with the `size` bytes that start
// at `offset` and returns 0, or another value where it cannot.
typedef int (*tte_read_fn)(void *context, size_t offset, void *data, size_t size);

// A saved state in memory, memory-mapped flash for instance, where the context
// is a tte_memory_writer or a tte_memory_reader.
typedef struct tte_memory_writer {
  void *data;
  size_t capacity;
  size_t size; // bytes written so far
} tte_memory_writer;

typedef struct tte_memory_reader {
  const void *data;
  size_t size;
} tte_memory_reader;

int tte_write_memory(void *writer, const void *data, size_t size);
int tte_read_memory(void *reader, size_t offset, void *data, size_t size);

#ifdef __cplusplus
}
#endif

#endif // TTE_RUNTIME_H
