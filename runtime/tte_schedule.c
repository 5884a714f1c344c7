// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tte_runtime.h"

// (1 + cos(pi x)) / 2 for x in [0, 1], as (1 - sin(pi u)) / 2 with u = x - 1/2. The odd Taylor
// polynomial of the sine to the 11th power leaves out less than (pi/2)^13 / 13! = 6e-8 of it.
static float half_cosine(float x) {
  const float angle = 3.14159265f * (x - 0.5f);
  const float square = angle * angle;
  float sine = -1.0f / 39916800.0f;
  sine = sine * square + 1.0f / 362880.0f;
  sine = sine * square - 1.0f / 5040.0f;
  sine = sine * square + 1.0f / 120.0f;
  sine = sine * square - 1.0f / 6.0f;
  sine = angle + angle * square * sine;
  return 0.5f - 0.5f * sine;
}

float tte_learning_rate(const tte_schedule *schedule, uint32_t step, uint32_t steps) {
  const uint32_t warmup = schedule->warmup;
  if (step < warmup)
    return schedule->learning_rate * ((float)(step + 1) / (float)warmup);

  // In integers first: the difference of two rounded numbers would have few digits.
  const uint32_t length = steps > warmup ? steps - warmup : 1;
  const uint32_t done = step - warmup < length ? step - warmup : length;
  switch (schedule->kind) {
  case TTE_SCHEDULE_LINEAR:
    return schedule->learning_rate * ((float)(length - done) / (float)length);
  case TTE_SCHEDULE_COSINE:
    return schedule->learning_rate * half_cosine((float)done / (float)length);
  case TTE_SCHEDULE_CONSTANT:
    break;
  }
  return schedule->learning_rate;
}
