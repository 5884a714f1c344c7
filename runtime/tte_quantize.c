// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tte_program.h"

// Adding 1.5 * 2^23 leaves no fraction bits: the sum is rounded half to even.
// |value| < 2^22, and no -ffast-math.
static int32_t round_half_even(float value) {
  const float magic = 12582912.0f;
  return (int32_t)((value + magic) - magic);
}

static int8_t quantize(const tte_input *input, float real) {
  const float low = (float)(-128 - input->zero_point);
  const float high = (float)(127 - input->zero_point);
  float scaled = real / input->scale;
  scaled = scaled < low ? low : scaled > high ? high : scaled;
  return (int8_t)(round_half_even(scaled) + input->zero_point);
}

tte_status tte_quantize_input_u8(const tte_program *program, const tte_network *network,
                                 const uint8_t *image) {
  const tte_input *input = &program->input;
  int8_t *quantized = tte_input_data(program, network);
  if (!quantized)
    return TTE_ERROR_NOT_INITIALIZED;
  if (!image)
    return TTE_ERROR_INVALID_ARGUMENT;
  for (uint32_t i = 0; i < input->size; ++i)
    quantized[i] = quantize(input, (float)image[i] * input->u8_scale + input->u8_offset);
  return TTE_OK;
}

tte_status tte_quantize_input_f32(const tte_program *program, const tte_network *network,
                                  const float *image) {
  const tte_input *input = &program->input;
  int8_t *quantized = tte_input_data(program, network);
  if (!quantized)
    return TTE_ERROR_NOT_INITIALIZED;
  if (!image)
    return TTE_ERROR_INVALID_ARGUMENT;
  for (uint32_t i = 0; i < input->size; ++i)
    if (tte_is_nan(tte_float_bits(&image[i])))
      return TTE_ERROR_NOT_A_NUMBER;
  for (uint32_t i = 0; i < input->size; ++i)
    quantized[i] = quantize(input, image[i]);
  return TTE_OK;
}
