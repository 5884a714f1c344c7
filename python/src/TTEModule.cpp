// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "TTECAPI.h"
#include "mlir/Bindings/Python/NanobindAdaptors.h"

namespace nb = nanobind;
using namespace mlir::python::nanobind_adaptors;

static bool isInterval(MlirAttribute attribute) { return mlirTTEAttrIsInterval(attribute); }

NB_MODULE(_tte, module) {
  module.doc() = "The tte dialect and its passes";
  mlirTTERegisterPasses();
  module.def(
      "register_dialects",
      [](MlirDialectRegistry registry) {
        mlirDialectHandleInsertDialect(mlirGetDialectHandle__tte__(), registry);
      },
      nb::arg("registry"));
  module.def("macs", &mlirTTEGetMacs, nb::arg("op"),
             "Multiply-accumulates of an op with MacOpInterface, else 0.");
  module.def("range_attr", &mlirTTERangeAttrGet, nb::arg("context"), nb::arg("min"),
             nb::arg("max"));
  module.def("clamp_attr", &mlirTTEClampAttrGet, nb::arg("context"), nb::arg("min"),
             nb::arg("max"));
  module.def(
      "interval",
      [](MlirAttribute attribute) {
        if (!isInterval(attribute))
          throw nb::value_error("expected a #tte.range or a #tte.clamp");
        return std::make_pair(mlirTTEIntervalGetMin(attribute), mlirTTEIntervalGetMax(attribute));
      },
      nb::arg("attribute"), "The pair (min, max) of a #tte.range or a #tte.clamp.");
  module.def("update_attr", &mlirTTEUpdateAttrGet, nb::arg("context"), nb::arg("offset"),
             nb::arg("size"));
  module.def(
      "update_range",
      [](MlirAttribute attribute) {
        if (!mlirTTEAttrIsUpdate(attribute))
          throw nb::value_error("expected a #tte.update");
        return std::make_pair(mlirTTEUpdateGetOffset(attribute), mlirTTEUpdateGetSize(attribute));
      },
      nb::arg("attribute"), "The pair (offset, size) of a #tte.update.");
}
