// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The C API of a network, every status of it, with kernels in plain C. `net`
// trains; `frozen` is the same network without a training step.

#include "fake_kernels.h"
#include "frozen.h"
#include "net.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);                                       \
      ++failures;                                                                                  \
    }                                                                                              \
  } while (0)

// Memory on the heap at its exact size, so that a sanitizer sees its ends.
typedef struct fixture {
  net_t net;
  uint8_t *arena;
  uint8_t *state;
  uint8_t before[net_STATE_BYTES];
} fixture;

// malloc aligns as much as any network here asks.
static uint8_t *allocate(size_t size) {
  void *memory = malloc(size ? size : 1);
  if (!memory)
    abort();
  return memset(memory, 0xA5, size);
}

static fixture set_up(void) {
  fake = (fake_faults){0};
  fixture f = {.arena = allocate(net_ARENA_BYTES), .state = allocate(net_STATE_BYTES)};
  CHECK(net_init(&f.net, f.arena, f.state) == TTE_OK);
  memcpy(f.before, f.state, net_STATE_BYTES);
  return f;
}

static void tear_down(fixture *f) {
  free(f->arena);
  free(f->state);
}

static int state_is_untouched(const fixture *f) {
  return memcmp(f->state, f->before, net_STATE_BYTES) == 0;
}

static void set_image(net_t *net) {
  static const int8_t image[net_INPUT_SIZE] = {1, -2, 3, 4};
  memcpy(net_input(net), image, sizeof(image));
}

static int32_t step_of(const fixture *f) {
  int32_t step;
  memcpy(&step, f->state + net_STATE_BYTES - 4,
         4); // where fake_network.py puts it
  return step;
}

static tte_status save(const net_t *net, void *data, size_t capacity) {
  tte_memory_writer writer = {.data = data, .capacity = capacity};
  return net_save_state(net, tte_write_memory, &writer);
}

static tte_status load(net_t *net, const void *data, size_t size) {
  tte_memory_reader reader = {.data = data, .size = size};
  return net_load_state(net, tte_read_memory, &reader);
}

static void test_init(void) {
  fixture f = set_up();
  net_t net;
  CHECK(net_init(NULL, f.arena, f.state) == TTE_ERROR_INVALID_ARGUMENT);
  CHECK(net_init(&net, NULL, f.state) == TTE_ERROR_INVALID_ARGUMENT);
  CHECK(net_init(&net, f.arena, NULL) == TTE_ERROR_INVALID_ARGUMENT);
  CHECK(net_init(&net, f.arena + 1, f.state) == TTE_ERROR_MISALIGNED_MEMORY);
  CHECK(net_init(&net, f.arena, f.state + 1) == TTE_ERROR_MISALIGNED_MEMORY);
  memset(f.state, 0, net_STATE_BYTES);
  CHECK(net_init(&net, f.arena, f.state) == TTE_OK);
  CHECK(state_is_untouched(&f)); // the initial state again
  tear_down(&f);
}

static void test_incompatible_library(void) {
  static const fake_faults faults[] = {{.no_library = 1}, {.version = 5}, {.memory = 1}};
  fixture f = set_up();
  for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); ++i) {
    net_t net = {0};
    fake = faults[i];
    CHECK(net_init(&net, f.arena, f.state) == TTE_ERROR_INCOMPATIBLE_LIBRARY);
    CHECK(net_infer(&net, NULL) == TTE_ERROR_NOT_INITIALIZED);
  }
  CHECK(state_is_untouched(&f));
  tear_down(&f);
}

static void test_not_initialized(void) {
  fixture f = set_up();
  net_t net = {0};
  float values[net_INPUT_SIZE] = {0};
  uint8_t bytes[net_SAVED_STATE_BYTES] = {0};
  CHECK(net_input(&net) == NULL);
  CHECK(net_scores(&net) == NULL);
  CHECK(net_quantize_input_u8(&net, bytes) == TTE_ERROR_NOT_INITIALIZED);
  CHECK(net_quantize_input_f32(&net, values) == TTE_ERROR_NOT_INITIALIZED);
  CHECK(net_infer(&net, NULL) == TTE_ERROR_NOT_INITIALIZED);
  CHECK(net_train_step(&net, 0, 0.1f, NULL) == TTE_ERROR_NOT_INITIALIZED);
  CHECK(save(&net, bytes, sizeof(bytes)) == TTE_ERROR_NOT_INITIALIZED);
  CHECK(load(&net, bytes, sizeof(bytes)) == TTE_ERROR_NOT_INITIALIZED);
  CHECK(net_infer(NULL, NULL) == TTE_ERROR_NOT_INITIALIZED);
  memset(&net, 0xA5, sizeof(net)); // whatever was on a stack
  CHECK(net_infer(&net, NULL) == TTE_ERROR_NOT_INITIALIZED);
  tear_down(&f);
}

