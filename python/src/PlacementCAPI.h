// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Placement of buffers without any IR.
#ifndef TTE_PYTHON_PLACEMENTCAPI_H
#define TTE_PYTHON_PLACEMENTCAPI_H

#include "mlir-c/Support.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int64_t bytes, first, last;
  int64_t fixedOffset; // -1: to be found
} MlirTTELifetime;

typedef enum {
  MlirTTETraversalAscending,
  MlirTTETraversalDescending,
  MlirTTETraversalExact
} MlirTTETraversal;

typedef struct {
  intptr_t operand, result;
  MlirTTETraversal traversal;
  int64_t lag;
} MlirTTEOverlapPair;

typedef struct {
  int64_t alignment;
  int64_t effort;   // -1: the default
  double timeLimit; // seconds; negative: none
  int64_t capacity; // -1: none
} MlirTTEPlacementOptions;

typedef struct {
  int64_t height, lowerBound;
} MlirTTEPlacement;

/// Writes an offset for each buffer to `offsets`. The result depends on nothing but the arguments,
/// unless there is a time limit. See tte/Passes/Placement.h.
MLIR_CAPI_EXPORTED MlirTTEPlacement mlirTTEPlaceBuffers(
    intptr_t bufferCount, const MlirTTELifetime *buffers, intptr_t pairCount,
    const MlirTTEOverlapPair *pairs, MlirTTEPlacementOptions options, int64_t *offsets);

#ifdef __cplusplus
}
#endif

#endif // TTE_PYTHON_PLACEMENTCAPI_H
