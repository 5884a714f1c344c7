// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "executable_library.h"

#include "tte_program.h"

_Static_assert(sizeof(tte_kernel_attributes) == 64, "ABI of IREE");
_Static_assert(offsetof(tte_dispatch_state, constants) == 24, "ABI of IREE");

static const tte_environment environment;

// Kernels have static shapes and never ask for the length of a binding.
static const size_t no_lengths[TTE_MAX_BINDINGS];

const tte_library *tte_library_load(tte_library_query query, uint32_t kernel_count) {
  const tte_library *library = query(TTE_EXECUTABLE_LIBRARY_VERSION, &environment);
  if (!library || library->header->version != TTE_EXECUTABLE_LIBRARY_VERSION)
    return NULL;
  if (library->imports.count || library->constants.count || library->exports.count < kernel_count)
    return NULL;
  for (uint32_t i = 0; library->exports.attributes && i < kernel_count; ++i)
    if (library->exports.attributes[i].local_memory_pages)
      return NULL;
  return library;
}

int tte_library_dispatch(const tte_library *library, uint32_t ordinal, void *const *bindings,
                         uint8_t binding_count, const uint32_t *constants, uint8_t constant_count) {
  static const tte_workgroup_state workgroup;
  const tte_dispatch_state dispatch = {
      .workgroup_size_x = 1,
      .workgroup_size_y = 1,
      .workgroup_size_z = 1,
      .constant_count = constant_count,
      .workgroup_count_x = 1,
      .workgroup_count_y = 1,
      .workgroup_count_z = 1,
      .max_concurrency = 1,
      .binding_count = binding_count,
      .constants = constants,
      .bindings = bindings,
      .binding_lengths = no_lengths,
  };
  return library->exports.kernels[ordinal](&environment, &dispatch, &workgroup);
}
