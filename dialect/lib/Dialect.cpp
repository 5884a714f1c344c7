// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MLProgram/IR/MLProgram.h"
#include "mlir/Dialect/Quant/IR/Quant.h"
#include "mlir/IR/DialectImplementation.h"
#include "tte/IR/TTEOps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tte;

#include "tte/IR/TTEDialect.cpp.inc"
#include "tte/IR/TTEEnums.cpp.inc"
#include "tte/IR/TTEInterfaces.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "tte/IR/TTEAttributes.cpp.inc"

namespace {
/// Quantized types are long: name them by what they usually hold.
struct QuantizedTypeAliases : OpAsmDialectInterface {
  using OpAsmDialectInterface::OpAsmDialectInterface;

  AliasResult getAlias(Type type, raw_ostream &os) const override {
    auto quantized = dyn_cast<quant::QuantizedType>(type);
    if (!quantized)
      return AliasResult::NoAlias;
    if (quantized.getStorageTypeIntegralWidth() == 32)
      os << "bias";
    else
      os << (isa<quant::UniformQuantizedPerAxisType>(type) ? "weight" : "activation");
    return AliasResult::OverridableAlias;
  }
};
} // namespace

void TTEDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "tte/IR/TTEOps.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "tte/IR/TTEAttributes.cpp.inc"
      >();
  addInterfaces<QuantizedTypeAliases>();
}

/// `tte.places`: for each dimension of the op's parameter the indices of its elements in the
/// original one, or an empty list.
static LogicalResult verifyPlaces(Operation *op, Attribute attribute) {
  auto lists = dyn_cast<ArrayAttr>(attribute);
  if (!lists || !llvm::all_of(lists, llvm::IsaPred<DenseI64ArrayAttr>))
    return op->emitOpError("'tte.places' must be a list of array<i64>, found ") << attribute;
  StringRef originName = isa<SGDOp>(op) ? "origin" : "tte.origin";
  auto origin = op->getAttrOfType<OriginAttr>(originName);
  if (!origin || origin.getShape().size() != lists.size())
    return op->emitOpError("'tte.places' has ")
           << lists.size() << " lists, expected one for each dimension of an origin";
  for (auto [d, list] : llvm::enumerate(lists.getAsRange<DenseI64ArrayAttr>()))
    for (int64_t place : list.asArrayRef())
      if (place < 0 || place >= origin.getShape()[d])
        return op->emitOpError("'tte.places' names ")
               << place << " in dimension " << d << " of size " << origin.getShape()[d];
  return success();
}

LogicalResult TTEDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  StringRef name = attribute.getName();
  if (name == "tte.range" && !isa<RangeAttr>(attribute.getValue()))
    return op->emitOpError("'tte.range' must be a #tte.range, found ") << attribute.getValue();
  if (name == "tte.places")
    return verifyPlaces(op, attribute.getValue());
  if (name != "tte.update")
    return success();
  if (!isa<UpdateAttr>(attribute.getValue()))
    return op->emitOpError("'tte.update' must be a #tte.update, found ") << attribute.getValue();
  if (!isa<ml_program::GlobalOp>(op))
    return op->emitOpError("'tte.update' belongs on an ml_program.global");
  return success();
}

static LogicalResult verifyInterval(function_ref<InFlightDiagnostic()> emitError,
                                    const APFloat &min, const APFloat &max) {
  if (!(min <= max))
    return emitError() << "minimum " << min.convertToDouble() << " is above maximum "
                       << max.convertToDouble();
  return success();
}

LogicalResult RangeAttr::verify(function_ref<InFlightDiagnostic()> emitError, APFloat min,
                                APFloat max) {
  return verifyInterval(emitError, min, max);
}

LogicalResult ClampAttr::verify(function_ref<InFlightDiagnostic()> emitError, APFloat min,
                                APFloat max) {
  return verifyInterval(emitError, min, max);
}

LogicalResult UpdateAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t offset,
                                 int64_t size) {
  if (offset < 0 || size <= 0)
    return emitError() << "a range of channels needs offset >= 0 and size > 0, found offset "
                       << offset << " and size " << size;
  return success();
}

LogicalResult OriginAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 ArrayRef<int64_t> shape, ArrayRef<int64_t> offsets) {
  if (shape.size() != offsets.size())
    return emitError() << "shape has rank " << shape.size() << " but there are " << offsets.size()
                       << " offsets";
  return success();
}

/// Bounds print with as many digits as reading them back exactly needs, or as "inf".
static void printBound(AsmPrinter &printer, double value) {
  if (std::isinf(value)) {
    printer << (value < 0 ? "-inf" : "inf");
    return;
  }
  SmallString<32> text;
  APFloat(value).toString(text, /*FormatPrecision=*/0, /*FormatMaxPadding=*/4,
                          /*TruncateZero=*/true);
  printer << text;
  if (!StringRef(text).contains_insensitive('e') && !StringRef(text).contains('.'))
    printer << ".0";
}

static ParseResult parseBound(AsmParser &parser, double &value) {
  bool negative = succeeded(parser.parseOptionalMinus());
  if (succeeded(parser.parseOptionalKeyword("inf")))
    value = std::numeric_limits<double>::infinity();
  else if (parser.parseFloat(value))
    return failure();
  value = negative ? -value : value;
  return success();
}

template <typename AttrT> static Attribute parseInterval(AsmParser &parser) {
  double min, max;
  SMLoc location = parser.getCurrentLocation();
  if (parser.parseLess() || parseBound(parser, min) || parser.parseComma() ||
      parseBound(parser, max) || parser.parseGreater())
    return {};
  return AttrT::getChecked([&] { return parser.emitError(location); }, parser.getContext(),
                           APFloat(min), APFloat(max));
}

template <typename AttrT> static void printInterval(AsmPrinter &printer, AttrT attribute) {
  printer << "<";
  printBound(printer, attribute.getMin());
  printer << ", ";
  printBound(printer, attribute.getMax());
  printer << ">";
}

Attribute RangeAttr::parse(AsmParser &parser, Type) { return parseInterval<RangeAttr>(parser); }
void RangeAttr::print(AsmPrinter &printer) const { printInterval(printer, *this); }
Attribute ClampAttr::parse(AsmParser &parser, Type) { return parseInterval<ClampAttr>(parser); }
void ClampAttr::print(AsmPrinter &printer) const { printInterval(printer, *this); }
