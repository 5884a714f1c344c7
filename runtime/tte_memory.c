// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tte_program.h"

int tte_write_memory(void *writer, const void *data, size_t size) {
  tte_memory_writer *memory = writer;
  if (size > memory->capacity - memory->size)
    return 1;
  memcpy((uint8_t *)memory->data + memory->size, data, size);
  memory->size += size;
  return 0;
}

int tte_read_memory(void *reader, size_t offset, void *data, size_t size) {
  const tte_memory_reader *memory = reader;
  if (offset > memory->size || size > memory->size - offset)
    return 1;
  memcpy(data, (const uint8_t *)memory->data + offset, size);
  return 0;
}
