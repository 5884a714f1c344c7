// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tte_program.h"

#define STATE_MAGIC UINT32_C(0x53455454) // "TTES"
#define STATE_VERSION UINT32_C(1)

enum { PIECE_BYTES = 128 }; // of a saved state, on the stack while it is checked

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

static uint32_t header_checksum(const tte_state_header *header) {
  return crc32(0, (const uint8_t *)header, offsetof(tte_state_header, checksum));
}

static uint32_t checksum(const tte_state_header *header, const uint8_t *state) {
  return crc32(header_checksum(header), state, header->state_bytes);
}

static tte_status check_header(const tte_program *program, const tte_state_header *header) {
  if (header->magic != STATE_MAGIC)
    return TTE_ERROR_STATE_CORRUPT;
  if (header->version != STATE_VERSION)
    return TTE_ERROR_STATE_VERSION;
  if (header->model_hash != program->model_hash)
    return TTE_ERROR_STATE_OF_OTHER_MODEL;
  return header->state_bytes == program->state_bytes ? TTE_OK : TTE_ERROR_STATE_CORRUPT;
}

// Reads what follows the header once and keeps nothing of it.
static tte_status check_state(const tte_state_header *header, tte_read_fn read, void *context) {
  uint8_t piece[PIECE_BYTES];
  uint32_t crc = header_checksum(header);
  uint32_t size;
  for (uint32_t done = 0; done < header->state_bytes; done += size) {
    size = header->state_bytes - done;
    if (size > sizeof(piece))
      size = sizeof(piece);
    if (read(context, sizeof(*header) + done, piece, size))
      return TTE_ERROR_STATE_CORRUPT;
    crc = crc32(crc, piece, size);
  }
  return crc == header->checksum ? TTE_OK : TTE_ERROR_STATE_CORRUPT;
}

tte_status tte_save_state(const tte_program *program, const tte_network *network,
                          tte_write_fn write, void *context) {
  if (!tte_is_initialized(program, network))
    return TTE_ERROR_NOT_INITIALIZED;
  if (!write)
    return TTE_ERROR_INVALID_ARGUMENT;

  tte_state_header header = {.magic = STATE_MAGIC,
                             .version = STATE_VERSION,
                             .model_hash = program->model_hash,
                             .state_bytes = program->state_bytes};
  header.checksum = checksum(&header, network->state);
  if (write(context, &header, sizeof(header)) ||
      write(context, network->state, program->state_bytes))
    return TTE_ERROR_STATE_NOT_WRITTEN;
  return TTE_OK;
}

tte_status tte_load_state(const tte_program *program, tte_network *network, tte_read_fn read,
                          void *context) {
  if (!tte_is_initialized(program, network))
    return TTE_ERROR_NOT_INITIALIZED;
  if (!read)
    return TTE_ERROR_INVALID_ARGUMENT;

  tte_state_header header;
  if (read(context, 0, &header, sizeof(header)))
    return TTE_ERROR_STATE_CORRUPT;
  tte_status status = check_header(program, &header);
  if (status == TTE_OK)
    status = check_state(&header, read, context);
  if (status != TTE_OK)
    return status;

  // There is no room to keep the old state: a source that now fails costs it.
  if (read(context, sizeof(header), network->state, program->state_bytes) ||
      header.checksum != checksum(&header, network->state)) {
    tte_reset_state(program, network->state);
    return TTE_ERROR_STATE_CHANGED;
  }
  return TTE_OK;
}
