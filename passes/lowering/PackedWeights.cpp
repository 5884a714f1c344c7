// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "PackedWeights.h"
#include "KernelFamily.h"
#include "mlir/Dialect/MLProgram/IR/MLProgram.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace tte;

std::optional<PairPacking> PairPacking::get(Type weight) {
  auto type = cast<RankedTensorType>(weight);
  quant::QuantizedType element = getQuantizedElement(type);
  if (!element || element.getStorageTypeIntegralWidth() != 8 || type.getRank() < 2)
    return std::nullopt;
  int64_t outputs = type.getShape().back(), products = type.getNumElements() / outputs;
  if (outputs % 2)
    return std::nullopt;
  return PairPacking{products, outputs};
}

int64_t PairPacking::byteOf(int64_t product, int64_t output) const {
  int64_t quads = products / 4, rest = products % 4;
  int64_t within = product % 4;
  int64_t pair = product / 4 * 2, half;
  if (product < quads * 4) {
    pair += within % 2;
    half = within / 2;
  } else {
    // (0), (0, 1) or (0, 2) and (1)
    if (products % 2 && within == rest / 2)
      return (products - 1) * outputs + output;
    half = within ? 1 : 0;
  }
  return (output / 2 * (products / 2) + pair) * 4 + half * 2 + output % 2;
}

DenseElementsAttr PairPacking::pack(DenseElementsAttr weights) const {
  SmallVector<int8_t> packed(products * outputs);
  int64_t index = 0;
  for (int8_t weight : weights.getValues<int8_t>()) {
    packed[byteOf(index / outputs, index % outputs)] = weight;
    ++index;
  }
  return DenseElementsAttr::get(weights.getType(), ArrayRef<int8_t>(packed));
}

static constexpr StringLiteral kPacked = "tte.packed";

bool tte::isPacked(BlockArgument input) {
  auto packed = input.getOwner()->getParentOp()->getAttrOfType<DenseI64ArrayAttr>(kPacked);
  return packed && llvm::is_contained(packed.asArrayRef(), input.getArgNumber());
}

void tte::markPacked(BlockArgument input) {
  Operation *kernel = input.getOwner()->getParentOp();
  SmallVector<int64_t> packed{input.getArgNumber()};
  if (auto earlier = kernel->getAttrOfType<DenseI64ArrayAttr>(kPacked))
    llvm::append_range(packed, earlier.asArrayRef());
  kernel->setAttr(kPacked, DenseI64ArrayAttr::get(kernel->getContext(), packed));
}

namespace {

/// Whether every reader of an input of a kernel takes it packed.
bool takesPacked(BlockArgument input) {
  auto takes = [](OpOperand &use) {
    const KernelFamily *family = findFamily(use.getOwner());
    return family && family->takesPackedWeight(use.getOwner(), use.getOperandNumber());
  };
  // Rows have the weights of their layer; groups of channels are cut from weights in order.
  Strategy strategy = cast<KernelOp>(input.getOwner()->getParentOp()).getStrategy();
  return strategy != Strategy::channel_group && PairPacking::get(input.getType()) &&
         !input.use_empty() && llvm::all_of(input.getUses(), takes);
}

/// A constant that a call passes for an input of a kernel; none where the call passes other
/// memory.
struct Passed {
  BlockArgument input;
  ml_program::GlobalOp global;
};

class Packer {
public:
  explicit Packer(ModuleOp module) : module(module), symbols(module) {}

  void run() {
    module.walk([&](CallOp call) {
      if (auto kernel = symbols.lookupSymbolIn(module, call.getKernel()))
        if (isa<KernelOp>(kernel))
          add(call, cast<KernelOp>(kernel));
    });
    module.walk([&](Operation *op) { refuseOtherUses(op); });
    while (dropDisagreement())
      ;
    for (BlockArgument input : inputs)
      markPacked(input);
    for (Operation *op : globals) {
      auto global = cast<ml_program::GlobalOp>(op);
      auto weights = cast<DenseElementsAttr>(*global.getValue());
      global.setValueAttr(PairPacking::get(global.getType())->pack(weights));
    }
  }

private:
  void add(CallOp call, KernelOp kernel) {
    for (auto [buffer, input] :
         llvm::zip(call.getInputs(), kernel.getBody().front().getArguments())) {
      auto flash = buffer.getDefiningOp<FlashOp>();
      auto global =
          flash ? symbols.lookup<ml_program::GlobalOp>(flash.getGlobal()) : ml_program::GlobalOp();
      if (takesPacked(input))
        inputs.insert(input);
      if (global && PairPacking::get(global.getType()) &&
          isa_and_nonnull<DenseElementsAttr>(global.getValueAttr()))
        globals.insert(global);
      passed.push_back({input, global});
    }
  }

  /// Constants that are read otherwise than by kernels keep their order.
  void refuseOtherUses(Operation *op) {
    if (isa<FlashOp>(op)) {
      auto isCall = [](OpOperand &use) { return isa<CallOp>(use.getOwner()); };
      if (llvm::all_of(op->getUses(), isCall))
        return;
    }
    for (NamedAttribute attribute : op->getAttrs())
      attribute.getValue().walk([&](SymbolRefAttr symbol) {
        if (Operation *global = symbols.lookup(symbol.getRootReference()))
          globals.remove(global);
      });
  }

  /// Both sides of a call must agree. Whether one of them had to give in.
  bool dropDisagreement() {
    bool changed = false;
    for (auto [input, global] : passed)
      if (inputs.contains(input) != (global && globals.contains(global))) {
        inputs.remove(input);
        if (global)
          globals.remove(global);
        changed = true;
      }
    return changed;
  }

  ModuleOp module;
  SymbolTable symbols;
  SmallVector<Passed> passed;
  llvm::SetVector<BlockArgument> inputs;
  llvm::SetVector<Operation *> globals;
};

} // namespace

void tte::packWeights(ModuleOp module) { Packer(module).run(); }
