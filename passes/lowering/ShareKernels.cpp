// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Finds lowered kernels that are equal but for sizes, and gives one of them arguments for these.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "tte/IR/TTEOps.h"
#include "tte/Passes/Passes.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace tte;

namespace tte {
#define GEN_PASS_DEF_SHAREKERNELS
#include "tte/Passes/Passes.h.inc"
} // namespace tte

//===----------------------------------------------------------------------===//
// Where functions of one form may differ
//===----------------------------------------------------------------------===//

/// Whether `use` is the amount of a shift, a divisor or a width: its instruction is another one, or
/// none at all, where that is no constant.
static bool needsImmediate(OpOperand &use) {
  Operation *user = use.getOwner();
  if (auto call = dyn_cast<LLVM::CallIntrinsicOp>(user))
    return call.getIntrin() == "llvm.arm.ssat" && use.getOperandNumber() == 1;
  if (isa<LLVM::FshrOp>(user))
    return use.getOperandNumber() == 2;
  return isa<arith::ShLIOp, arith::ShRSIOp, arith::ShRUIOp, arith::DivSIOp, arith::DivUIOp,
             arith::FloorDivSIOp, arith::CeilDivSIOp, arith::RemSIOp, arith::RemUIOp>(user) &&
         use.getOperandNumber() == 1;
}

/// The integer that an argument can stand for, if `op` holds one: a constant, or the distance
/// of a pointer.
static std::optional<int64_t> getSize(Operation *op) {
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto value = dyn_cast<IntegerAttr>(constant.getValue());
    bool varies = value && (value.getType().isIndex() || value.getType().isInteger(32) ||
                            value.getType().isInteger(64));
    if (varies && llvm::isInt<32>(value.getInt()) && llvm::none_of(op->getUses(), needsImmediate))
      return value.getInt();
  }
  if (auto pointer = dyn_cast<LLVM::GEPOp>(op)) {
    ArrayRef<int32_t> indices = pointer.getRawConstantIndices();
    if (indices.size() == 1 && indices.front() != LLVM::GEPOp::kDynamicIndex)
      return indices.front();
  }
  return std::nullopt;
}

static void setSize(Operation *op, int64_t size) {
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    constant.setValueAttr(IntegerAttr::get(constant.getType(), size));
  else
    cast<LLVM::GEPOp>(op).setRawConstantIndices({int32_t(size)});
}

static void replaceSize(Operation *op, Value argument, OpBuilder &entry) {
  Location loc = op->getLoc();
  if (auto pointer = dyn_cast<LLVM::GEPOp>(op)) {
    pointer.getDynamicIndicesMutable().append(argument);
    pointer.setRawConstantIndices({LLVM::GEPOp::kDynamicIndex});
    return;
  }
  Value constant = op->getResult(0);
  if (constant.getType().isIndex())
    argument = arith::IndexCastOp::create(entry, loc, constant.getType(), argument);
  else if (constant.getType() != argument.getType())
    argument = arith::ExtSIOp::create(entry, loc, constant.getType(), argument);
  constant.replaceAllUsesWith(argument);
  op->erase();
}

namespace {

struct Kernel {
  func::FuncOp function;
  SmallVector<Operation *> sizes; ///< ops with a size, in the order of the code
  int64_t opCount = 0;

  explicit Kernel(func::FuncOp function) : function(function) {
    function.walk([&](Operation *op) {
      ++opCount;
      if (getSize(op))
        sizes.push_back(op);
    });
  }

  /// Only arguments are buffers, whose size is then written nowhere else, and nothing is called.
  static bool isShareable(func::FuncOp function) {
    if (function.isPrivate() || function.isExternal())
      return false;
    WalkResult result = function.walk([](Operation *op) {
      bool isView = llvm::any_of(op->getResultTypes(), llvm::IsaPred<MemRefType>) &&
                    !isa<memref::AllocaOp>(op);
      return isView || isa<func::CallOp>(op) ? WalkResult::interrupt() : WalkResult::advance();
    });
    return !result.wasInterrupted();
  }

  /// The text of the function without its name and its sizes.
  std::string getForm() const {
    func::FuncOp form = cast<func::FuncOp>(function->clone());
    for (Operation *op : Kernel(form).sizes)
      setSize(op, 0);
    Block &body = form.getBody().front();
    for (BlockArgument argument : body.getArguments())
      if (auto buffer = dyn_cast<MemRefType>(argument.getType()))
        argument.setType(MemRefType::get({1}, buffer.getElementType()));
    form.setFunctionType(
        FunctionType::get(form.getContext(), body.getArgumentTypes(), form.getResultTypes()));
    form.setName("form");
    std::string text;
    llvm::raw_string_ostream stream(text);
    // The whole at once: each printing numbers all values.
    form->print(stream, OpPrintingFlags().useLocalScope().assumeVerified());
    form.erase();
    return text;
  }
};

/// Values of one size in kernels of one form, in their order.
using Column = SmallVector<int32_t>;

/// Kernels that are equal but for their sizes.
class Family {
public:
  SmallVector<Kernel> kernels;

