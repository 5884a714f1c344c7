// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TTE_PYTHON_TTECAPI_H
#define TTE_PYTHON_TTECAPI_H

#include "mlir-c/IR.h"

#ifdef __cplusplus
extern "C" {
#endif

MLIR_DECLARE_CAPI_DIALECT_REGISTRATION(TTE, tte);
MLIR_CAPI_EXPORTED void mlirTTERegisterPasses(void);

/// Multiply-accumulates of an op with MacOpInterface, else 0.
MLIR_CAPI_EXPORTED int64_t mlirTTEGetMacs(MlirOperation op);

/// The axis along which the parts of an op's weight follow each other
/// (WeightedOpInterface), else -1.
MLIR_CAPI_EXPORTED int64_t mlirTTEGetWeightAxis(MlirOperation op);

/// Whether an op takes its weight in parts (WeightedOpInterface).
MLIR_CAPI_EXPORTED bool mlirTTEAllowsWeightParts(MlirOperation op);

MLIR_CAPI_EXPORTED MlirAttribute mlirTTERangeAttrGet(MlirContext context, double min, double max);
MLIR_CAPI_EXPORTED bool mlirTTEAttrIsInterval(MlirAttribute attribute);
MLIR_CAPI_EXPORTED double mlirTTEIntervalGetMin(MlirAttribute attribute);
MLIR_CAPI_EXPORTED double mlirTTEIntervalGetMax(MlirAttribute attribute);
MLIR_CAPI_EXPORTED MlirAttribute mlirTTEClampAttrGet(MlirContext context, double min, double max);
MLIR_CAPI_EXPORTED MlirAttribute mlirTTEUpdateAttrGet(MlirContext context, int64_t offset,
                                                      int64_t size);
MLIR_CAPI_EXPORTED bool mlirTTEAttrIsUpdate(MlirAttribute attribute);
MLIR_CAPI_EXPORTED int64_t mlirTTEUpdateGetOffset(MlirAttribute attribute);
MLIR_CAPI_EXPORTED int64_t mlirTTEUpdateGetSize(MlirAttribute attribute);

MLIR_CAPI_EXPORTED MlirAttribute mlirTTEOriginAttrGet(MlirContext context, intptr_t rank,
                                                      const int64_t *shape, const int64_t *offsets);
MLIR_CAPI_EXPORTED bool mlirTTEAttrIsOrigin(MlirAttribute attribute);
MLIR_CAPI_EXPORTED intptr_t mlirTTEOriginGetRank(MlirAttribute attribute);
MLIR_CAPI_EXPORTED int64_t mlirTTEOriginGetSize(MlirAttribute attribute, intptr_t dimension);
MLIR_CAPI_EXPORTED int64_t mlirTTEOriginGetOffset(MlirAttribute attribute, intptr_t dimension);

/// The keyword of an enum attribute of the dialect, else an empty string.
MLIR_CAPI_EXPORTED MlirStringRef mlirTTEEnumGetKeyword(MlirAttribute attribute);

#ifdef __cplusplus
}
#endif

#endif // TTE_PYTHON_TTECAPI_H
