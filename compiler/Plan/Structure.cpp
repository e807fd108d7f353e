// See Structure.h.
#include "compiler/Plan/Structure.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace crosscut {
namespace {

bool usesLoop(AffineMap map, unsigned loop) {
  return llvm::any_of(map.getResults(), [&](AffineExpr e) { return e.isFunctionOfDim(loop); });
}

// Dimension of `map` whose expression is more than a loop.
bool isWindowExpr(AffineExpr expr) { return !isa<AffineDimExpr, AffineConstantExpr>(expr); }

}  // namespace

Operation *matchSumOfProducts(linalg::GenericOp op) {
  if (op.getNumDpsInits() != 1) return nullptr;
  Block *body = op.getBody();
  Operation *sum = body->getTerminator()->getOperand(0).getDefiningOp();
  if (!sum || !isa<arith::AddFOp, arith::AddIOp>(sum)) return nullptr;
  Value acc = body->getArguments().back();
  for (unsigned i : {0, 1}) {
    Operation *product = sum->getOperand(1 - i).getDefiningOp();
    if (sum->getOperand(i) == acc && product && isa<arith::MulFOp, arith::MulIOp>(product)) return product;
  }
  return nullptr;
}

std::optional<Contraction> matchContraction(linalg::GenericOp op) {
  Block *body = op.getBody();
  if (op.getNumDpsInputs() != 2 || body->getOperations().size() != 3) return std::nullopt;
  Operation *mul = matchSumOfProducts(op);
  if (!mul) return std::nullopt;
  Value a = body->getArgument(0), b = body->getArgument(1);
  if (!((mul->getOperand(0) == a && mul->getOperand(1) == b) || (mul->getOperand(0) == b && mul->getOperand(1) == a)))
    return std::nullopt;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  Contraction result;
  bool columns = false, reduction = false;
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
    bool inA = usesLoop(maps[0], loop), inB = usesLoop(maps[1], loop), inC = usesLoop(maps[2], loop);
    if (inC && inA && inB) result.roles.push_back(LoopRole::Batch);
    else if (inC && inB) result.roles.push_back(LoopRole::Columns), columns = true;
    else if (inC) result.roles.push_back(LoopRole::Rows);
    else if (inA && inB) result.roles.push_back(LoopRole::Reduction), reduction = true;
    else return std::nullopt;
  }
  for (AffineExpr expr : maps[1].getResults())
    if (isWindowExpr(expr)) return std::nullopt;
  for (AffineExpr expr : maps[2].getResults())
    if (isWindowExpr(expr)) return std::nullopt;
  if (!columns || !reduction) return std::nullopt;
  return result;
}

bool hasWindow(linalg::GenericOp op) {
  for (OpOperand *input : op.getDpsInputOperands())
    for (AffineExpr expr : op.getMatchingIndexingMap(input).getResults())
      if (isWindowExpr(expr)) return true;
  return false;
}

OpOperand *matchCopy(linalg::GenericOp op) {
  if (op.getNumReductionLoops() || op.getNumDpsInits() != 1) return nullptr;
  Block *body = op.getBody();
  if (body->getOperations().size() != 1) return nullptr;
  auto argument = dyn_cast<BlockArgument>(cast<linalg::YieldOp>(body->getTerminator()).getOperand(0));
  if (!argument || argument.getOwner() != body || argument.getArgNumber() >= op.getNumDpsInputs()) return nullptr;
  OpOperand *input = op.getDpsInputOperand(argument.getArgNumber());
  if (!isa<RankedTensorType>(input->get().getType())) return nullptr;
  if (!op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isPermutation()) return nullptr;
  for (AffineExpr expr : op.getMatchingIndexingMap(input).getResults())
    if (isWindowExpr(expr)) return nullptr;
  return input;
}

