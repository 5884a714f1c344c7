// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tte_program.h"

#define STATE_MAGIC UINT32_C(0x53455454) // "TTES"
#define STATE_VERSION UINT32_C(1)

_Static_assert(sizeof(tte_state_header) == TTE_STATE_HEADER_BYTES,
               "header of a saved state has no padding");

// CRC-32 of IEEE 802.3, reflected, four bits at a time.
static uint32_t crc32(uint32_t crc, const uint8_t *data, size_t size) {
  static const uint32_t table[16] = {0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC,
                                     0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
                                     0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
                                     0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C};
  crc = ~crc;
  for (size_t i = 0; i < size; ++i) {
    crc ^= data[i];
    crc = (crc >> 4) ^ table[crc & 15];
    crc = (crc >> 4) ^ table[crc & 15];
  }
  return ~crc;
}

static uint32_t checksum(const tte_state_header *header, const uint8_t *state) {
  uint32_t crc = crc32(0, (const uint8_t *)header, offsetof(tte_state_header, checksum));
  return crc32(crc, state, header->state_bytes);
}

tte_status tte_save_state(const tte_program *program, const tte_network *network, void *buffer,
                          size_t capacity) {
  if (!tte_is_initialized(program, network))
    return TTE_ERROR_NOT_INITIALIZED;
  if (!buffer)
    return TTE_ERROR_INVALID_ARGUMENT;
  if (capacity < sizeof(tte_state_header) + program->state_bytes)
    return TTE_ERROR_BUFFER_TOO_SMALL;

  tte_state_header header = {.magic = STATE_MAGIC,
                             .version = STATE_VERSION,
                             .model_hash = program->model_hash,
                             .state_bytes = program->state_bytes};
  header.checksum = checksum(&header, network->state);
  memcpy(buffer, &header, sizeof(header));
  memcpy((uint8_t *)buffer + sizeof(header), network->state, program->state_bytes);
  return TTE_OK;
}

tte_status tte_load_state(const tte_program *program, tte_network *network, const void *buffer,
                          size_t size) {
  if (!tte_is_initialized(program, network))
    return TTE_ERROR_NOT_INITIALIZED;
  if (!buffer)
    return TTE_ERROR_INVALID_ARGUMENT;

  tte_state_header header;
  const uint8_t *saved = (const uint8_t *)buffer + sizeof(header);
  if (size < sizeof(header))
    return TTE_ERROR_STATE_CORRUPT;
  memcpy(&header, buffer, sizeof(header));
  if (header.magic != STATE_MAGIC)
    return TTE_ERROR_STATE_CORRUPT;
  if (header.version != STATE_VERSION)
    return TTE_ERROR_STATE_VERSION;
  if (header.model_hash != program->model_hash)
    return TTE_ERROR_STATE_OF_OTHER_MODEL;
  if (header.state_bytes != program->state_bytes || size != sizeof(header) + program->state_bytes ||
      header.checksum != checksum(&header, saved))
    return TTE_ERROR_STATE_CORRUPT;
  memcpy(network->state, saved, program->state_bytes);
  return TTE_OK;
}
