// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Assembly and verifiers of dispatches and of the planned program.
#include "Verification.h"

using namespace mlir;
using namespace tte;

//===----------------------------------------------------------------------===//
// dispatch
//===----------------------------------------------------------------------===//

// tte.dispatch plain forward (%a = %x : tensor<4xf32>) -> tensor<4xf32> tied [0] { ... }

void DispatchOp::print(OpAsmPrinter &printer) {
  printer << ' ' << stringifyStrategy(getStrategy()) << ' ' << stringifyPhase(getPhase()) << " (";
  llvm::interleaveComma(llvm::zip(getBody().getArguments(), getInputs()), printer, [&](auto pair) {
    auto [argument, input] = pair;
    printer << argument << " = " << input << " : " << input.getType();
  });
  printer << ')';
  printer.printArrowTypeList(getResultTypes());
  if (llvm::any_of(getTied(), [](int64_t operand) { return operand >= 0; })) {
    printer << " tied [";
    llvm::interleaveComma(getTied(), printer);
    printer << ']';
  }
  printer.printOptionalAttrDictWithKeyword(
      (*this)->getAttrs(), {getStrategyAttrName(), getPhaseAttrName(), getTiedAttrName()});
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

template <typename EnumT>
static ParseResult parseEnum(OpAsmParser &parser, StringRef what,
                             std::optional<EnumT> (*symbolize)(StringRef), EnumT &value) {
  StringRef keyword;
  SMLoc location = parser.getCurrentLocation();
  if (parser.parseKeyword(&keyword))
    return failure();
  std::optional<EnumT> parsed = symbolize(keyword);
  if (!parsed)
    return parser.emitError(location) << "unknown " << what << " '" << keyword << "'";
  value = *parsed;
  return success();
}

ParseResult DispatchOp::parse(OpAsmParser &parser, OperationState &state) {
  Strategy strategy = Strategy::plain;
  Phase phase = Phase::forward;
  if (parseEnum<Strategy>(parser, "strategy", symbolizeStrategy, strategy) ||
      parseEnum<Phase>(parser, "phase", symbolizePhase, phase))
    return failure();
  SmallVector<OpAsmParser::Argument> arguments;
  SmallVector<OpAsmParser::UnresolvedOperand> operands;
  SmallVector<Type> types;
  auto parseInput = [&]() -> ParseResult {
    if (parser.parseArgument(arguments.emplace_back()) || parser.parseEqual() ||
        parser.parseOperand(operands.emplace_back()) || parser.parseColonType(types.emplace_back()))
      return failure();
    arguments.back().type = types.back();
    return success();
  };
  SMLoc location = parser.getCurrentLocation();
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, parseInput) ||
      parser.resolveOperands(operands, types, location, state.operands) ||
      parser.parseOptionalArrowTypeList(state.types))
    return failure();
  SmallVector<int64_t> tied(state.types.size(), -1);
  if (succeeded(parser.parseOptionalKeyword("tied"))) {
    tied.clear();
    if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square,
                                       [&] { return parser.parseInteger(tied.emplace_back()); }))
      return failure();
  }
  MLIRContext *context = parser.getContext();
  Properties &properties = state.getOrAddProperties<Properties>();
  properties.strategy = StrategyAttr::get(context, strategy);
  properties.phase = PhaseAttr::get(context, phase);
  properties.tied = DenseI64ArrayAttr::get(context, tied);
  if (parser.parseOptionalAttrDictWithKeyword(state.attributes))
    return failure();
  return parser.parseRegion(*state.addRegion(), arguments);
}

LogicalResult DispatchOp::verify() {
  if (getTied().size() != getNumResults())
    return emitOpError() << "tied needs one entry for each of the " << getNumResults()
                         << " results, found " << getTied().size();
  for (auto [index, operand] : llvm::enumerate(getTied())) {
    if (operand < -1 || operand >= int64_t(getNumOperands()))
      return emitOpError() << "result " << index << " is tied to operand " << operand << " of "
                           << getNumOperands();
    if (operand >= 0 && getOperand(operand).getType() != getResult(index).getType())
      return emitOpError() << "result " << index << " of type " << getResult(index).getType()
                           << " is tied to an operand of type " << getOperand(operand).getType();
  }
  return success();
}

LogicalResult DispatchOp::verifyRegions() {
  if (getBody().getArgumentTypes() != getOperandTypes())
    return emitOpError("block arguments must have the types of the inputs");
  auto yield = dyn_cast<YieldOp>(getBody().front().getTerminator());
  if (!yield || yield.getOperandTypes() != getResultTypes())
    return emitOpError("must yield values of the types of its results");
  return success();
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

LogicalResult SubspanOp::verify() {
  int64_t width = cast<MemRefType>(getType()).getElementTypeBitWidth() / 8;
  if (getOffset() < 0 || getOffset() % width)
    return emitOpError() << "offset must be a multiple of the element size " << width << ", found "
                         << getOffset();
  return success();
}