static void test_infer(void) {
  fixture f = set_up();
  float scores[net_CLASSES];
  set_image(&f.net);
  CHECK(net_infer(&f.net, scores) == TTE_OK);
  // Weights of fake_network.py: 0.25 * (class - feature), bias 0.5 * class.
  const float expected[net_CLASSES] = {-4.0f, -2.0f, 0.0f};
  for (int c = 0; c < net_CLASSES; ++c) {
    CHECK(scores[c] == expected[c]);
    CHECK(net_scores(&f.net)[c] == expected[c]);
  }
  CHECK(state_is_untouched(&f));
  tear_down(&f);
}

static void test_train_step(void) {
  fixture f = set_up();
  float first, loss;
  set_image(&f.net);
  CHECK(net_train_step(&f.net, 1, 0.01f, &first) == TTE_OK);
  CHECK(first == 0.5f * (16.0f + 9.0f + 0.0f));
  CHECK(net_scores(&f.net)[1] == -2.0f); // of before the update
  CHECK(step_of(&f) == 1);
  for (int i = 0; i < 50; ++i) {
    set_image(&f.net);
    CHECK(net_train_step(&f.net, 1, 0.01f, &loss) == TTE_OK);
  }
  CHECK(loss < 1e-3f);
  CHECK(step_of(&f) == 51);
  tear_down(&f);
}

static void test_arguments_of_train_step(void) {
  static const float rates[] = {NAN, INFINITY, -INFINITY, -1e-9f};
  fixture f = set_up();
  set_image(&f.net);
  memcpy(f.before, f.state, net_STATE_BYTES);
  uint8_t arena[net_ARENA_BYTES];
  memcpy(arena, f.arena, sizeof(arena));
  CHECK(net_train_step(&f.net, -1, 0.1f, NULL) == TTE_ERROR_LABEL_OUT_OF_RANGE);
  CHECK(net_train_step(&f.net, net_CLASSES, 0.1f, NULL) == TTE_ERROR_LABEL_OUT_OF_RANGE);
  for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); ++i)
    CHECK(net_train_step(&f.net, 0, rates[i], NULL) == TTE_ERROR_LEARNING_RATE);
  CHECK(memcmp(arena, f.arena, sizeof(arena)) == 0);
  CHECK(state_is_untouched(&f));
  CHECK(net_train_step(&f.net, 0, 0.0f, NULL) == TTE_OK);
  tear_down(&f);
}

static void test_loss_that_is_not_finite(void) {
  fixture f = set_up();
  float loss = 7.0f, infinity = INFINITY;
  memcpy(f.state, &infinity, sizeof(infinity)); // a weight
  memcpy(f.before, f.state, net_STATE_BYTES);
  set_image(&f.net);
  CHECK(net_train_step(&f.net, 0, 0.1f, &loss) == TTE_ERROR_NOT_FINITE);
  CHECK(loss == 7.0f);
  CHECK(net_scores(&f.net) == NULL);
  CHECK(state_is_untouched(&f));
  tear_down(&f);
}

static void test_kernel_that_fails(void) {
  fixture f = set_up();
  set_image(&f.net);
  fake.failing_kernel = 1;
  CHECK(net_infer(&f.net, NULL) == TTE_ERROR_KERNEL);
  fake.failing_kernel = 2;
  CHECK(net_infer(&f.net, NULL) == TTE_OK);
  CHECK(net_train_step(&f.net, 0, 0.1f, NULL) == TTE_ERROR_KERNEL);
  CHECK(state_is_untouched(&f));
  tear_down(&f);
}

static void test_network_without_training(void) {
  fixture f = set_up();
  frozen_t frozen;
  CHECK(frozen_init(&frozen, f.arena, f.state) == TTE_OK);
  CHECK(frozen_infer(&frozen, NULL) == TTE_OK);
  CHECK(frozen_train_step(&frozen, 0, 0.1f, NULL) == TTE_ERROR_NO_TRAINING);
  tear_down(&f);
}

