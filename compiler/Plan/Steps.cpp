// Makes steps: nests from linalg operations, copies, the buffers that a step keeps alive, and the sizes that have to
// agree when the function runs.
#include "compiler/Plan/Planner.h"

using namespace mlir;

namespace crosscut {

void forEachRef(Step &step, llvm::function_ref<void(TensorRef &)> visit) {
  if (step.kind == StepKind::FillBorder) visit(step.outer);
  if (step.kind == StepKind::Chain) {
    for (Stage &stage : step.chain->stages) forEachRef(stage.step, visit);
    return;
  }
  for (std::vector<Access> *accesses : {&step.nest.inputs, &step.nest.inits, &step.outputs})
    for (Access &access : *accesses) visit(access.ref);
  for (auto &[value, ref] : step.nest.captured) visit(ref);
  for (Epilogue &epilogue : step.epilogues) {
    for (auto [access, chained] : llvm::zip(epilogue.inputs, epilogue.chained))
      if (!chained) visit(access.ref);
    for (auto &[value, ref] : epilogue.captured) visit(ref);
  }
  if (step.winograd) visit(step.winograd->transformed), visit(step.winograd->products);
}

llvm::SmallVector<const Access *> accessesOf(const Step &step) {
  llvm::SmallVector<const Access *> all;
  for (const Access &access : step.nest.inputs) all.push_back(&access);
  for (const Access &access : step.nest.inits) all.push_back(&access);
  for (const Epilogue &epilogue : step.epilogues)
    for (auto [access, chained] : llvm::zip(epilogue.inputs, epilogue.chained))
      if (!chained) all.push_back(&access);
  for (const Access &access : step.outputs) all.push_back(&access);
  return all;
}

llvm::SmallVector<Buffer *> arenaBuffersOf(Step &step) {
  llvm::SmallVector<Buffer *> buffers;
  if (step.kind == StepKind::Chain) buffers.push_back(step.chain->scratch);
  auto isInner = [&](Buffer *buffer) {
    return step.kind == StepKind::Chain &&
           llvm::any_of(step.chain->buffers, [&](ChainBuffer &inner) { return inner.buffer == buffer; });
  };
  forEachRef(step, [&](TensorRef &ref) {
    if (ref.buffer && ref.buffer->kind == BufferKind::Arena && !llvm::is_contained(buffers, ref.buffer) &&
        !isInner(ref.buffer))
      buffers.push_back(ref.buffer);
  });
  return buffers;
}

void computeLifetimes(FunctionPlan &plan) {
  for (auto &buffer : plan.buffers) buffer->firstStep = buffer->lastStep = -1;
  for (auto [i, step] : llvm::enumerate(plan.steps))
    for (Buffer *buffer : arenaBuffersOf(step)) {
      if (buffer->firstStep < 0) buffer->firstStep = static_cast<int>(i);
      buffer->lastStep = static_cast<int>(i);
    }
}

void Planner::emit(Step step) { plan.steps.push_back(std::move(step)); }

void Planner::copy(const TensorRef &from, const TensorRef &to, const std::string &name) {
  Step step;
  step.name = name;
  step.nest.extents = to.dims;
  step.nest.isReduction.assign(to.dims.size(), false);
  step.nest.inputs.push_back({from, from.strides, from.offset});
  step.outputs.push_back({to, to.strides, to.offset});
  emit(std::move(step));
}

TensorRef Planner::materialize(const TensorRef &ref, llvm::ArrayRef<unsigned> order, const std::string &name) {
  std::string of = ref.buffer && !ref.buffer->names.empty() ? ref.buffer->names.front() : name;
  Buffer *buffer = newArenaBuffer(of + " (reordered)", ref.elementType, product(ref.dims, context()));
  TensorRef to = denseRef(buffer, ref.elementType, ref.dims, order);
  copy(ref, to, name);
  return to;
}

void Planner::constrain(Size a, Size b) {
  if (a == b) return;
  for (const Constraint &c : plan.constraints)
    if (c.a == a && c.b == b) return;
  plan.constraints.push_back({a, b});
}

llvm::Error Planner::visitAssert(cf::AssertOp op) {
  auto equal = op.getArg().getDefiningOp<arith::CmpIOp>();
  if (!equal || equal.getPredicate() != arith::CmpIPredicate::eq ||
      !isa<IndexType, IntegerType>(equal.getLhs().getType()))
    return llvm::createStringError(nameOf(op) + ": cf.assert of anything but two equal integers is not supported");
  constrain(shapes.sizeOf(equal.getLhs()), shapes.sizeOf(equal.getRhs()));
  return llvm::Error::success();
}

void Planner::finish(Value value, const TensorRef &ref, Operation *op) {
  auto it = placements.find(value);
  if (it == placements.end() || sameMemory(it->second, ref)) {
    refs[value] = ref;
    return;
  }
  copy(ref, it->second, nameOf(op));
  refs[value] = it->second;
}

Access Planner::accessFor(const TensorRef &ref, AffineMap map, unsigned loops) {
  Access access;
  access.ref = ref;
  access.offset = ref.offset;
  access.strides.assign(loops, constant(0));
  // Replacing loops by symbols beyond the plan's own would lose their meaning: take each expression apart instead.
  auto addTerm = [&](auto &self, AffineExpr expr, Size scale) -> void {
    if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
      access.strides[dim.getPosition()] = access.strides[dim.getPosition()] + scale;
    } else if (auto c = dyn_cast<AffineConstantExpr>(expr)) {
      access.offset = access.offset + scale * c.getValue();
    } else {
      auto binary = cast<AffineBinaryOpExpr>(expr);
      if (binary.getKind() == AffineExprKind::Add) {
        self(self, binary.getLHS(), scale);
        self(self, binary.getRHS(), scale);
      } else {
        self(self, binary.getLHS(), scale * cast<AffineConstantExpr>(binary.getRHS()).getValue());
      }
    }
  };
  for (unsigned d = 0; d < map.getNumResults(); ++d) addTerm(addTerm, map.getResult(d), ref.strides[d]);
  return access;
}

