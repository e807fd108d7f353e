// See Layout.h.
#include "compiler/Plan/Layout.h"

#include "compiler/Plan/Structure.h"

using namespace mlir;

namespace crosscut {
namespace {

// Fewer channels than this are not worth being brought last: the kernel reads planes one by one just as well.
constexpr int64_t minChannelsToReorder = 5;

}  // namespace

// What the first convolution or window that reads `value` would like.
Order Layout::wantedByUsers(Value value) {
  for (OpOperand &use : value.getUses()) {
    auto user = dyn_cast<linalg::GenericOp>(use.getOwner());
    if (!user || use.getOperandNumber() != 0) continue;
    SmallVector<unsigned> order = preferredInputOrder(user);
    if (order.empty()) continue;
    Size channels = shapes.dimsOf(value)[order.back()];
    if (constantOf(channels).value_or(minChannelsToReorder) < minChannelsToReorder) continue;
    return Order(order.begin(), order.end());
  }
  return {};
}

// Puts dimensions along which everything is repeated into the order: outside, or where they become one with another
// dimension (an image that is made larger), next to that.
void Layout::insertRepeated(Order &order, ArrayRef<unsigned> repeated, Value result) {
  auto collapse = result.hasOneUse() ? dyn_cast<tensor::CollapseShapeOp>(*result.user_begin()) : nullptr;
  Order outside;
  for (unsigned d : repeated) {
    unsigned *mate = order.end();
    if (collapse && d > 0)
      for (const ReassociationIndices &group : collapse.getReassociationIndices())
        if (llvm::is_contained(group, d) && llvm::is_contained(group, d - 1)) mate = llvm::find(order, d - 1);
    if (mate == order.end()) outside.push_back(d);
    else order.insert(mate + 1, d);
  }
  order.insert(order.begin(), outside.begin(), outside.end());
}

Order Layout::orderFor(Operation *op, Value result) {
  unsigned rank = cast<RankedTensorType>(result.getType()).getRank();
  auto natural = [&] { return naturalOrder(rank); };
  auto fromMemory = [&](Value v) {
    return !v.getDefiningOp() || !isa<arith::ConstantOp, tensor::EmptyOp>(v.getDefiningOp());
  };
  auto known = [&](Value v) { return orders.count(v) != 0; };
  if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
    SmallVector<unsigned> preferred = preferredResultOrder(generic);
    if (!preferred.empty()) return Order(preferred.begin(), preferred.end());
    // What is gathered lies in rows of the tensor that it is taken from, whatever the indices' order.
    bool gathers = generic.getBody()->walk([](tensor::ExtractOp) { return WalkResult::interrupt(); }).wasInterrupted();
    if (gathers) return natural();
    // As the operand with most dimensions lies; loops that it does not have go outside.
    AffineMap output = generic.getMatchingIndexingMap(generic.getTiedOpOperand(cast<OpResult>(result)));
    if (!output.isProjectedPermutation()) return natural();
    OpOperand *best = nullptr;
    int64_t bestRank = -1;
    for (OpOperand *input : generic.getDpsInputOperands()) {
      auto type = dyn_cast<RankedTensorType>(input->get().getType());
      if (!type || !known(input->get()) || !fromMemory(input->get())) continue;
      AffineMap map = generic.getMatchingIndexingMap(input);
      if (!map.isProjectedPermutation()) continue;
      if (type.getRank() > bestRank || (type.getRank() == bestRank && !llvm::is_sorted(orders[input->get()]) &&
                                        llvm::is_sorted(orders[best->get()]))) {
        best = input;
        bestRank = type.getRank();
      }
    }
    if (!best || bestRank == 0) return natural();
    AffineMap map = generic.getMatchingIndexingMap(best);
    Order order, repeated;
    for (unsigned d : orders[best->get()])
      for (unsigned to = 0; to < rank; ++to)
        if (output.getDimPosition(to) == map.getDimPosition(d)) order.push_back(to);
    for (unsigned d = 0; d < rank; ++d)
      if (!map.isFunctionOfDim(output.getDimPosition(d))) repeated.push_back(d);
    insertRepeated(order, repeated, result);
    return order;
  }
  if (auto pad = dyn_cast<tensor::PadOp>(op)) {
    // The result of a kernel is written into the padded buffer as it is; anything else is copied, so may be reordered.
    Order wanted =
        isa_and_nonnull<linalg::GenericOp>(pad.getSource().getDefiningOp()) ? Order() : wantedByUsers(result);
    return wanted.empty() ? orders[pad.getSource()] : wanted;
  }
  if (isa<tensor::CastOp, tensor::ConcatOp>(op))
    return known(op->getOperand(0)) ? orders[op->getOperand(0)] : natural();
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    SmallVector<int> newIndex;
    int next = 0;
    for (unsigned d = 0; d < dropped.size(); ++d) newIndex.push_back(dropped[d] ? -1 : next++);
    Order order;
    for (unsigned d : orders[slice.getSource()])
      if (newIndex[d] >= 0) order.push_back(newIndex[d]);
    return order;
  }
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    Order order;
    auto groups = expand.getReassociationIndices();
    if (groups.empty()) return natural();
    for (unsigned d : orders[expand.getSrc()])
      for (int64_t e : groups[d]) order.push_back(e);
    return order;
  }
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    // Kept when every group's dimensions lie in order, one after the other; else the source is brought to natural
    // order.
    const Sizes &dims = shapes.dimsOf(collapse.getSrc());
    SmallVector<int> groupOf(dims.size());
    auto groups = collapse.getReassociationIndices();
    for (auto [g, group] : llvm::enumerate(groups))
      for (int64_t d : group) groupOf[d] = g;
    Order order, seen;
    SmallVector<int> lastInGroup(groups.size(), -1);
    int previous = -1;
    for (unsigned d : orders[collapse.getSrc()]) {
      if (isConstant(dims[d], 1)) continue;
      int g = groupOf[d];
      if (g != previous && lastInGroup[g] >= 0) return natural();
      if (static_cast<int>(d) < lastInGroup[g]) return natural();
      if (g != previous) order.push_back(g);
      lastInGroup[g] = d;
      previous = g;
    }
    Order all;
    for (unsigned g = 0; g < groups.size(); ++g)
      if (!llvm::is_contained(order, g)) all.push_back(g);
    all.append(order);
    return all;
  }
  return natural();
}

void Layout::assign(func::FuncOp function) {
  for (BlockArgument argument : function.getArguments())
    if (auto type = dyn_cast<RankedTensorType>(argument.getType())) orders[argument] = naturalOrder(type.getRank());
  for (Operation &op : function.getBody().front())
    for (Value result : op.getResults())
      if (isa<RankedTensorType>(result.getType())) {
        // Not in one expression: the computation may grow the map.
        Order order = orderFor(&op, result);
        orders[result] = std::move(order);
      }
}

}  // namespace crosscut
