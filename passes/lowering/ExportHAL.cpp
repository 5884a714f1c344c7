// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tte/Passes/Passes.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_EXPORTHAL
#include "tte/Passes/Passes.h.inc"
} // namespace tte

/// The name of the function of every executable: equal kernels are equal texts.
static constexpr StringLiteral kernelName = "kernel";

namespace {

/// Makes ops, types and attributes of IREE's hal dialect, which is not linked in: in the generic
/// form they are plain text.
class HALBuilder {
public:
  explicit HALBuilder(MLIRContext *context) : builder(context) {}

  OpBuilder builder;

  Attribute getAttribute(StringRef text) {
    return OpaqueAttr::get(builder.getStringAttr("hal"), text, NoneType::get(builder.getContext()));
  }
  Type getType(StringRef text) { return OpaqueType::get(builder.getStringAttr("hal"), text); }

  Attribute getLayout(unsigned bindings, unsigned constants) {
    std::string text = "pipeline.layout<";
    llvm::raw_string_ostream stream(text);
    if (constants)
      stream << "constants = " << constants << ", ";
    stream << "bindings = [";
    for (unsigned i = 0; i < bindings; ++i)
      stream << (i ? ", " : "") << "#hal.pipeline.binding<storage_buffer>";
    stream << "]>";
    return getAttribute(text);
  }

  Operation *create(Location loc, StringRef name, ValueRange operands, TypeRange results,
                    ArrayRef<NamedAttribute> attributes, unsigned regions = 0) {
    OperationState state(loc, name, operands, results, attributes);
    for (unsigned i = 0; i < regions; ++i)
      state.addRegion();
    return builder.create(state);
  }

  NamedAttribute named(StringRef name, Attribute value) {
    return builder.getNamedAttr(name, value);
  }
};

struct ExportHALPass : tte::impl::ExportHALBase<ExportHALPass> {
  using ExportHALBase::ExportHALBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect>();
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (!getContext().allowsUnregisteredDialects()) {
      module.emitError("export-hal: needs a context that allows unregistered dialects");
      return signalPassFailure();
    }
    auto library = module.lookupSymbol<ModuleOp>("kernels");
    if (!library) {
      module.emitError("export-hal: expected a nested module @kernels, found none");
      return signalPassFailure();
    }
    for (Operation &op : llvm::make_early_inc_range(*module.getBody()))
      if (&op != library)
        op.erase();
    SymbolTable symbols(library);
    HALBuilder hal(library.getContext());
    for (func::FuncOp function : library.getOps<func::FuncOp>()) {
      if (function.isPrivate())
        continue;
      hal.builder.setInsertionPoint(library);
      wrap(hal, function, collectCallees(function, symbols));
    }
    library.erase();
  }

private:
  /// The functions that `function` calls, directly or not, in the order of the library.
  static SmallVector<func::FuncOp> collectCallees(func::FuncOp function, SymbolTable &symbols) {
    llvm::SetVector<Operation *> reached;
    reached.insert(function);
    for (size_t i = 0; i < reached.size(); ++i)
      reached[i]->walk([&](func::CallOp call) {
        if (Operation *callee = symbols.lookup(call.getCallee()))
          reached.insert(callee);
      });
    SmallVector<func::FuncOp> callees;
    for (Operation *op : llvm::drop_begin(reached))
      callees.push_back(cast<func::FuncOp>(op));
    llvm::sort(callees,
               [](func::FuncOp lhs, func::FuncOp rhs) { return lhs->isBeforeInBlock(rhs); });
    return callees;
  }

  /// An executable of its own, in which nothing depends on the rest of the library.
  static void wrap(HALBuilder &hal, func::FuncOp function, ArrayRef<func::FuncOp> callees) {
    Location loc = function.getLoc();
    Operation *source =
        hal.create(loc, "hal.executable.source", {}, {},
                   {hal.named("sym_name", function.getSymNameAttr()),
                    hal.named("sym_visibility", hal.builder.getStringAttr("public"))},
                   1);
    Block *block = hal.builder.createBlock(&source->getRegion(0));
    unsigned buffers = llvm::count_if(function.getArgumentTypes(), llvm::IsaPred<MemRefType>);
    Attribute layout = hal.getLayout(buffers, function.getNumArguments() - buffers);
    createExport(hal, loc, layout);
    hal.builder.setInsertionPointToEnd(block);
    auto inner = ModuleOp::create(hal.builder, loc);
    hal.create(loc, "hal.executable.source_end", {}, {}, {});
    OpBuilder body = OpBuilder::atBlockEnd(inner.getBody());
    for (func::FuncOp callee : callees)
      body.clone(*callee);
    auto kernel = cast<func::FuncOp>(body.clone(*function));
    kernel.setSymName(kernelName);
    bindArguments(hal, kernel, layout);
  }

  /// One workgroup runs the whole kernel.
  static void createExport(HALBuilder &hal, Location loc, Attribute layout) {
    OpBuilder::InsertionGuard guard(hal.builder);
    Operation *entry =
        hal.create(loc, "hal.executable.export", {}, {},
                   {hal.named("sym_name", hal.builder.getStringAttr(kernelName)),
                    hal.named("sym_visibility", hal.builder.getStringAttr("public")),
                    hal.named("ordinal", hal.builder.getIndexAttr(0)), hal.named("layout", layout)},
                   2);
    hal.builder.createBlock(&entry->getRegion(0), {}, hal.getType("device"), loc);
    Value one = arith::ConstantIndexOp::create(hal.builder, loc, 1);
    hal.create(loc, "hal.return", {one, one, one}, {}, {});
  }

  static void bindArguments(HALBuilder &hal, func::FuncOp function, Attribute layout) {
    Block &body = function.getBody().front();
    OpBuilder::InsertionGuard guard(hal.builder);
    hal.builder.setInsertionPointToStart(&body);
    Location loc = function.getLoc();
    Value zero = arith::ConstantIndexOp::create(hal.builder, loc, 0);
    unsigned constants = 0;
    for (BlockArgument argument : body.getArguments()) {
      if (!isa<MemRefType>(argument.getType())) {
        Operation *constant =
            hal.create(loc, "hal.interface.constant.load", {}, argument.getType(),
                       {hal.named("layout", layout),
                        hal.named("ordinal", hal.builder.getIndexAttr(constants++))});
        argument.replaceAllUsesWith(constant->getResult(0));
        continue;
      }
      Operation *binding =
          hal.create(loc, "hal.interface.binding.subspan", zero, argument.getType(),
                     {hal.named("layout", layout),
                      hal.named("binding", hal.builder.getIndexAttr(argument.getArgNumber())),
                      hal.named("alignment", hal.builder.getIndexAttr(4)),
                      hal.named("operandSegmentSizes", hal.builder.getDenseI32ArrayAttr({1, 0}))});
      argument.replaceAllUsesWith(binding->getResult(0));
    }
    body.eraseArguments(0, body.getNumArguments());
    function.setFunctionType(hal.builder.getFunctionType({}, {}));
  }
};

} // namespace