bool isLinear(AffineExpr expr) {
  if (isa<AffineDimExpr, AffineConstantExpr>(expr)) return true;
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary) return false;
  if (binary.getKind() == AffineExprKind::Add) return isLinear(binary.getLHS()) && isLinear(binary.getRHS());
  return binary.getKind() == AffineExprKind::Mul && isa<AffineConstantExpr>(binary.getRHS()) &&
         isLinear(binary.getLHS());
}

llvm::Expected<Nest> Planner::makeNest(linalg::GenericOp op) {
  Nest nest;
  nest.op = op;
  unsigned loops = op.getNumLoops();
  nest.extents.resize(loops);
  for (utils::IteratorType type : op.getIteratorTypesArray())
    nest.isReduction.push_back(type == utils::IteratorType::reduction);
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (AffineExpr expr : map.getResults())
      if (!isLinear(expr)) return llvm::createStringError(nameOf(op) + ": an indexing map that is not linear");
    if (!isa<RankedTensorType>(operand.get().getType())) continue;
    const Sizes &dims = shapes.dimsOf(operand.get());
    for (unsigned d = 0; d < map.getNumResults(); ++d)
      if (auto dim = dyn_cast<AffineDimExpr>(map.getResult(d))) {
        Size &extent = nest.extents[dim.getPosition()];
        if (!extent) extent = dims[d];
        else constrain(extent, dims[d]);
      }
  }
  for (unsigned loop = 0; loop < loops; ++loop)
    if (!nest.extents[loop])
      return llvm::createStringError(nameOf(op) + ": no operand tells the extent of loop " + llvm::Twine(loop));
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (!isa<RankedTensorType>(input->get().getType())) {
      auto value = input->get().getDefiningOp<arith::ConstantOp>();
      if (!value) return llvm::createStringError(nameOf(op) + ": a scalar operand that is no constant");
      TensorRef ref;
      ref.splat = value.getValue();
      ref.elementType = value.getType();
      ref.offset = constant(0);
      nest.inputs.push_back({ref, Sizes(loops, constant(0)), constant(0)});
      continue;
    }
    TensorRef ref = refOf(input->get());
    SmallVector<unsigned> wanted = input->getOperandNumber() == 0 ? preferredInputOrder(op) : SmallVector<unsigned>();
    // A convolution that would walk its input's channels plane by plane reads a reordered copy.
    if (!wanted.empty() && ref.buffer && ref.buffer->kind != BufferKind::Constant &&
        !isConstant(ref.strides[wanted.back()], 1)) {
      Size channels = ref.dims[wanted.back()];
      if (constantOf(channels).value_or(8) >= 5) ref = materialize(ref, wanted, nameOf(op) + ".layout");
    }
    nest.inputs.push_back(accessFor(ref, op.getMatchingIndexingMap(input), loops));
  }
  // A matrix product walks the columns of its second operand in vectors.
  if (auto contraction = matchContraction(op)) {
    Access &b = nest.inputs[1];
    bool unit = false, any = false;
    for (unsigned loop = 0; loop < loops; ++loop)
      if (contraction->roles[loop] == LoopRole::Columns && !isConstant(nest.extents[loop], 1)) {
        any = true;
        unit |= isConstant(b.strides[loop], 1);
      }
    if (any && !unit && b.ref.buffer && b.ref.buffer->kind != BufferKind::Constant) {
      AffineMap map = op.getMatchingIndexingMap(op.getDpsInputOperand(1));
      Order order, columns;
      for (unsigned d = 0; d < map.getNumResults(); ++d) {
        auto dim = dyn_cast<AffineDimExpr>(map.getResult(d));
        (dim && contraction->roles[dim.getPosition()] == LoopRole::Columns ? columns : order).push_back(d);
      }
      order.append(columns);
      b = accessFor(materialize(b.ref, order, nameOf(op) + ".layout"), map, loops);
    }
  }
  for (OpOperand &init : op.getDpsInitsMutable())
    nest.inits.push_back(accessFor(refOf(init.get()), op.getMatchingIndexingMap(&init), loops));
  auto walk = op.getBody()->walk([&](tensor::ExtractOp extract) {
    Value tensor = extract.getTensor();
    for (auto &[value, ref] : nest.captured)
      if (value == tensor) return WalkResult::advance();
    nest.captured.push_back({tensor, refOf(tensor)});
    return WalkResult::advance();
  });
  (void)walk;
  return nest;
}

}  // namespace crosscut
