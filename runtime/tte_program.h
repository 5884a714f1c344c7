// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A compiled network as constant tables, and the functions that interpret
// them. Included by the generated NAME.c and the runtime, not by applications.

#ifndef TTE_PROGRAM_H
#define TTE_PROGRAM_H

#include "executable_library.h"
#include "tte_runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

// The only functions wanted from a C library.
void *memcpy(void *destination, const void *source, size_t size);
void *memset(void *destination, int value, size_t size);

#define TTE_MAX_BINDINGS 32

// A binding is a memory space in the two high bits and a byte offset below.
#define TTE_SPACE_SHIFT 30
#define TTE_OFFSET_MASK ((UINT32_C(1) << TTE_SPACE_SHIFT) - 1)
enum { TTE_SPACE_ARENA = 0, TTE_SPACE_STATE = 1, TTE_SPACE_FLASH = 2 };

// In place of a kernel: the call has one binding and one constant N, and fails
// with TTE_ERROR_NOT_FINITE unless the N f32 values of the binding are finite.
#define TTE_CHECK_FINITE 0xFFFFu

typedef struct tte_call {
  uint16_t kernel; // ordinal in the library, or TTE_CHECK_FINITE
  uint8_t binding_count;
  uint8_t constant_count;
  uint16_t first_binding;  // index into tte_program.bindings
  uint16_t first_constant; // index into tte_program.push_constants
} tte_call;

// Bytes of the arena that hold nothing after some call.
typedef struct tte_dead_range {
  uint32_t offset;
  uint32_t size;
} tte_dead_range;

typedef struct tte_function {
  const tte_call *calls;
  uint32_t call_count;
  uint32_t scores; // arena offset of f32[class_count]
  // Of debug builds (tte_poison.h), else null: call i has the ranges from
  // dead_ends[i - 1] (0 for the first) to dead_ends[i].
  const tte_dead_range *dead;
  const uint16_t *dead_ends;
} tte_function;

// q = round(real / scale) + zero_point, saturated to int8; a raw uint8 value u
// stands for real = u * u8_scale + u8_offset.
typedef struct tte_input {
  uint32_t offset; // in the arena
  uint32_t size;   // elements
  float scale;
  int32_t zero_point;
  float u8_scale;
  float u8_offset;
} tte_input;

// The initial state is packed in runs. A run begins with a byte that holds the
// number of units less 1; with this bit the units are i16 that stand for the
// i32 of the same value, else bytes. Behind the last run the state is 0.
#define TTE_INITIAL_WORDS 0x80u

typedef struct tte_program {
  uint32_t abi_version;
  uint32_t class_count;
  uint64_t model_hash;
  tte_library_query query;
  uint32_t kernel_count;
  uint32_t arena_alignment; // bytes, a power of two
  uint32_t state_alignment; // bytes, a power of two
  uint32_t state_bytes;
  uint32_t initial_bytes; // of initial_state
  const uint8_t *initial_state;
  const uint8_t *flash;
  const uint32_t *bindings;
  const uint32_t *push_constants;
  tte_function infer;
  tte_function train_step; // no calls: the network does not train
  tte_input input;
  uint32_t label;         // arena offset of i32, written before each step
  uint32_t learning_rate; // arena offset of f32, written before each step
  uint32_t loss;          // arena offset of f32
  uint32_t step;          // state offset of i32, the number of completed steps
} tte_program;

// The generated functions of NAME.h forward to these, which see NAME.h for
// their contract. Arguments are checked before anything is written.
tte_status tte_init(const tte_program *program, tte_network *network, void *arena, void *state);
int8_t *tte_input_data(const tte_program *program, const tte_network *network);
tte_status tte_quantize_input_u8(const tte_program *program, const tte_network *network,
                                 const uint8_t *image);
tte_status tte_quantize_input_f32(const tte_program *program, const tte_network *network,
                                  const float *image);
tte_status tte_infer(const tte_program *program, tte_network *network, float *scores);
tte_status tte_train_step(const tte_program *program, tte_network *network, int label,
                          float learning_rate, float *loss);
const float *tte_scores(const tte_program *program, const tte_network *network);
tte_status tte_save_state(const tte_program *program, const tte_network *network,
                          tte_write_fn write, void *context);
tte_status tte_load_state(const tte_program *program, tte_network *network, tte_read_fn read,
                          void *context);

void tte_reset_state(const tte_program *program, uint8_t *state);

static inline int tte_is_initialized(const tte_program *program, const tte_network *network) {
  return network && network->program == program;
}

static inline uint32_t tte_float_bits(const void *value) {
  uint32_t bits;
  memcpy(&bits, value, sizeof(bits));
  return bits;
}

// Finite: the exponent is not all ones.
static inline int tte_is_finite(uint32_t bits) {
  return (bits & UINT32_C(0x7F800000)) != UINT32_C(0x7F800000);
}

static inline int tte_is_nan(uint32_t bits) {
  return (bits & UINT32_C(0x7FFFFFFF)) > UINT32_C(0x7F800000);
}

#ifdef __cplusplus
}
#endif

#endif // TTE_PROGRAM_H
