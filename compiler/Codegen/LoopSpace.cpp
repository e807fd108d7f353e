// See LoopSpace.h.
#include "compiler/Codegen/LoopSpace.h"

using namespace mlir;

namespace crosscut {

LoopSpace::LoopSpace(const Step &step, MLIRContext *context) : nest(step.nest), context(context) {
  for (unsigned i = 0; i < step.nest.extents.size(); ++i) {
    Loop loop;
    loop.extent = step.nest.extents[i];
    loop.reduction = step.nest.isReduction[i];
    loop.members.push_back(i);
    loops.push_back(loop);
  }
  auto addOperand = [&](Operand::Role role, unsigned epilogue, unsigned position, const Access &access) {
    Operand operand;
    operand.role = role;
    operand.epilogue = epilogue;
    operand.position = position;
    operand.element = access.ref.elementType;
    operand.splat = access.ref.splat;
    operand.access = &access;
    operand.strides = access.strides;
    operands.push_back(std::move(operand));
  };
  for (auto [i, access] : llvm::enumerate(step.nest.inputs)) addOperand(Operand::Input, 0, i, access);
  for (auto [i, access] : llvm::enumerate(step.nest.inits)) addOperand(Operand::Init, 0, i, access);
  for (auto [e, epilogue] : llvm::enumerate(step.epilogues))
    for (auto [i, access] : llvm::enumerate(epilogue.inputs))
      if (!epilogue.chained[i]) addOperand(Operand::EpilogueInput, e, i, access);
  for (auto [i, access] : llvm::enumerate(step.outputs)) addOperand(Operand::Output, 0, i, access);
  if (step.nest.rowLoop) indexed.insert(*step.nest.rowLoop);
  if (step.nest.op) step.nest.op->walk([&](linalg::IndexOp op) { indexed.insert(op.getDim()); });
  for (const Epilogue &epilogue : step.epilogues)
    epilogue.op->walk([&](linalg::IndexOp op) { indexed.insert(epilogue.loopOf[op.getDim()]); });
}

Operand *LoopSpace::find(Operand::Role role, unsigned position, unsigned epilogue) {
  for (Operand &operand : operands)
    if (operand.role == role && operand.position == position && operand.epilogue == epilogue) return &operand;
  return nullptr;
}

int LoopSpace::loopOf(unsigned member) const {
  for (unsigned i = 0; i < loops.size(); ++i)
    if (llvm::is_contained(loops[i].members, member)) return i;
  return -1;
}

std::optional<int64_t> LoopSpace::usualExtent(unsigned loop) const {
  auto extent = constantOf(loops[loop].extent);
  bool isRowLoop = nest.rowLoop && llvm::is_contained(loops[loop].members, *nest.rowLoop);
  return extent || !isRowLoop ? extent : std::optional(nest.usualRows);
}

void LoopSpace::reorder(ArrayRef<unsigned> order) {
  SmallVector<Loop> newLoops;
  for (unsigned i : order) newLoops.push_back(loops[i]);
  for (Operand &operand : operands) {
    Sizes strides;
    for (unsigned i : order) strides.push_back(operand.strides[i]);
    operand.strides = std::move(strides);
  }
  loops = std::move(newLoops);
}

void LoopSpace::dropUnit() {
  SmallVector<unsigned> keep;
  for (unsigned i = 0; i < loops.size(); ++i)
    if (!isConstant(loops[i].extent, 1)) keep.push_back(i);
  reorder(keep);
}

void LoopSpace::packConstants() {
  for (Operand &operand : operands) {
    if (operand.splat || !operand.access->ref.buffer || operand.access->ref.buffer->kind != BufferKind::Constant)
      continue;
    const Buffer &buffer = *operand.access->ref.buffer;
    // Each element is read by one combination of the loops that walk the constant: then any order of them will do.
    SmallVector<unsigned> used;
    int64_t count = 1;
    bool regular = constantOf(operand.access->offset).has_value();
    for (unsigned i = 0; i < loops.size(); ++i) {
      if (isConstant(operand.strides[i], 0)) continue;
      auto stride = constantOf(operand.strides[i]), extent = constantOf(loops[i].extent);
      if (!stride || !extent || *stride < 0) {
        regular = false;
        break;
      }
      used.push_back(i);
      count *= *extent;
    }
    if (!regular || count > *constantOf(buffer.elements)) continue;
    unsigned bytes = elementBytes(operand.element);
    std::vector<char> packed(count * bytes);
    SmallVector<int64_t> position(used.size(), 0), strides, extents;
    for (unsigned i : used) {
      strides.push_back(*constantOf(operand.strides[i]));
      extents.push_back(*constantOf(loops[i].extent));
    }
    int64_t from = *constantOf(operand.access->offset);
    const char *data = buffer.data.data();
    // Counts through all positions, the last loop fastest.
    for (int64_t to = 0; to < count; ++to) {
      memcpy(&packed[to * bytes], data + from * bytes, bytes);
      for (int i = used.size() - 1; i >= 0; --i) {
        from += strides[i];
        if (++position[i] < extents[i]) break;
        from -= strides[i] * extents[i];
        position[i] = 0;
      }
    }
    int64_t stride = 1;
    for (unsigned i : llvm::reverse(used)) {
      operand.strides[i] = getAffineConstantExpr(stride, context);
      stride *= *constantOf(loops[i].extent);
    }
    operand.packed = std::move(packed);
  }
}

void LoopSpace::merge(llvm::function_ref<bool(const Loop &, const Loop &)> allowed) {
  for (unsigned i = 0; i + 1 < loops.size();) {
    Loop &outer = loops[i], &inner = loops[i + 1];
    bool possible = outer.reduction == inner.reduction && allowed(outer, inner);
    for (unsigned member : outer.members) possible &= !isIndexed(member);
    for (unsigned member : inner.members) possible &= !isIndexed(member);
    for (Operand &operand : operands) possible &= operand.strides[i] == operand.strides[i + 1] * inner.extent;
    if (!possible) {
      ++i;
      continue;
    }
    inner.extent = outer.extent * inner.extent;
    inner.members.insert(inner.members.begin(), outer.members.begin(), outer.members.end());
    loops.erase(loops.begin() + i);
    for (Operand &operand : operands) operand.strides.erase(operand.strides.begin() + i);
    i = i ? i - 1 : 0;
  }
}

void LoopSpace::bind(KernelBuilder &k, WeightBlob &weights) {
  for (Operand &operand : operands) {
    if (operand.splat || operand.pointer) continue;
    if (operand.packed) operand.pointer = k.weightsPointer(weights.add(*operand.packed, elementBytes(operand.element)));
    else operand.pointer = k.locate(*operand.access);
  }
}

}  // namespace crosscut