static void test_quantize(void) {
  // Input of fake_network.py: scale 0.5, zero point 3, u8 scale 0.25, offset
  // -8.
  fixture f = set_up();
  const uint8_t bytes[net_INPUT_SIZE] = {0, 33, 35, 255};
  const int8_t from_bytes[net_INPUT_SIZE] = {-13, 3, 5, 115};
  CHECK(net_quantize_input_u8(&f.net, NULL) == TTE_ERROR_INVALID_ARGUMENT);
  CHECK(net_quantize_input_u8(&f.net, bytes) == TTE_OK);
  CHECK(memcmp(net_input(&f.net), from_bytes, sizeof(from_bytes)) == 0);

  memcpy(net_input(&f.net), bytes, sizeof(bytes)); // in place
  CHECK(net_quantize_input_u8(&f.net, (uint8_t *)net_input(&f.net)) == TTE_OK);
  CHECK(memcmp(net_input(&f.net), from_bytes, sizeof(from_bytes)) == 0);

  const float reals[][net_INPUT_SIZE] = {{0.25f, 0.75f, -0.25f, -0.75f},
                                         {INFINITY, -INFINITY, 1e30f, -1e30f},
                                         {62.0f, 62.25f, -65.5f, 0.249f}};
  const int8_t expected[][net_INPUT_SIZE] = {
      {3, 5, 3, 1}, {127, -128, 127, -128}, {127, 127, -128, 3}};
  CHECK(net_quantize_input_f32(&f.net, NULL) == TTE_ERROR_INVALID_ARGUMENT);
  for (int i = 0; i < 3; ++i) {
    CHECK(net_quantize_input_f32(&f.net, reals[i]) == TTE_OK);
    CHECK(memcmp(net_input(&f.net), expected[i], net_INPUT_SIZE) == 0);
  }

  const float with_nan[net_INPUT_SIZE] = {1.0f, 2.0f, NAN, 4.0f};
  CHECK(net_quantize_input_f32(&f.net, with_nan) == TTE_ERROR_NOT_A_NUMBER);
  CHECK(memcmp(net_input(&f.net), expected[2], net_INPUT_SIZE) == 0);
  tear_down(&f);
}

static void test_state_round_trip(void) {
  fixture f = set_up();
  uint8_t *saved = allocate(net_SAVED_STATE_BYTES);
  set_image(&f.net);
  CHECK(net_train_step(&f.net, 2, 0.01f, NULL) == TTE_OK);
  CHECK(!state_is_untouched(&f));
  memcpy(f.before, f.state, net_STATE_BYTES);

  CHECK(net_save_state(&f.net, NULL, NULL) == TTE_ERROR_INVALID_ARGUMENT);
  for (size_t capacity = 0; capacity < net_SAVED_STATE_BYTES; ++capacity)
    CHECK(save(&f.net, saved, capacity) == TTE_ERROR_STATE_NOT_WRITTEN);
  CHECK(save(&f.net, saved, net_SAVED_STATE_BYTES) == TTE_OK);
  CHECK(net_init(&f.net, f.arena, f.state) == TTE_OK);
  CHECK(!state_is_untouched(&f));
  CHECK(load(&f.net, saved, net_SAVED_STATE_BYTES) == TTE_OK);
  CHECK(state_is_untouched(&f));
  free(saved);
  tear_down(&f);
}

