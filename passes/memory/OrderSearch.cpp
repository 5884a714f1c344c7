// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "OrderSearch.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"

using namespace llvm;
using namespace tte;

namespace {

/// What is executed and live; runs steps and takes them back.
class Execution {
public:
  explicit Execution(const OrderProblem &problem)
      : problem(problem), executed(problem.steps.size()), pendingUses(problem.buffers.size()),
        isLive(problem.buffers.size()), pendingPredecessors(problem.steps.size()),
        successors(problem.steps.size()) {
    for (auto [index, step] : enumerate(problem.steps)) {
      for (unsigned buffer : step.touches)
        ++pendingUses[buffer];
      pendingPredecessors[index] = step.predecessors.size();
      for (unsigned predecessor : step.predecessors)
        successors[predecessor].push_back(index);
    }
    for (auto [index, buffer] : enumerate(problem.buffers)) {
      if (!buffer.liveAtStart || (!pendingUses[index] && !buffer.liveAtEnd))
        continue;
      isLive.set(index);
      live += buffer.bytes;
    }
  }

  /// Bytes live during `step` and after it.
  std::pair<int64_t, int64_t> getDemand(unsigned step) const {
    int64_t during = live, after = live, saving = 0;
    for (unsigned buffer : problem.steps[step].touches) {
      int64_t bytes = problem.buffers[buffer].bytes;
      if (!isLive[buffer]) {
        during += bytes;
        after += bytes;
      }
      if (dies(buffer))
        after -= bytes;
    }
    for (const OrderProblem::InPlace &inPlace : problem.steps[step].inPlace)
      if (dies(inPlace.buffer))
        saving = std::max(saving, inPlace.saving);
    return {during + problem.steps[step].scratchBytes - saving, after};
  }

  bool isReady(unsigned step) const { return !executed[step] && !pendingPredecessors[step]; }

  void run(unsigned step) {
    SmallVector<unsigned> born;
    for (unsigned buffer : problem.steps[step].touches) {
      if (!isLive[buffer]) {
        isLive.set(buffer);
        live += problem.buffers[buffer].bytes;
        born.push_back(buffer);
      }
      if (dies(buffer)) {
        isLive.reset(buffer);
        live -= problem.buffers[buffer].bytes;
      }
      --pendingUses[buffer];
    }
    executed.set(step);
    for (unsigned successor : successors[step])
      --pendingPredecessors[successor];
    order.push_back(step);
    births.push_back(std::move(born));
  }

  void undo() {
    unsigned step = order.pop_back_val();
    SmallVector<unsigned> born = births.pop_back_val();
    for (unsigned successor : successors[step])
      ++pendingPredecessors[successor];
    executed.reset(step);
    for (unsigned buffer : problem.steps[step].touches) {
      ++pendingUses[buffer];
      bool wasLive = !is_contained(born, buffer);
      if (isLive[buffer] == wasLive)
        continue;
      isLive.flip(buffer);
      live += (wasLive ? 1 : -1) * problem.buffers[buffer].bytes;
    }
  }

  const BitVector &getExecuted() const { return executed; }
  ArrayRef<unsigned> getOrder() const { return order; }
  int64_t getLive() const { return live; }

private:
  bool dies(unsigned buffer) const {
    return pendingUses[buffer] == 1 && !problem.buffers[buffer].liveAtEnd;
  }

  const OrderProblem &problem;
  BitVector executed;
  SmallVector<unsigned> pendingUses;
  BitVector isLive;
  SmallVector<unsigned> pendingPredecessors;
  SmallVector<SmallVector<unsigned>> successors;
  SmallVector<unsigned> order;
  SmallVector<SmallVector<unsigned>> births;
  int64_t live = 0;
};

enum class Answer { Found, Impossible, Unknown };

/// Is there an order within a budget?
class BudgetSearch {
public:
  BudgetSearch(const OrderProblem &problem, int64_t budget, uint64_t stateLimit)
      : execution(problem), budget(budget), statesLeft(stateLimit) {}

  Answer search() {
    size_t depth = execution.getOrder().size();
    runHarmlessSteps();
    if (execution.getExecuted().all())
      return Answer::Found;
    Answer answer = Answer::Impossible;
    if (!statesLeft)
      answer = Answer::Unknown;
    else if (!failed.contains(execution.getExecuted()))
      answer = branch();
    if (answer == Answer::Found)
      return answer;
    while (execution.getOrder().size() > depth)
      execution.undo();
    return answer;
  }

  ArrayRef<unsigned> getOrder() const { return execution.getOrder(); }

private:
  void runHarmlessSteps() {
    for (bool hasRun = true; hasRun;) {
      hasRun = false;
      for (unsigned step : seq<unsigned>(0, execution.getExecuted().size())) {
        if (!execution.isReady(step))
          continue;
        auto [during, after] = execution.getDemand(step);
        if (during > budget || after > execution.getLive())
          continue;
        execution.run(step);
        hasRun = true;
      }
    }
  }

  Answer branch() {
    --statesLeft;
    SmallVector<std::pair<int64_t, unsigned>> candidates; // live bytes afterwards, step
    for (unsigned step : seq<unsigned>(0, execution.getExecuted().size())) {
      if (!execution.isReady(step))
        continue;
      auto [during, after] = execution.getDemand(step);
      if (during <= budget)
        candidates.push_back({after, step});
    }
    sort(candidates);
    for (auto [after, step] : candidates) {
      execution.run(step);
      Answer answer = search();
      if (answer != Answer::Impossible)
        return answer;
      execution.undo();
    }
    failed.insert(execution.getExecuted());
    return Answer::Impossible;
  }

