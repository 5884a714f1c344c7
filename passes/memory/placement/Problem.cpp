// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Problem.h"

#include <algorithm>

using namespace tte::placement;

int64_t Problem::getDemand(int section) const {
  int64_t demand = -shared[section];
  for (int item : sections[section])
    demand += items[item].size;
  return demand;
}

int64_t Problem::getLargestDemand() const {
  int64_t largest = 0;
  for (size_t section = 0; section < sections.size(); ++section)
    largest = std::max(largest, getDemand(section));
  for (const Item &item : items) // an overlap takes nothing away from either
    largest = std::max(largest, std::max<int64_t>(item.fixed, 0) + item.size);
  return largest;
}

int64_t Problem::getHeight(const std::vector<int64_t> &offsets) const {
  int64_t height = 0;
  for (size_t i = 0; i < items.size(); ++i)
    height = std::max(height, offsets[i] + items[i].size);
  return height;
}

bool Problem::isSafe(const std::vector<int64_t> &offsets) const {
  for (size_t i = 0; i < items.size(); ++i) {
    if (offsets[i] < 0 || (items[i].fixed >= 0 && offsets[i] != items[i].fixed))
      return false;
    for (const Neighbor &n : neighbors[i]) {
      int64_t distance = offsets[n.item] - offsets[i];
      if (distance > n.below && distance < n.above && !(n.mayEqual && distance == 0))
        return false;
    }
  }
  return true;
}
