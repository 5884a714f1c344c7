// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "TTECAPI.h"

#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Registration.h"
#include "tte/Passes/Passes.h"

MLIR_DEFINE_CAPI_DIALECT_REGISTRATION(TTE, tte, tte::TTEDialect)

void mlirTTERegisterPasses(void) { tte::registerTTEPasses(); }

int64_t mlirTTEGetMacs(MlirOperation op) {
  auto macs = llvm::dyn_cast<tte::MacOpInterface>(unwrap(op));
  return macs ? macs.getMacs() : 0;
}

MlirAttribute mlirTTERangeAttrGet(MlirContext context, double min, double max) {
  return wrap(tte::RangeAttr::get(unwrap(context), min, max));
}

MlirAttribute mlirTTEClampAttrGet(MlirContext context, double min, double max) {
  return wrap(tte::ClampAttr::get(unwrap(context), min, max));
}

bool mlirTTEAttrIsInterval(MlirAttribute attribute) {
  return llvm::isa<tte::RangeAttr, tte::ClampAttr>(unwrap(attribute));
}

double mlirTTEIntervalGetMin(MlirAttribute attribute) {
  if (auto range = llvm::dyn_cast<tte::RangeAttr>(unwrap(attribute)))
    return range.getMin();
  return llvm::cast<tte::ClampAttr>(unwrap(attribute)).getMin();
}

double mlirTTEIntervalGetMax(MlirAttribute attribute) {
  if (auto range = llvm::dyn_cast<tte::RangeAttr>(unwrap(attribute)))
    return range.getMax();
  return llvm::cast<tte::ClampAttr>(unwrap(attribute)).getMax();
}

MlirAttribute mlirTTEUpdateAttrGet(MlirContext context, int64_t offset, int64_t size) {
  return wrap(tte::UpdateAttr::get(unwrap(context), offset, size));
}

bool mlirTTEAttrIsUpdate(MlirAttribute attribute) {
  return llvm::isa<tte::UpdateAttr>(unwrap(attribute));
}

int64_t mlirTTEUpdateGetOffset(MlirAttribute attribute) {
  return llvm::cast<tte::UpdateAttr>(unwrap(attribute)).getOffset();
}

int64_t mlirTTEUpdateGetSize(MlirAttribute attribute) {
  return llvm::cast<tte::UpdateAttr>(unwrap(attribute)).getSize();
}