  Execution execution;
  int64_t budget;
  uint64_t statesLeft;
  DenseSet<BitVector> failed;
};

} // namespace

/// Bytes that the caller has written before the first step.
static int64_t getStartBytes(const OrderProblem &problem) {
  int64_t bytes = 0;
  for (const OrderProblem::Buffer &buffer : problem.buffers)
    bytes += buffer.liveAtStart ? buffer.bytes : 0;
  return bytes;
}

int64_t tte::getPeak(const OrderProblem &problem, ArrayRef<unsigned> order) {
  Execution execution(problem);
  int64_t peak = getStartBytes(problem);
  for (unsigned step : order) {
    peak = std::max(peak, execution.getDemand(step).first);
    execution.run(step);
  }
  return peak;
}

namespace {
/// What must be live during a step, whatever the order.
class ForcedDemand {
public:
  explicit ForcedDemand(const OrderProblem &problem) : problem(problem) {
    closePrecedences();
    touchers.assign(problem.buffers.size(), BitVector(problem.steps.size()));
    for (auto [index, step] : enumerate(problem.steps))
      for (unsigned buffer : step.touches)
        touchers[buffer].set(index);
  }

  int64_t getBytes(unsigned step) const {
    int64_t bytes = problem.steps[step].scratchBytes, saving = 0;
    for (unsigned buffer : seq<unsigned>(0, problem.buffers.size()))
      if (touchers[buffer][step] || (existsBefore(buffer, step) && isNeededAfter(buffer, step)))
        bytes += problem.buffers[buffer].bytes;
    for (const OrderProblem::InPlace &inPlace : problem.steps[step].inPlace)
      if (!isNeededAfter(inPlace.buffer, step))
        saving = std::max(saving, inPlace.saving);
    return bytes - saving;
  }

private:
  bool existsBefore(unsigned buffer, unsigned step) const {
    return problem.buffers[buffer].liveAtStart || touchers[buffer].anyCommon(ancestors[step]);
  }
  bool isNeededAfter(unsigned buffer, unsigned step) const {
    return problem.buffers[buffer].liveAtEnd || touchers[buffer].anyCommon(descendants[step]);
  }

  void closePrecedences() {
    size_t count = problem.steps.size();
    ancestors.assign(count, BitVector(count));
    descendants.assign(count, BitVector(count));
    for (bool hasGrown = true; hasGrown;) {
      hasGrown = false;
      for (auto [index, step] : enumerate(problem.steps)) {
        BitVector grown = ancestors[index];
        for (unsigned predecessor : step.predecessors) {
          grown |= ancestors[predecessor];
          grown.set(predecessor);
        }
        hasGrown |= grown != ancestors[index];
        ancestors[index] = std::move(grown);
      }
    }
    for (unsigned step : seq<unsigned>(0, count))
      for (unsigned ancestor : ancestors[step].set_bits())
        descendants[ancestor].set(step);
  }

  const OrderProblem &problem;
  SmallVector<BitVector> ancestors, descendants; // of steps
  SmallVector<BitVector> touchers;               // of buffers
};
} // namespace

/// What some step needs, whatever the order.
static int64_t getForcedBound(const OrderProblem &problem) {
  int64_t bound = getStartBytes(problem);
  ForcedDemand demand(problem);
  for (unsigned step : seq<unsigned>(0, problem.steps.size()))
    bound = std::max(bound, demand.getBytes(step));
  return bound;
}

/// Runs what leaves least live, the earliest step where several do.
static SmallVector<unsigned> orderGreedily(const OrderProblem &problem) {
  Execution execution(problem);
  while (execution.getOrder().size() < problem.steps.size()) {
    std::optional<std::tuple<int64_t, int64_t, unsigned>> best;
    for (unsigned step : seq<unsigned>(0, problem.steps.size())) {
      if (!execution.isReady(step))
        continue;
      auto [during, after] = execution.getDemand(step);
      std::tuple<int64_t, int64_t, unsigned> candidate{after, during, step};
      if (!best || candidate < *best)
        best = candidate;
    }
    execution.run(std::get<2>(*best));
  }
  return SmallVector<unsigned>(execution.getOrder());
}

Order tte::findOrder(const OrderProblem &problem, uint64_t stateLimit) {
  Order best;
  best.steps = orderGreedily(problem);
  best.peak = getPeak(problem, best.steps);
  best.lowerBound = getForcedBound(problem);
  int64_t unknown = best.lowerBound; // budgets below have an answer
  while (unknown < best.peak) {
    int64_t budget = unknown + (best.peak - unknown) / 2;
    BudgetSearch search(problem, budget, stateLimit);
    switch (search.search()) {
    case Answer::Found:
      best.steps.assign(search.getOrder().begin(), search.getOrder().end());
      best.peak = getPeak(problem, best.steps);
      break;
    case Answer::Impossible:
      unknown = best.lowerBound = budget + 1;
      break;
    case Answer::Unknown:
      unknown = budget + 1;
      break;
    }
  }
  return best;
}
