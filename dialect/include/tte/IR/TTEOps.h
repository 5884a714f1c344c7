// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The dialect, its attributes, interfaces and ops.
#ifndef TTE_IR_TTEOPS_H
#define TTE_IR_TTEOPS_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "tte/IR/TTEDialect.h.inc"
#include "tte/IR/TTEEnums.h.inc"
#include "tte/IR/TTETypes.h"
#define GET_ATTRDEF_CLASSES
#include "tte/IR/TTEAttributes.h.inc"
#include "tte/IR/TTEInterfaces.h.inc"

namespace tte {
/// The result keeps the scale and zero point of the first operand.
template <typename ConcreteOp>
struct KeepsScale : mlir::OpTrait::TraitBase<ConcreteOp, KeepsScale> {};
} // namespace tte

#define GET_OP_CLASSES
#include "tte/IR/TTEOps.h.inc"

#endif // TTE_IR_TTEOPS_H
