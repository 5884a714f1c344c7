// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "fake_kernels.h"

#include <string.h>

enum { FEATURES = 4, CLASSES = 3 };

fake_faults fake;

// scores = bias + weights * image
static int compute_scores(const tte_environment *environment, const tte_dispatch_state *dispatch,
                          const tte_workgroup_state *workgroup) {
  (void)environment, (void)workgroup;
  const int8_t *image = dispatch->bindings[0];
  const float *weights = dispatch->bindings[1];
  const float *bias = dispatch->bindings[2];
  float *scores = dispatch->bindings[3];
  for (int c = 0; c < CLASSES; ++c) {
    scores[c] = bias[c];
    for (int k = 0; k < FEATURES; ++k)
      scores[c] += weights[c * FEATURES + k] * (float)image[k];
  }
  return fake.failing_kernel == 1;
}

// gradient = scores - target * onehot(label); loss = |gradient|^2 / 2
static int compute_loss(const tte_environment *environment, const tte_dispatch_state *dispatch,
                        const tte_workgroup_state *workgroup) {
  (void)environment, (void)workgroup;
  const float *scores = dispatch->bindings[0];
  const int32_t *label = dispatch->bindings[1];
  float *loss = dispatch->bindings[2];
  float *gradient = dispatch->bindings[3];
  float target;
  memcpy(&target, dispatch->constants, sizeof(target));
  *loss = 0.0f;
  for (int c = 0; c < CLASSES; ++c) {
    gradient[c] = scores[c] - (c == *label ? target : 0.0f);
    *loss += 0.5f * gradient[c] * gradient[c];
  }
  return fake.failing_kernel == 2;
}

// weights -= learning rate * gradient * image
static int update(const tte_environment *environment, const tte_dispatch_state *dispatch,
                  const tte_workgroup_state *workgroup) {
  (void)environment, (void)workgroup;
  const int8_t *image = dispatch->bindings[0];
  const float *gradient = dispatch->bindings[1];
  const float *learning_rate = dispatch->bindings[2];
  float *weights = dispatch->bindings[3];
  for (int c = 0; c < CLASSES; ++c)
    for (int k = 0; k < FEATURES; ++k)
      weights[c * FEATURES + k] -= *learning_rate * gradient[c] * (float)image[k];
  return fake.failing_kernel == 3;
}

const tte_library *fake_library_query(uint32_t max_version, const tte_environment *environment) {
  (void)environment;
  static const tte_kernel kernels[] = {compute_scores, compute_loss, update};
  static tte_kernel_attributes attributes[3];
  static tte_library_header header = {.name = "fake"};
  static const tte_library library = {
      .header = &header, .exports = {.count = 3, .kernels = kernels, .attributes = attributes}};
  header.version = fake.version ? fake.version : max_version;
  attributes[2].local_memory_pages = fake.memory;
  return fake.no_library ? NULL : &library;
}
