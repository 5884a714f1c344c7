// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tte/Passes/Origin.h"

using namespace mlir;
using namespace tte;

static constexpr StringLiteral placesName = "tte.places", originName = "tte.origin",
                               partOfName = "tte.part_of";

ArrayRef<int64_t> tte::getPlaces(Operation *op, unsigned dimension) {
  auto lists = op->getAttrOfType<ArrayAttr>(placesName);
  return lists ? cast<DenseI64ArrayAttr>(lists[dimension]).asArrayRef() : ArrayRef<int64_t>();
}

StringRef tte::getOriginalName(ml_program::GlobalOp parameter) {
  auto whole = parameter->getAttrOfType<StringAttr>(partOfName);
  return whole ? whole.getValue() : parameter.getSymName();
}

void tte::takeOrigin(SGDOp update, ml_program::GlobalOp parameter) {
  if (auto origin = parameter->getAttrOfType<OriginAttr>(originName))
    update.setOriginAttr(origin);
  if (Attribute places = parameter->getAttr(placesName))
    update->setAttr(placesName, places);
}

void tte::narrowOrigin(SGDOp update, ml_program::GlobalOp parameter, RankedTensorType whole,
                       ArrayRef<int64_t> offsets, ArrayRef<int64_t> shape) {
  Builder builder(update.getContext());
  SmallVector<int64_t> original(whole.getShape()), moved(offsets);
  if (std::optional<OriginAttr> origin = update.getOrigin()) {
    original.assign(origin->getShape().begin(), origin->getShape().end());
    for (auto [offset, before] : llvm::zip_equal(moved, origin->getOffsets()))
      offset += before;
  }
  SmallVector<Attribute> lists;
  for (unsigned d = 0; d < offsets.size(); ++d) {
    ArrayRef<int64_t> places = getPlaces(update, d);
    if (!places.empty()) {
      places = places.slice(offsets[d], shape[d]);
      moved[d] = 0; // the list says it all
    }
    lists.push_back(builder.getDenseI64ArrayAttr(places));
  }
  update.setOriginAttr(OriginAttr::get(builder.getContext(), original, moved));
  if (update->hasAttr(placesName))
    update->setAttr(placesName, builder.getArrayAttr(lists));
  parameter->setAttr(originName, update.getOriginAttr());
  if (Attribute places = update->getAttr(placesName))
    parameter->setAttr(placesName, places);
}
