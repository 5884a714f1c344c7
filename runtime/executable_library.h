// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The part of IREE's executable-library ABI, version 6, that statically linked
// kernels need (IREE: runtime/src/iree/hal/local/executable_library.h).

#ifndef TTE_EXECUTABLE_LIBRARY_H
#define TTE_EXECUTABLE_LIBRARY_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TTE_EXECUTABLE_LIBRARY_VERSION 6u

typedef struct tte_library_header {
  uint32_t version;
  const char *name;
  uint32_t features;
  uint32_t sanitizer;
} tte_library_header;

// What every kernel of a library sees; bare-metal kernels read none of it.
typedef struct tte_environment {
  const uint32_t *constants;
  void *import_thunk;
  const void *const *import_functions;
  const void *const *import_contexts;
  uint64_t processor[8];
} tte_environment;

typedef struct tte_dispatch_state {
  uint32_t workgroup_size_x;
  uint32_t workgroup_size_y;
  uint16_t workgroup_size_z;
  uint16_t constant_count;
  uint32_t workgroup_count_x;
  uint32_t workgroup_count_y;
  uint16_t workgroup_count_z;
  uint8_t max_concurrency;
  uint8_t binding_count;
  const uint32_t *constants;
  void *const *bindings;
  const size_t *binding_lengths;
} tte_dispatch_state;

typedef struct tte_workgroup_state {
  uint32_t workgroup_id_x;
  uint32_t workgroup_id_y;
  uint16_t workgroup_id_z;
  uint16_t reserved;
  uint32_t processor_id;
  void *local_memory;
  uint32_t local_memory_size;
} tte_workgroup_state;

// Returns 0 on success.
typedef int (*tte_kernel)(const tte_environment *environment, const tte_dispatch_state *dispatch,
                          const tte_workgroup_state *workgroup);

typedef struct tte_kernel_attributes {
  uint64_t flags;
  uint16_t local_memory_pages;
  uint8_t constant_count;
  uint8_t binding_count;
  uint32_t workgroup_size_x;
  uint32_t workgroup_size_y;
  uint16_t workgroup_size_z;
  uint16_t parameter_count;
  uint64_t reserved[5];
} tte_kernel_attributes;

typedef struct tte_library {
  const tte_library_header *header;
  struct {
    uint32_t count;
    const char *const *symbols;
  } imports;
  struct {
    uint32_t count;
    const tte_kernel *kernels;
    const tte_kernel_attributes *attributes;
    const void *const *parameters;
    const void *occupancy;
    const char *const *names;
    const char *const *tags;
    const char *const *parameter_names;
    const void *source_locations;
    const void *stage_locations;
  } exports;
  struct {
    uint32_t count;
  } constants;
  struct {
    uint32_t count;
    const void *files;
  } sources;
} tte_library;

// Entry point of a static library; NULL where it cannot serve `max_version`.
typedef const tte_library *(*tte_library_query)(uint32_t max_version,
                                                const tte_environment *environment);

// Returns the library, or NULL where its version differs or its kernels need
// what this runtime does not give: imports, constants, workgroup memory, or
// where it has fewer than `kernel_count` kernels.
const tte_library *tte_library_load(tte_library_query query, uint32_t kernel_count);

// Runs kernel `ordinal` as one workgroup; returns 0 on success.
int tte_library_dispatch(const tte_library *library, uint32_t ordinal, void *const *bindings,
                         uint8_t binding_count, const uint32_t *constants, uint8_t constant_count);

#ifdef __cplusplus
}
#endif

#endif // TTE_EXECUTABLE_LIBRARY_H