  /// An access takes a constant distance from its pointer for nothing, an argument for an
  /// instruction: loops of many such accesses stay apart.
  bool isWorthSharing() const {
    int64_t distances = 0;
    for (auto [op, column] : llvm::zip_equal(kernels.front().sizes, getColumns()))
      distances += isa<LLVM::GEPOp>(op) && !llvm::all_equal(column);
    return kernels.size() > 1 && distances * fewestOpsADistance <= kernels.front().opCount;
  }

  /// Gives the first function an argument for each different column of sizes that vary, which are
  /// returned.
  SmallVector<Column> generalize() {
    func::FuncOp function = kernels.front().function;
    Block &body = function.getBody().front();
    enlargeBuffers(body);
    OpBuilder entry = OpBuilder::atBlockBegin(&body);
    unsigned buffers = body.getNumArguments();
    SmallVector<Column> arguments;
    for (auto [op, column] : llvm::zip_equal(kernels.front().sizes, getColumns())) {
      if (llvm::all_equal(column))
        continue;
      size_t index = llvm::find(arguments, column) - arguments.begin();
      if (index == arguments.size()) {
        arguments.push_back(column);
        body.addArgument(entry.getI32Type(), function.getLoc());
      }
      replaceSize(op, body.getArgument(buffers + index), entry);
    }
    function.setFunctionType(entry.getFunctionType(body.getArgumentTypes(), {}));
    return arguments;
  }

private:
  static constexpr int64_t fewestOpsADistance = 20;

  SmallVector<Column> getColumns() const {
    SmallVector<Column> columns(kernels.front().sizes.size());
    for (const Kernel &kernel : kernels)
      for (auto [op, column] : llvm::zip_equal(kernel.sizes, columns))
        column.push_back(*getSize(op));
    return columns;
  }

  void enlargeBuffers(Block &body) {
    for (BlockArgument argument : body.getArguments())
      for (Kernel &kernel : kernels) {
        Type type = kernel.function.getArgumentTypes()[argument.getArgNumber()];
        auto getSize = [](Type buffer) { return cast<MemRefType>(buffer).getNumElements(); };
        if (getSize(type) > getSize(argument.getType()))
          argument.setType(type);
      }
  }
};

/// What the calls of a kernel become.
struct Replacement {
  FlatSymbolRefAttr function;
  DenseI32ArrayAttr constants;
};

struct ShareKernelsPass : tte::impl::ShareKernelsBase<ShareKernelsPass> {
  using ShareKernelsBase::ShareKernelsBase;

  void runOnOperation() override {
    DenseMap<SymbolRefAttr, Replacement> shared;
    for (ModuleOp library : getOperation().getOps<ModuleOp>())
      shareIn(library, shared);
    getOperation().walk([&](CallOp call) {
      auto kernel = shared.find(call.getKernel());
      if (kernel == shared.end())
        return;
      StringAttr library = call.getKernel().getRootReference();
      call.setKernelAttr(SymbolRefAttr::get(library, kernel->second.function));
      call->setAttr("tte.constants", kernel->second.constants);
    });
  }

private:
  static void shareIn(ModuleOp library, DenseMap<SymbolRefAttr, Replacement> &shared) {
    llvm::MapVector<StringAttr, Family> families;
    Builder builder(library.getContext());
    for (auto function : library.getOps<func::FuncOp>()) {
      if (!Kernel::isShareable(function))
        continue;
      Kernel kernel(function);
      families[builder.getStringAttr(kernel.getForm())].kernels.push_back(kernel);
    }
    for (auto &[form, family] : families) {
      if (!family.isWorthSharing())
        continue;
      SmallVector<Column> arguments = family.generalize();
      auto function = FlatSymbolRefAttr::get(family.kernels.front().function.getSymNameAttr());
      for (auto [i, kernel] : llvm::enumerate(family.kernels)) {
        auto constants =
            llvm::map_to_vector(arguments, [i = i](const Column &column) { return column[i]; });
        auto name = FlatSymbolRefAttr::get(kernel.function.getSymNameAttr());
        shared[SymbolRefAttr::get(library.getSymNameAttr(), name)] = {
            function, builder.getDenseI32ArrayAttr(constants)};
        if (i > 0)
          kernel.function.erase();
      }
    }
  }
};

} // namespace