static void test_bad_states(void) {
  fixture f = set_up();
  const size_t size = net_SAVED_STATE_BYTES;
  uint8_t saved[net_SAVED_STATE_BYTES];
  CHECK(save(&f.net, saved, size) == TTE_OK);
  memset(f.state, 0x11, net_STATE_BYTES);
  memcpy(f.before, f.state, net_STATE_BYTES);

  CHECK(net_load_state(&f.net, NULL, NULL) == TTE_ERROR_INVALID_ARGUMENT);
  for (size_t length = 0; length < size; ++length) {
    uint8_t *truncated = allocate(length);
    memcpy(truncated, saved, length);
    CHECK(load(&f.net, truncated, length) == TTE_ERROR_STATE_CORRUPT);
    free(truncated);
  }
  for (size_t bit = 0; bit < 8 * size; ++bit) {
    saved[bit / 8] ^= (uint8_t)(1 << bit % 8);
    tte_status status = load(&f.net, saved, size);
    if (bit >= 32 && bit < 64)
      CHECK(status == TTE_ERROR_STATE_VERSION);
    else if (bit >= 64 && bit < 128)
      CHECK(status == TTE_ERROR_STATE_OF_OTHER_MODEL);
    else
      CHECK(status == TTE_ERROR_STATE_CORRUPT);
    saved[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  CHECK(state_is_untouched(&f));

  frozen_t frozen;
  uint8_t *state = allocate(frozen_STATE_BYTES);
  CHECK(frozen_init(&frozen, f.arena, state) == TTE_OK);
  tte_memory_reader reader = {.data = saved, .size = size};
  CHECK(frozen_load_state(&frozen, tte_read_memory, &reader) == TTE_ERROR_STATE_OF_OTHER_MODEL);
  CHECK(load(&f.net, saved, size) == TTE_OK);
  free(state);
  tear_down(&f);
}

// A source that goes bad before its n-th read, and what was asked of it.
typedef struct bad_source {
  tte_memory_reader memory;
  int good_reads;
  int changes; // gives another byte instead of failing
  int reads;
  size_t largest_checked; // read before anything was written
  size_t end;             // of what was read so far
  int passes;
  const fixture *fixture;
} bad_source;

static int read_bad_source(void *context, size_t offset, void *data, size_t size) {
  bad_source *source = context;
  int is_bad = source->reads++ >= source->good_reads;
  if (offset != source->end)
    ++source->passes;
  source->end = offset + size;
  if ((uint8_t *)data != source->fixture->state && size > source->largest_checked)
    source->largest_checked = size;
  CHECK(state_is_untouched(source->fixture));
  int failed = tte_read_memory(&source->memory, offset, data, size);
  if (is_bad && source->changes)
    *(uint8_t *)data ^= 1;
  return failed || (is_bad && !source->changes);
}

static void test_sources_that_go_bad(void) {
  fixture f = set_up();
  uint8_t initial[net_STATE_BYTES], saved[net_SAVED_STATE_BYTES];
  memcpy(initial, f.state, sizeof(initial));
  set_image(&f.net);
  CHECK(net_train_step(&f.net, 2, 0.01f, NULL) == TTE_OK);
  CHECK(save(&f.net, saved, sizeof(saved)) == TTE_OK);
  memset(f.before, 0x11, sizeof(f.before));

  const bad_source whole = {
      .memory = {.data = saved, .size = sizeof(saved)}, .good_reads = 1000, .fixture = &f};
  bad_source good = whole;
  memcpy(f.state, f.before, net_STATE_BYTES);
  CHECK(net_load_state(&f.net, read_bad_source, &good) == TTE_OK);
  CHECK(memcmp(f.state, saved + TTE_STATE_HEADER_BYTES, net_STATE_BYTES) == 0);
  CHECK(good.passes == 1 && good.end == sizeof(saved)); // in order, and again
  CHECK(good.largest_checked <= 128);

  for (int changes = 0; changes < 2; ++changes)
    for (int reads = 0; reads < good.reads; ++reads) {
      bad_source source = whole;
      source.good_reads = reads;
      source.changes = changes;
      memcpy(f.state, f.before, net_STATE_BYTES);
      tte_status status = net_load_state(&f.net, read_bad_source, &source);
      if (reads < good.reads - 1) {
        CHECK(status == TTE_ERROR_STATE_CORRUPT);
        CHECK(state_is_untouched(&f));
      } else {
        CHECK(status == TTE_ERROR_STATE_CHANGED);
        CHECK(memcmp(f.state, initial, sizeof(initial)) == 0);
      }
    }
  tear_down(&f);
}

static void test_status_strings(void) {
  for (int i = 0; i <= TTE_ERROR_STATE_CHANGED; ++i)
    for (int j = 0; j < i; ++j)
      CHECK(strcmp(tte_status_string((tte_status)i), tte_status_string((tte_status)j)) != 0);
  CHECK(tte_status_string((tte_status)1000) != NULL);
}

int main(void) {
  test_init();
  test_incompatible_library();
  test_not_initialized();
  test_infer();
  test_train_step();
  test_arguments_of_train_step();
  test_loss_that_is_not_finite();
  test_kernel_that_fails();
  test_network_without_training();
  test_quantize();
  test_state_round_trip();
  test_bad_states();
  test_sources_that_go_bad();
  test_status_strings();
  printf("%d failures\n", failures);
  return failures != 0;
}
