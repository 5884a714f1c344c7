// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "PlacementCAPI.h"
#include "TTECAPI.h"
#include "mlir/Bindings/Python/NanobindAdaptors.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace mlir::python::nanobind_adaptors;

static bool isInterval(MlirAttribute attribute) { return mlirTTEAttrIsInterval(attribute); }

static std::pair<std::vector<int64_t>, std::vector<int64_t>> origin(MlirAttribute attribute) {
  if (!mlirTTEAttrIsOrigin(attribute))
    throw nb::value_error("expected a #tte.origin");
  std::vector<int64_t> shape, offsets;
  for (intptr_t d = 0, rank = mlirTTEOriginGetRank(attribute); d < rank; ++d) {
    shape.push_back(mlirTTEOriginGetSize(attribute, d));
    offsets.push_back(mlirTTEOriginGetOffset(attribute, d));
  }
  return {shape, offsets};
}

using BufferTuple = std::tuple<int64_t, int64_t, int64_t, std::optional<int64_t>>;
using PairTuple = std::tuple<int64_t, int64_t, std::string, int64_t>;

static std::tuple<std::vector<int64_t>, int64_t, int64_t>
placeBuffers(const std::vector<BufferTuple> &buffers, const std::vector<PairTuple> &pairs,
             int64_t alignment, std::optional<int64_t> effort, std::optional<double> timeLimit,
             std::optional<int64_t> capacity) {
  if (alignment < 1 || (alignment & (alignment - 1)))
    throw nb::value_error("the alignment must be a power of two");
  std::vector<MlirTTELifetime> lifetimes;
  for (auto [bytes, first, last, fixedOffset] : buffers) {
    if (bytes < 0 || last < first || fixedOffset.value_or(0) < 0)
      throw nb::value_error("a buffer has a negative size or offset or ends before it begins");
    lifetimes.push_back({bytes, first, last, fixedOffset.value_or(-1)});
  }
  std::vector<MlirTTEOverlapPair> overlaps;
  for (const auto &[operand, result, traversal, lag] : pairs) {
    if (std::max(operand, result) >= int64_t(buffers.size()) || std::min(operand, result) < 0)
      throw nb::index_error("a pair names a buffer that does not exist");
    if (traversal != "ascending" && traversal != "descending" && traversal != "exact")
      throw nb::value_error("a traversal must be ascending, descending or exact");
    overlaps.push_back({operand, result,
                        traversal == "ascending"    ? MlirTTETraversalAscending
                        : traversal == "descending" ? MlirTTETraversalDescending
                                                    : MlirTTETraversalExact,
                        lag});
  }
  std::vector<int64_t> offsets(buffers.size());
  MlirTTEPlacementOptions options{alignment, effort.value_or(-1), timeLimit.value_or(-1),
                                  capacity.value_or(-1)};
  nb::gil_scoped_release unlocked;
  MlirTTEPlacement placement =
      mlirTTEPlaceBuffers(lifetimes.size(), lifetimes.data(), overlaps.size(), overlaps.data(),
                          options, offsets.data());
  return {offsets, placement.height, placement.lowerBound};
}

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
  module.def("weight_axis", &mlirTTEGetWeightAxis, nb::arg("op"),
             "The axis along which the parts of an op's weight follow each other, or -1.");
  module.def("allows_weight_parts", &mlirTTEAllowsWeightParts, nb::arg("op"),
             "Whether an op takes its weight in parts.");
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
  module.def(
      "origin_attr",
      [](MlirContext context, std::vector<int64_t> shape, std::vector<int64_t> offsets) {
        if (shape.size() != offsets.size())
          throw nb::value_error("shape and offsets must have one length");
        return mlirTTEOriginAttrGet(context, shape.size(), shape.data(), offsets.data());
      },
      nb::arg("context"), nb::arg("shape"), nb::arg("offsets"));
  module.def("origin", &origin, nb::arg("attribute"),
             "The pair (shape, offsets) of a #tte.origin.");
  module.def(
      "enum_keyword",
      [](MlirAttribute attribute) {
        MlirStringRef keyword = mlirTTEEnumGetKeyword(attribute);
        if (keyword.length == 0)
          throw nb::value_error("expected an enum attribute of the tte dialect");
        return std::string(keyword.data, keyword.length);
      },
      nb::arg("attribute"), "The keyword of a role, rounding, strategy, phase or memory space.");
  module.def("place_buffers", &placeBuffers, nb::arg("buffers"), nb::arg("pairs"),
             nb::arg("alignment") = 1, nb::arg("effort") = nb::none(),
             nb::arg("time_limit") = nb::none(), nb::arg("capacity") = nb::none(),
             "Places buffers (bytes, first, last, fixed offset or None); `pairs` (operand, result, "
             "traversal, lag) may overlap. Returns (offsets, height, lower bound).");
}