TypedAttr matchFill(linalg::GenericOp op) {
  if (op.getNumReductionLoops() || op.getNumDpsInits() != 1) return {};
  Block *body = op.getBody();
  if (body->getOperations().size() > 2) return {};
  Value value = cast<linalg::YieldOp>(body->getTerminator()).getOperand(0);
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    if (argument.getOwner() != body || argument.getArgNumber() >= op.getNumDpsInputs()) return {};
    value = op.getDpsInputOperand(argument.getArgNumber())->get();
  }
  auto constant = value.getDefiningOp<arith::ConstantOp>();
  return constant && !isa<ShapedType>(constant.getType()) ? constant.getValue() : TypedAttr();
}

bool canBeEpilogue(OpOperand &use) {
  auto user = dyn_cast<linalg::GenericOp>(use.getOwner());
  if (!user || user.getNumReductionLoops() || user->getNumResults() != 1 || matchCopy(user) || matchFill(user))
    return false;
  // Gathers are scalar code: they would keep the reduction from being computed in vectors.
  if (user.getBody()->walk([](tensor::ExtractOp) { return WalkResult::interrupt(); }).wasInterrupted()) return false;
  return user.isDpsInput(&use) && user.getMatchingIndexingMap(&use).isPermutation() &&
         user.getMatchingIndexingMap(user.getDpsInitOperand(0)).isPermutation();
}

SmallVector<unsigned> preferredResultOrder(linalg::GenericOp op) {
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  SmallVector<unsigned> order;
  if (!map.isProjectedPermutation()) return order;
  unsigned rank = map.getNumResults();
  if (auto contraction = matchContraction(op)) {
    // Rows outside, then groups that lie directly before the columns, then the columns.
    SmallVector<unsigned> last;
    for (unsigned d = 0; d < rank; ++d)
      if (contraction->roles[map.getDimPosition(d)] == LoopRole::Columns) last.push_back(d);
    for (unsigned d = last.front(); d-- > 0;) {
      if (contraction->roles[map.getDimPosition(d)] != LoopRole::Batch) break;
      // Leading batch dimensions of a matrix product stay outside.
      bool rowsBefore = false;
      for (unsigned e = 0; e < d; ++e) rowsBefore |= contraction->roles[map.getDimPosition(e)] == LoopRole::Rows;
      if (!rowsBefore) break;
      last.insert(last.begin(), d);
    }
    for (unsigned d = 0; d < rank; ++d)
      if (!llvm::is_contained(last, d)) order.push_back(d);
    order.append(last);
    return order;
  }
  if (!hasWindow(op)) return order;
  // Windows: batch, then the dimensions that slide, then the rest.
  SmallVector<unsigned> sliding, rest;
  AffineMap input = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  for (unsigned d = 0; d < rank; ++d) {
    bool slides = false;
    for (AffineExpr expr : input.getResults())
      slides |= isWindowExpr(expr) && expr.isFunctionOfDim(map.getDimPosition(d));
    (slides ? sliding : rest).push_back(d);
  }
  if (rest.size() > 1) order.push_back(rest.front()), rest.erase(rest.begin());
  order.append(sliding);
  order.append(rest);
  return order;
}

SmallVector<unsigned> preferredInputOrder(linalg::GenericOp op) {
  SmallVector<unsigned> order;
  SmallVector<unsigned> result = preferredResultOrder(op);
  if (result.empty() || llvm::is_sorted(result)) return order;  // a matrix product reads its rows as they are
  AffineMap output = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  AffineMap input = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  // Dimensions of the input in the order of the result's dimensions that they serve; what is summed over comes last.
  SmallVector<bool> taken(input.getNumResults(), false);
  for (unsigned d : result)
    for (unsigned e = 0; e < input.getNumResults(); ++e)
      if (!taken[e] && input.getResult(e).isFunctionOfDim(output.getDimPosition(d))) {
        taken[e] = true;
        order.push_back(e);
      }
  for (unsigned e = 0; e < input.getNumResults(); ++e)
    if (!taken[e]) order.push_back(e);
  return order;
}

}  // namespace crosscut
