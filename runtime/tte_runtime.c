// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tte_poison.h"
#include "tte_profile.h"
#include "tte_program.h"

static int is_aligned(const void *pointer, uint32_t alignment) {
  return ((uintptr_t)pointer & (alignment - 1)) == 0;
}

static int all_finite(const uint8_t *values, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i)
    if (!tte_is_finite(tte_float_bits(values + 4 * i)))
      return 0;
  return 1;
}

static tte_status run(const tte_program *program, tte_network *network,
                      const tte_function *function) {
  uint8_t *const spaces[] = {network->arena, network->state, (uint8_t *)program->flash};
  void *bindings[TTE_MAX_BINDINGS];

  network->scores = NULL;
  for (uint32_t i = 0; i < function->call_count; ++i) {
    const tte_call *call = &function->calls[i];
    const uint32_t *constants = program->push_constants + call->first_constant;
    tte_profile_begin(i);
    for (uint32_t b = 0; b < call->binding_count; ++b) {
      uint32_t binding = program->bindings[call->first_binding + b];
      bindings[b] = spaces[binding >> TTE_SPACE_SHIFT] + (binding & TTE_OFFSET_MASK);
    }
    if (call->kernel == TTE_CHECK_FINITE) {
      if (!all_finite(bindings[0], constants[0]))
        return TTE_ERROR_NOT_FINITE;
    } else if (tte_library_dispatch(network->library, call->kernel, bindings, call->binding_count,
                                    constants, call->constant_count)) {
      return TTE_ERROR_KERNEL;
    }
    tte_profile_end(i);
    tte_poison(network->arena, function, i);
  }
  network->scores = (const float *)(network->arena + function->scores);
  return TTE_OK;
}

void tte_reset_state(const tte_program *program, uint8_t *state) {
  const uint8_t *packed = program->initial_state;
  const uint8_t *const packed_end = packed + program->initial_bytes;
  uint8_t *const end = state + program->state_bytes;
  while (packed != packed_end) {
    const int has_words = *packed & TTE_INITIAL_WORDS;
    uint32_t count = (*packed++ & (TTE_INITIAL_WORDS - 1u)) + 1;
    if (!has_words) {
      memcpy(state, packed, count);
      state += count;
      packed += count;
    } else {
      for (; count; --count, packed += 2, state += 4) {
        const int32_t word = (int16_t)(packed[0] | packed[1] << 8);
        memcpy(state, &word, sizeof(word));
      }
    }
  }
  memset(state, 0, (size_t)(end - state));
}

tte_status tte_init(const tte_program *program, tte_network *network, void *arena, void *state) {
  if (!network || !arena || !state)
    return TTE_ERROR_INVALID_ARGUMENT;
  if (!is_aligned(arena, program->arena_alignment) || !is_aligned(state, program->state_alignment))
    return TTE_ERROR_MISALIGNED_MEMORY;
  const tte_library *library = tte_library_load(program->query, program->kernel_count);
  if (!library || program->abi_version != TTE_ABI_VERSION)
    return TTE_ERROR_INCOMPATIBLE_LIBRARY;
  tte_reset_state(program, state);
  *network = (tte_network){.program = program, .library = library, .arena = arena, .state = state};
  return TTE_OK;
}

int8_t *tte_input_data(const tte_program *program, const tte_network *network) {
  if (!tte_is_initialized(program, network))
    return NULL;
  return (int8_t *)(network->arena + program->input.offset);
}

tte_status tte_infer(const tte_program *program, tte_network *network, float *scores) {
  if (!tte_is_initialized(program, network))
    return TTE_ERROR_NOT_INITIALIZED;
  tte_status status = run(program, network, &program->infer);
  if (status == TTE_OK && scores)
    memcpy(scores, network->scores, program->class_count * sizeof(float));
  return status;
}

tte_status tte_train_step(const tte_program *program, tte_network *network, int label,
                          float learning_rate, float *loss) {
  if (!tte_is_initialized(program, network))
    return TTE_ERROR_NOT_INITIALIZED;
  if (!program->train_step.call_count)
    return TTE_ERROR_NO_TRAINING;
  if (label < 0 || (uint32_t)label >= program->class_count)
    return TTE_ERROR_LABEL_OUT_OF_RANGE;
  if (!tte_is_finite(tte_float_bits(&learning_rate)) || learning_rate < 0.0f)
    return TTE_ERROR_LEARNING_RATE;

  const int32_t class_index = label;
  memcpy(network->arena + program->label, &class_index, sizeof(class_index));
  memcpy(network->arena + program->learning_rate, &learning_rate, sizeof(learning_rate));
  tte_status status = run(program, network, &program->train_step);
  if (status != TTE_OK)
    return status;

  uint32_t step;
  memcpy(&step, network->state + program->step, sizeof(step));
  ++step;
  memcpy(network->state + program->step, &step, sizeof(step));
  if (loss)
    memcpy(loss, network->arena + program->loss, sizeof(*loss));
  return TTE_OK;
}

const float *tte_scores(const tte_program *program, const tte_network *network) {
  return tte_is_initialized(program, network) ? network->scores : NULL;
}

const char *tte_status_string(tte_status status) {
  switch (status) {
  case TTE_OK:
    return "ok";
  case TTE_ERROR_INVALID_ARGUMENT:
    return "invalid argument";
  case TTE_ERROR_MISALIGNED_MEMORY:
    return "arena or state is not aligned as the network's header asks";
  case TTE_ERROR_NOT_INITIALIZED:
    return "network is not initialized";
  case TTE_ERROR_INCOMPATIBLE_LIBRARY:
    return "kernels or tables do not fit this runtime";
  case TTE_ERROR_NO_TRAINING:
    return "network was compiled without training";
  case TTE_ERROR_LABEL_OUT_OF_RANGE:
    return "label out of range";
  case TTE_ERROR_LEARNING_RATE:
    return "learning rate is negative or not finite";
  case TTE_ERROR_NOT_A_NUMBER:
    return "input holds NaN";
  case TTE_ERROR_NOT_FINITE:
    return "loss or gradient is not finite";
  case TTE_ERROR_KERNEL:
    return "kernel failed";
  case TTE_ERROR_STATE_NOT_WRITTEN:
    return "state could not be written";
  case TTE_ERROR_STATE_CORRUPT:
    return "saved state is corrupt or truncated";
  case TTE_ERROR_STATE_VERSION:
    return "saved state has an unknown format version";
  case TTE_ERROR_STATE_OF_OTHER_MODEL:
    return "saved state belongs to another model";
  case TTE_ERROR_STATE_CHANGED:
    return "saved state changed between two readings: the network is in its initial state";
  }
  return "unknown status";
}
