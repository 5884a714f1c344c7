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
    int64_t during = live, after = live;
    for (unsigned buffer : problem.steps[step].touches) {
      int64_t bytes = problem.buffers[buffer].bytes;
      if (!isLive[buffer]) {
        during += bytes;
        after += bytes;
      }
      if (dies(buffer))
        after -= bytes;
    }
    return {during + problem.steps[step].scratchBytes, after};
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

/// What some step needs, whatever the order.
static int64_t getTrivialBound(const OrderProblem &problem) {
  int64_t bound = getStartBytes(problem);
  for (const OrderProblem::Step &step : problem.steps) {
    int64_t bytes = step.scratchBytes;
    for (unsigned buffer : step.touches)
      bytes += problem.buffers[buffer].bytes;
    bound = std::max(bound, bytes);
  }
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
  best.lowerBound = getTrivialBound(problem);
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
