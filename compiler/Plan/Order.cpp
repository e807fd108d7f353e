// Puts the steps into the order in which least memory is alive at once.
//
// Any order will do that keeps each step behind those that it waits for. The search follows the best few beginnings of
// all orders, one step after the other. With the same steps done the same memory is alive, however one came there: of
// two such beginnings only the one with the lower peak is kept. That is exact for graphs that are not wide; and what it
// finds is taken only if it needs less than the order at hand.
#include "compiler/Plan/Dependences.h"
#include "compiler/Plan/Plan.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"

#include <random>
#include <tuple>

namespace crosscut {
namespace {

constexpr unsigned mostBeginnings = 48;
constexpr size_t mostSteps = 2000;  // time grows with their square

class OrderSearch {
 public:
  explicit OrderSearch(FunctionPlan &plan);
  // Empty: no order needs less than the one at hand.
  std::vector<unsigned> run();

 private:
  struct Beginning {
    std::vector<uint16_t> waiting;  // by step: how many others it waits for; done: as many as there are
    std::vector<uint16_t> uses;     // by buffer: how many steps have yet to touch it
    uint64_t done = 0;              // names the set of steps that are done
    uint64_t alive = 0, peak = 0;
    int last = -1;  // in `trail`
  };
  struct Candidate {
    uint64_t peak, alive;
    unsigned parent, step;
    uint64_t done;
  };
  struct Mark {
    unsigned step;
    int before;
  };
  static constexpr uint16_t isDone = UINT16_MAX;

  std::pair<uint64_t, uint64_t> peakAndAlive(const Beginning &from, unsigned step) const;
  Beginning after(const Beginning &from, const Candidate &candidate);

  unsigned count;
  std::vector<llvm::SmallVector<unsigned, 4>> successors;
  std::vector<llvm::SmallVector<unsigned, 4>> touched, reusable;  // by step; buffers, and those it may write over
  std::vector<int> results;                                       // by step: the buffer that then needs no memory
  std::vector<uint64_t> bytes;                                    // by buffer
  std::vector<uint64_t> marks;                                    // by step, for Beginning::done
  Beginning start;
  std::vector<Mark> trail;
};

OrderSearch::OrderSearch(FunctionPlan &plan)
    : count(plan.steps.size()), successors(count), touched(count), reusable(count), results(count, -1) {
  auto dependences = dependencesOf(plan, SameMemory::Buffer);
  // Plugins may do more than write their results: their calls stay in the model's order.
  std::optional<unsigned> plugin;
  for (auto [i, step] : llvm::enumerate(plan.steps)) {
    if (step.kind != StepKind::Plugin) continue;
    if (plugin && !llvm::is_contained(dependences[i], *plugin)) dependences[i].push_back(*plugin);
    plugin = i;
  }
  std::mt19937_64 random(1);
  for (unsigned step = 0; step < count; ++step) {
    marks.push_back(random());
    start.waiting.push_back(dependences[step].size());
    for (unsigned before : dependences[step]) successors[before].push_back(step);
  }
  llvm::DenseMap<Buffer *, unsigned> numbers;
  for (auto [i, step] : llvm::enumerate(plan.steps)) {
    for (Buffer *buffer : arenaBuffersOf(step)) {
      auto [it, isNew] = numbers.try_emplace(buffer, bytes.size());
      if (isNew) {
        bytes.push_back(bytesInArena(*buffer));
        start.uses.push_back(0);
      }
      ++start.uses[it->second];
      touched[i].push_back(it->second);
    }
    for (Buffer *buffer : reusableInputs(step)) reusable[i].push_back(numbers.lookup(buffer));
    if (!reusable[i].empty()) results[i] = numbers.lookup(resultBuffer(step));
  }
}

// The highest peak so far, and the memory that is alive afterwards, when this step comes next.
std::pair<uint64_t, uint64_t> OrderSearch::peakAndAlive(const Beginning &from, unsigned step) const {
  uint64_t added = 0, freed = 0, saved = 0;
  for (unsigned buffer : touched[step]) {
    if (from.uses[buffer] == start.uses[buffer]) added += bytes[buffer];
    if (from.uses[buffer] == 1) freed += bytes[buffer];
  }
  if (int result = results[step]; result >= 0 && from.uses[result] == start.uses[result])
    if (llvm::any_of(reusable[step], [&](unsigned buffer) { return from.uses[buffer] == 1; })) saved = bytes[result];
  return {std::max(from.peak, from.alive + added - saved), from.alive + added - freed};
}

OrderSearch::Beginning OrderSearch::after(const Beginning &from, const Candidate &candidate) {
  Beginning next = from;
  next.peak = candidate.peak;
  next.alive = candidate.alive;
  next.done = candidate.done;
  next.waiting[candidate.step] = isDone;
  for (unsigned step : successors[candidate.step]) --next.waiting[step];
  for (unsigned buffer : touched[candidate.step]) --next.uses[buffer];
  next.last = trail.size();
  trail.push_back({candidate.step, from.last});
  return next;
}

std::vector<unsigned> OrderSearch::run() {
  Beginning own = start;
  for (unsigned step = 0; step < count; ++step) {
    auto [peak, alive] = peakAndAlive(own, step);
    own = after(own, {peak, alive, 0, step, 0});
  }
  trail.clear();
  std::vector<Beginning> beginnings{start};
  std::vector<Candidate> candidates;
  for (unsigned done = 0; done < count; ++done) {
    candidates.clear();
    for (auto [parent, from] : llvm::enumerate(beginnings))
      for (unsigned step = 0; step < count; ++step) {
        if (from.waiting[step]) continue;
        auto [peak, alive] = peakAndAlive(from, step);
        if (peak < own.peak) candidates.push_back({peak, alive, unsigned(parent), step, from.done ^ marks[step]});
      }
    llvm::sort(candidates, [](const Candidate &a, const Candidate &b) {
      return std::tie(a.peak, a.alive, a.parent, a.step) < std::tie(b.peak, b.alive, b.parent, b.step);
    });
    std::vector<Beginning> next;
    llvm::DenseSet<uint64_t> known;
    for (const Candidate &candidate : candidates) {
      if (next.size() == mostBeginnings) break;
      if (known.insert(candidate.done).second) next.push_back(after(beginnings[candidate.parent], candidate));
    }
    if (next.empty()) return {};
    beginnings = std::move(next);
  }
  std::vector<unsigned> order;
  for (int mark = beginnings.front().last; mark >= 0; mark = trail[mark].before) order.push_back(trail[mark].step);
  std::reverse(order.begin(), order.end());
  return order;
}

}  // namespace

void orderForMemory(FunctionPlan &plan) {
  if (plan.steps.size() > mostSteps || !hasStaticArena(plan)) return;
  std::vector<unsigned> order = OrderSearch(plan).run();
  if (order.empty()) return;
  std::vector<Step> steps;
  for (unsigned step : order) steps.push_back(std::move(plan.steps[step]));
  plan.steps = std::move(steps);
  computeLifetimes(plan);
}

}  // namespace crosscut
