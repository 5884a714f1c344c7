// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "TTECAPI.h"

#include "mlir/CAPI/IR.h"
#include "mlir/CAPI/Registration.h"
#include "tte/Passes/Passes.h"
#include "llvm/ADT/TypeSwitch.h"

MLIR_DEFINE_CAPI_DIALECT_REGISTRATION(TTE, tte, tte::TTEDialect)

void mlirTTERegisterPasses(void) { tte::registerTTEPasses(); }

int64_t mlirTTEGetMacs(MlirOperation op) {
  auto macs = llvm::dyn_cast<tte::MacOpInterface>(unwrap(op));
  return macs ? macs.getMacs() : 0;
}

int64_t mlirTTEGetWeightAxis(MlirOperation op) {
  auto weighted = llvm::dyn_cast<tte::WeightedOpInterface>(unwrap(op));
  return weighted ? weighted.getWeightAxis() : -1;
}

bool mlirTTEAllowsWeightParts(MlirOperation op) {
  auto weighted = llvm::dyn_cast<tte::WeightedOpInterface>(unwrap(op));
  return weighted && weighted.allowsWeightParts();
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

MlirAttribute mlirTTEOriginAttrGet(MlirContext context, intptr_t rank, const int64_t *shape,
                                   const int64_t *offsets) {
  return wrap(tte::OriginAttr::get(unwrap(context), llvm::ArrayRef(shape, rank),
                                   llvm::ArrayRef(offsets, rank)));
}

bool mlirTTEAttrIsOrigin(MlirAttribute attribute) {
  return llvm::isa<tte::OriginAttr>(unwrap(attribute));
}

intptr_t mlirTTEOriginGetRank(MlirAttribute attribute) {
  return llvm::cast<tte::OriginAttr>(unwrap(attribute)).getShape().size();
}

int64_t mlirTTEOriginGetSize(MlirAttribute attribute, intptr_t dimension) {
  return llvm::cast<tte::OriginAttr>(unwrap(attribute)).getShape()[dimension];
}

int64_t mlirTTEOriginGetOffset(MlirAttribute attribute, intptr_t dimension) {
  return llvm::cast<tte::OriginAttr>(unwrap(attribute)).getOffsets()[dimension];
}

MlirStringRef mlirTTEEnumGetKeyword(MlirAttribute attribute) {
  return wrap(llvm::TypeSwitch<mlir::Attribute, llvm::StringRef>(unwrap(attribute))
                  .Case([](tte::RoundingAttr rounding) {
                    return tte::stringifyRounding(rounding.getValue());
                  })
                  .Case([](tte::RoleAttr role) { return tte::stringifyRole(role.getValue()); })
                  .Case([](tte::StrategyAttr strategy) {
                    return tte::stringifyStrategy(strategy.getValue());
                  })
                  .Case([](tte::PhaseAttr phase) { return tte::stringifyPhase(phase.getValue()); })
                  .Case([](tte::MemorySpaceAttr space) {
                    return tte::stringifyMemorySpace(space.getValue());
                  })
                  .Default(llvm::StringRef()));
}
