// Builds the plan of a function: walks its operations once backwards, to decide which values are written straight into
// the memory of a later one (a padded buffer, a part of a concatenation, an output of the function), and once forwards,
// to make steps. A reduction waits for the elementwise operations that follow it, and takes them in as epilogues.
#include "compiler/Plan/Layout.h"
#include "compiler/Plan/Structure.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include "crosscut/abi.h"

using namespace mlir;

namespace crosscut {

unsigned elementBytes(Type type) {
  if (type.isIndex()) return 8;
  return std::max(1u, type.getIntOrFloatBitWidth() / 8);
}

namespace {

std::string nameOf(Operation *op) {
  std::string name;
  auto visit = [&](auto &self, Location loc) -> void {
    if (!name.empty()) return;
    if (auto named = dyn_cast<NameLoc>(loc)) name = named.getName().str();
    else if (auto fused = dyn_cast<FusedLoc>(loc))
      for (Location inner : fused.getLocations()) self(self, inner);
  };
  visit(visit, op->getLoc());
  return name.empty() ? op->getName().getStringRef().str() : name;
}

uint8_t abiType(llvm::StringRef name) {
  return llvm::StringSwitch<uint8_t>(name)
      .Case("f32", XCUT_TYPE_F32).Case("f64", XCUT_TYPE_F64).Case("f16", XCUT_TYPE_F16).Case("bf16", XCUT_TYPE_BF16)
      .Case("i8", XCUT_TYPE_I8).Case("i16", XCUT_TYPE_I16).Case("i32", XCUT_TYPE_I32).Case("i64", XCUT_TYPE_I64)
      .Case("u8", XCUT_TYPE_U8).Case("u16", XCUT_TYPE_U16).Case("u32", XCUT_TYPE_U32).Case("u64", XCUT_TYPE_U64)
      .Case("bool", XCUT_TYPE_BOOL).Default(0);
}

class Planner {
public:
  Planner(func::FuncOp function, const TargetDescription &target)
      : function(function), target(target), symbols(std::make_unique<Symbols>(function.getContext())), shapes(*symbols),
        layout(function, shapes) {}

  llvm::Expected<FunctionPlan> run();

private:
  MLIRContext *context() { return function.getContext(); }
  Size constant(int64_t value) { return symbols->constant(value); }

  // Signature.
  llvm::Error describeSignature();
  llvm::Expected<TensorInfo> describe(Type type, DictionaryAttr attrs, llvm::StringRef fallback);

  // Memory.
  Buffer *newBuffer(BufferKind kind, Type type, Size elements);
  TensorRef denseRef(Buffer *buffer, Type type, const Sizes &dims, llvm::ArrayRef<unsigned> order);
  TensorRef refOf(Value value);
  TensorRef destinationOf(Value value);
  llvm::Expected<TensorRef> constantRef(arith::ConstantOp op);

  // Backwards.
  void place(Value value, TensorRef ref);
  void placeOperands();

  // Forwards.
  llvm::Error visit(Operation *op);
  llvm::Error visitGeneric(linalg::GenericOp op);
  llvm::Error visitPad(tensor::PadOp op);
  llvm::Error visitConcat(tensor::ConcatOp op);
  llvm::Error visitInsertSlice(tensor::InsertSliceOp op);
  llvm::Error visitReshape(Operation *op, Value source, llvm::ArrayRef<ReassociationIndices> groups, bool expands);
  llvm::Error visitReturn(func::ReturnOp op);
  // The value lies at `ref`: a copy when it was to lie elsewhere.
  void finish(Value value, const TensorRef &ref, Operation *op);

  llvm::Expected<Nest> makeNest(linalg::GenericOp op);
  bool tryEpilogue(linalg::GenericOp op, llvm::Error &error);
  bool mayTakeEpilogue(linalg::GenericOp op);
  void flush(Value value);
  void emit(Step step);
  void copy(const TensorRef &from, const TensorRef &to, const std::string &name);
  TensorRef materialize(const TensorRef &ref, llvm::ArrayRef<unsigned> order, const std::string &name);
  void touch(const TensorRef &ref, int step);
  void constrain(Size a, Size b);
  Access accessFor(const TensorRef &ref, AffineMap map, unsigned loops);

  func::FuncOp function;
  const TargetDescription &target;
  std::unique_ptr<Symbols> symbols;
  Shapes shapes;
  Layout layout;
  FunctionPlan plan;
  llvm::DenseMap<Value, TensorRef> refs, placements;
  std::map<void *, Step> pending;  // reductions whose result is still in registers
};

// ---- Signature -----------------------------------------------------------------------------------------------------

llvm::Expected<TensorInfo> Planner::describe(Type type, DictionaryAttr attrs, llvm::StringRef fallback) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor) return llvm::createStringError("function @" + function.getName() + " has an argument or result that is no ranked tensor");
  TensorInfo info;
  info.name = fallback.str();
  if (attrs)
    if (auto name = attrs.getAs<StringAttr>("xcut.name")) info.name = name.str();
  StringAttr typeName = attrs ? attrs.getAs<StringAttr>("xcut.type") : StringAttr();
  info.type = typeName ? abiType(typeName) : 0;
  if (!info.type) return llvm::createStringError("tensor '" + info.name + "' has a type that modules can not have");
  if (tensor.getRank() > XCUT_MAX_RANK) return llvm::createStringError("tensor '" + info.name + "' has more than 8 dimensions");
  for (int64_t dim : tensor.getShape()) info.dims.push_back(ShapedType::isDynamic(dim) ? -1 : dim);
  return info;
}

llvm::Error Planner::describeSignature() {
  plan.info.name = function.getName().str();
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    auto info = describe(function.getArgument(i).getType(), function.getArgAttrDict(i), "arg" + std::to_string(i));
    if (!info) return info.takeError();
    plan.info.inputs.push_back(std::move(*info));
    plan.inputDims.push_back(shapes.dimsOf(function.getArgument(i)));
  }
  for (unsigned i = 0; i < function.getNumResults(); ++i) {
    auto info = describe(function.getResultTypes()[i], function.getResultAttrDict(i), "result" + std::to_string(i));
    if (!info) return info.takeError();
    plan.info.outputs.push_back(std::move(*info));
  }
  return llvm::Error::success();
}

// ---- Memory --------------------------------------------------------------------------------------------------------

Buffer *Planner::newBuffer(BufferKind kind, Type type, Size elements) {
  plan.buffers.push_back(std::make_unique<Buffer>());
  Buffer *buffer = plan.buffers.back().get();
  buffer->kind = kind;
  buffer->elementType = type;
  buffer->elements = elements;
  return buffer;
}

TensorRef Planner::denseRef(Buffer *buffer, Type type, const Sizes &dims, llvm::ArrayRef<unsigned> order) {
  TensorRef ref;
  ref.buffer = buffer;
  ref.elementType = type;
  ref.dims = dims;
  ref.strides = denseStrides(dims, order, context());
  ref.offset = constant(0);
  return ref;
}

// Where the value lies; values that nothing computed yet (tensor.empty) read as zero.
TensorRef Planner::refOf(Value value) {
  flush(value);
  auto it = refs.find(value);
  if (it != refs.end()) return it->second;
  auto type = cast<RankedTensorType>(value.getType());
  TensorRef ref = denseRef(nullptr, type.getElementType(), shapes.dimsOf(value), naturalOrder(type.getRank()));
  ref.splat = cast<TypedAttr>(Builder(context()).getZeroAttr(type.getElementType()));
  ref.strides.assign(type.getRank(), constant(0));
  return ref;
}

// Where a kernel is to write the value.
TensorRef Planner::destinationOf(Value value) {
  auto it = placements.find(value);
  if (it != placements.end()) return it->second;
  auto type = cast<RankedTensorType>(value.getType());
  const Sizes &dims = shapes.dimsOf(value);
  Buffer *buffer = newBuffer(BufferKind::Arena, type.getElementType(), product(dims, context()));
  return denseRef(buffer, type.getElementType(), dims, layout.orderOf(value));
}

llvm::Expected<TensorRef> Planner::constantRef(arith::ConstantOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  Type elementType = type.getElementType();
  Sizes dims = shapes.dimsOf(op.getResult());
  Attribute value = op.getValue();
  if (auto splat = dyn_cast<SplatElementsAttr>(value)) {
    TensorRef ref = denseRef(nullptr, elementType, dims, naturalOrder(type.getRank()));
    ref.splat = cast<TypedAttr>(splat.getSplatValue<Attribute>());
    ref.strides.assign(type.getRank(), constant(0));
    return ref;
  }
  Buffer *buffer = newBuffer(BufferKind::Constant, elementType, constant(type.getNumElements()));
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob) return llvm::createStringError("constant " + nameOf(op) + " has no data");
    buffer->data = blob->getData();
  } else if (auto dense = dyn_cast<DenseElementsAttr>(value)) {
    if (elementType.isInteger(1)) {
      for (bool bit : dense.getValues<bool>()) buffer->ownedData.push_back(bit);
    } else if (elementType.isIndex()) {
      for (const llvm::APInt &v : dense.getValues<llvm::APInt>()) {
        int64_t wide = v.getSExtValue();
        buffer->ownedData.insert(buffer->ownedData.end(), reinterpret_cast<char *>(&wide), reinterpret_cast<char *>(&wide) + 8);
      }
    } else {
      llvm::ArrayRef<char> raw = dense.getRawData();
      buffer->ownedData.assign(raw.begin(), raw.end());
    }
    buffer->data = buffer->ownedData;
  } else {
    return llvm::createStringError("constant " + nameOf(op) + " has a form that is not supported");
  }
  if (buffer->data.size() < static_cast<uint64_t>(type.getNumElements()) * elementBytes(elementType))
    return llvm::createStringError("constant " + nameOf(op) + " has fewer bytes than its shape needs");
  return denseRef(buffer, elementType, dims, naturalOrder(type.getRank()));
}

// ---- Backwards: placements -----------------------------------------------------------------------------------------

// Asks that `value` be computed straight into `ref`, when an operation of this function computes it.
void Planner::place(Value value, TensorRef ref) {
  Operation *op = value.getDefiningOp();
  if (!op || placements.count(value)) return;
  if (isa<linalg::GenericOp, tensor::PadOp, tensor::ConcatOp>(op)) {
    if (auto generic = dyn_cast<linalg::GenericOp>(op))
      if (matchCopy(generic) || matchFill(generic)) return;  // views: nothing computes them
    placements[value] = std::move(ref);
  } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    place(collapse.getSrc(), expandView(ref, collapse.getReassociationIndices(), shapes.dimsOf(collapse.getSrc())));
  } else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op)) {
    if (auto view = collapseView(ref, expand.getReassociationIndices(), shapes.dimsOf(expand.getSrc())))
      place(expand.getSrc(), *view);
  } else if (auto cast = dyn_cast<tensor::CastOp>(op)) {
    place(cast.getSource(), ref);
  }
}

void Planner::placeOperands() {
  Block &block = function.getBody().front();
  for (auto [i, value] : llvm::enumerate(block.getTerminator()->getOperands())) {
    auto type = cast<RankedTensorType>(value.getType());
    Sizes dims = shapes.dimsOf(value);
    Buffer *buffer = newBuffer(BufferKind::Output, type.getElementType(), product(dims, context()));
    buffer->index = i;
    plan.outputDims.push_back(dims);
    TensorRef ref = denseRef(buffer, type.getElementType(), dims, naturalOrder(type.getRank()));
    if (sameOrder(layout.orderOf(value), naturalOrder(type.getRank()), dims)) place(value, ref);
  }
  for (Operation &op : llvm::reverse(block)) {
    if (auto pad = dyn_cast<tensor::PadOp>(op)) {
      if (!pad.getConstantPaddingValue()) continue;
      TensorRef whole = destinationOf(pad.getResult());
      placements[pad.getResult()] = whole;
      Sizes offsets;
      for (OpFoldResult low : pad.getMixedLowPad()) offsets.push_back(shapes.sizeOf(low));
      place(pad.getSource(), sliceView(whole, offsets, {}, shapes.dimsOf(pad.getSource())));
    } else if (auto concat = dyn_cast<tensor::ConcatOp>(op)) {
      TensorRef whole = destinationOf(concat.getResult());
      placements[concat.getResult()] = whole;
      Sizes offsets(whole.dims.size(), constant(0));
      for (Value input : concat.getInputs()) {
        const Sizes &dims = shapes.dimsOf(input);
        place(input, sliceView(whole, offsets, {}, dims));
        offsets[concat.getDim()] = offsets[concat.getDim()] + dims[concat.getDim()];
      }
    }
  }
}

// ---- Steps ---------------------------------------------------------------------------------------------------------

void Planner::touch(const TensorRef &ref, int step) {
  if (!ref.buffer || ref.buffer->kind != BufferKind::Arena) return;
  if (ref.buffer->firstStep < 0) ref.buffer->firstStep = step;
  ref.buffer->firstStep = std::min(ref.buffer->firstStep, step);
  ref.buffer->lastStep = std::max(ref.buffer->lastStep, step);
}

void Planner::emit(Step step) {
  int index = plan.steps.size();
  if (step.kind == StepKind::FillBorder) touch(step.outer, index);
  for (Access &access : step.nest.inputs) touch(access.ref, index);
  for (Access &access : step.nest.inits) touch(access.ref, index);
  for (auto &[value, ref] : step.nest.captured) touch(ref, index);
  for (Epilogue &epilogue : step.epilogues) {
    for (auto [i, access] : llvm::enumerate(epilogue.inputs))
      if (!epilogue.chained[i]) touch(access.ref, index);
    for (auto &[value, ref] : epilogue.captured) touch(ref, index);
  }
  for (Access &access : step.outputs) touch(access.ref, index);
  plan.steps.push_back(std::move(step));
}

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
  Buffer *buffer = newBuffer(BufferKind::Arena, ref.elementType, product(ref.dims, context()));
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

// Emits a waiting reduction with what it has taken in so far.
void Planner::flush(Value value) {
  auto it = pending.find(value.getAsOpaquePointer());
  if (it == pending.end()) return;
  Step step = std::move(it->second);
  pending.erase(it);
  TensorRef ref = destinationOf(value);
  AffineMap map = cast<linalg::GenericOp>(value.getDefiningOp()).getIndexingMapsArray().back();
  // The result's map is in the loops of the operation that made it: the last epilogue's or the nest's own.
  Access access;
  access.ref = ref;
  access.offset = ref.offset;
  access.strides.assign(step.nest.extents.size(), constant(0));
  for (unsigned d = 0; d < map.getNumResults(); ++d) {
    unsigned loop = map.getDimPosition(d);
    if (!step.epilogues.empty()) loop = step.epilogues.back().loopOf[loop];
    access.strides[loop] = ref.strides[d];
  }
  step.outputs.push_back(access);
  emit(std::move(step));
  refs[value] = ref;
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
  return binary.getKind() == AffineExprKind::Mul && isa<AffineConstantExpr>(binary.getRHS()) && isLinear(binary.getLHS());
}

llvm::Expected<Nest> Planner::makeNest(linalg::GenericOp op) {
  Nest nest;
  nest.op = op;
  unsigned loops = op.getNumLoops();
  nest.extents.resize(loops);
  for (utils::IteratorType type : op.getIteratorTypesArray()) nest.isReduction.push_back(type == utils::IteratorType::reduction);
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
    if (!nest.extents[loop]) return llvm::createStringError(nameOf(op) + ": no operand tells the extent of loop " + llvm::Twine(loop));
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
    if (!wanted.empty() && ref.buffer && ref.buffer->kind != BufferKind::Constant && !isConstant(ref.strides[wanted.back()], 1)) {
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

bool Planner::mayTakeEpilogue(linalg::GenericOp op) {
  if (op->getNumResults() != 1 || !op->hasOneUse() || placements.count(op->getResult(0))) return false;
  auto user = dyn_cast<linalg::GenericOp>(*op->getUsers().begin());
  if (!user || user->getBlock() != op->getBlock() || user.getNumReductionLoops() || user->getNumResults() != 1) return false;
  if (matchCopy(user) || matchFill(user)) return false;
  // Gathers are scalar code: they would keep the reduction from being computed in vectors.
  if (user.getBody()->walk([](tensor::ExtractOp) { return WalkResult::interrupt(); }).wasInterrupted()) return false;
  OpOperand &use = *op->getUses().begin();
  if (!user.isDpsInput(&use) || !user.getMatchingIndexingMap(&use).isPermutation()) return false;
  return user.getMatchingIndexingMap(user.getDpsInitOperand(0)).isPermutation();
}

// Joins an elementwise operation to the reduction that makes one of its inputs.
bool Planner::tryEpilogue(linalg::GenericOp op, llvm::Error &error) {
  OpOperand *chained = nullptr;
  for (OpOperand *input : op.getDpsInputOperands())
    if (pending.count(input->get().getAsOpaquePointer())) chained = input;  // the last one: it was computed last
  if (!chained || op.getNumReductionLoops() || op->getNumResults() != 1) return false;
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (!isa<RankedTensorType>(input->get().getType()) && !input->get().getDefiningOp<arith::ConstantOp>()) return false;
    for (AffineExpr expr : op.getMatchingIndexingMap(input).getResults())
      if (!isLinear(expr)) return false;
  }
  Value result = chained->get();
  Step step = std::move(pending[result.getAsOpaquePointer()]);
  pending.erase(result.getAsOpaquePointer());
  // Loops of `op` by the dimensions of the result that they walk.
  AffineMap made = cast<linalg::GenericOp>(result.getDefiningOp()).getIndexingMapsArray().back();
  AffineMap read = op.getMatchingIndexingMap(chained);
  Epilogue epilogue;
  epilogue.op = op;
  epilogue.loopOf.resize(op.getNumLoops());
  for (unsigned d = 0; d < read.getNumResults(); ++d) {
    unsigned loop = made.getDimPosition(d);
    if (!step.epilogues.empty()) loop = step.epilogues.back().loopOf[loop];
    epilogue.loopOf[read.getDimPosition(d)] = loop;
  }
  unsigned loops = step.nest.extents.size();
  for (OpOperand *input : op.getDpsInputOperands()) {
    bool isChained = input == chained;
    epilogue.chained.push_back(isChained);
    Access access;
    access.offset = constant(0);
    if (!isChained) {
      TensorRef ref;
      if (isa<RankedTensorType>(input->get().getType())) {
        ref = refOf(input->get());
      } else {
        ref.splat = input->get().getDefiningOp<arith::ConstantOp>().getValue();
        ref.elementType = input->get().getType();
        ref.offset = constant(0);
      }
      AffineMap map = op.getMatchingIndexingMap(input);
      access = accessFor(ref, map, op.getNumLoops());
      for (unsigned d = 0; d < map.getNumResults(); ++d)
        if (auto dim = dyn_cast<AffineDimExpr>(map.getResult(d)))
          constrain(step.nest.extents[epilogue.loopOf[dim.getPosition()]], ref.dims[d]);
      Sizes strides(loops, constant(0));
      for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) strides[epilogue.loopOf[loop]] = access.strides[loop];
      access.strides = strides;
    }
    epilogue.inputs.push_back(access);
  }
  op.getBody()->walk([&](tensor::ExtractOp extract) { epilogue.captured.push_back({extract.getTensor(), refOf(extract.getTensor())}); });
  step.epilogues.push_back(std::move(epilogue));
  step.name = nameOf(op) == step.name ? step.name : step.name + "+" + nameOf(op);
  pending[op->getResult(0).getAsOpaquePointer()] = std::move(step);
  if (!mayTakeEpilogue(op)) flush(op->getResult(0));
  return true;
}

// ---- Forwards ------------------------------------------------------------------------------------------------------

llvm::Error Planner::visitGeneric(linalg::GenericOp op) {
  if (TypedAttr fill = matchFill(op)) {
    TensorRef ref = refOf(op.getDpsInits()[0]);
    ref.buffer = nullptr;
    ref.splat = fill;
    ref.strides.assign(ref.dims.size(), constant(0));
    ref.offset = constant(0);
    finish(op->getResult(0), ref, op);
    return llvm::Error::success();
  }
  if (OpOperand *input = matchCopy(op)) {
    TensorRef source = refOf(input->get());
    Access access = accessFor(source, op.getMatchingIndexingMap(input), op.getNumLoops());
    AffineMap output = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    TensorRef view = source;
    view.dims = shapes.dimsOf(op->getResult(0));
    view.offset = access.offset;
    view.strides.clear();
    for (unsigned d = 0; d < output.getNumResults(); ++d) view.strides.push_back(access.strides[output.getDimPosition(d)]);
    AffineMap map = op.getMatchingIndexingMap(input);
    for (unsigned d = 0; d < map.getNumResults(); ++d)
      if (auto dim = dyn_cast<AffineDimExpr>(map.getResult(d)))
        for (unsigned e = 0; e < output.getNumResults(); ++e)
          if (output.getDimPosition(e) == dim.getPosition()) constrain(view.dims[e], source.dims[d]);
    finish(op->getResult(0), view, op);
    return llvm::Error::success();
  }
  llvm::Error error = llvm::Error::success();
  bool joined = tryEpilogue(op, error);
  if (error || joined) return error;
  llvm::consumeError(std::move(error));
  llvm::Expected<Nest> nest = makeNest(op);
  if (!nest) return nest.takeError();
  Step step;
  step.name = nameOf(op);
  step.nest = std::move(*nest);
  for (Value result : op->getResults())
    if (!op.getMatchingIndexingMap(op.getTiedOpOperand(cast<OpResult>(result))).isProjectedPermutation())
      return llvm::createStringError(step.name + ": a result that is not indexed by loops alone");
  if (op.getNumReductionLoops() && mayTakeEpilogue(op)) {
    pending[op->getResult(0).getAsOpaquePointer()] = std::move(step);
    return llvm::Error::success();
  }
  for (OpResult result : op->getResults()) {
    TensorRef ref = destinationOf(result);
    step.outputs.push_back(accessFor(ref, op.getMatchingIndexingMap(op.getTiedOpOperand(result)), op.getNumLoops()));
    refs[result] = ref;
  }
  emit(std::move(step));
  return llvm::Error::success();
}

llvm::Error Planner::visitPad(tensor::PadOp op) {
  auto value = op.getConstantPaddingValue();
  auto constantOp = value ? value.getDefiningOp<arith::ConstantOp>() : arith::ConstantOp();
  if (!constantOp) return llvm::createStringError(nameOf(op) + ": padding with a value that is no constant");
  Sizes low;
  for (OpFoldResult l : op.getMixedLowPad()) low.push_back(shapes.sizeOf(l));
  TensorRef source = refOf(op.getSource());
  TensorRef whole = destinationOf(op.getResult());
  Step border;
  border.kind = StepKind::FillBorder;
  border.name = nameOf(op) + ".border";
  border.outer = whole;
  border.low = low;
  border.innerDims = source.dims;
  border.value = constantOp.getValue();
  emit(std::move(border));
  TensorRef inner = sliceView(whole, low, {}, source.dims);
  if (!sameMemory(inner, source)) copy(source, inner, nameOf(op) + ".pad");
  // The border is written once, but after the buffer came to life with its interior: it must live from the first step.
  refs[op.getResult()] = whole;
  return llvm::Error::success();
}

llvm::Error Planner::visitConcat(tensor::ConcatOp op) {
  TensorRef whole = destinationOf(op.getResult());
  Sizes offsets(whole.dims.size(), constant(0));
  for (Value input : op.getInputs()) {
    TensorRef source = refOf(input);
    TensorRef part = sliceView(whole, offsets, {}, source.dims);
    if (!sameMemory(part, source)) copy(source, part, nameOf(op));
    offsets[op.getDim()] = offsets[op.getDim()] + source.dims[op.getDim()];
  }
  refs[op.getResult()] = whole;
  return llvm::Error::success();
}

llvm::Error Planner::visitInsertSlice(tensor::InsertSliceOp op) {
  TensorRef whole = destinationOf(op.getResult());
  copy(refOf(op.getDest()), whole, nameOf(op));
  Sizes offsets, steps, sizes;
  for (OpFoldResult v : op.getMixedOffsets()) offsets.push_back(shapes.sizeOf(v));
  for (OpFoldResult v : op.getMixedStrides()) steps.push_back(shapes.sizeOf(v));
  for (OpFoldResult v : op.getMixedSizes()) sizes.push_back(shapes.sizeOf(v));
  TensorRef part = sliceView(whole, offsets, steps, sizes);
  llvm::SmallBitVector dropped = op.getDroppedDims();
  TensorRef narrow = part;
  narrow.dims.clear();
  narrow.strides.clear();
  for (unsigned d = 0; d < sizes.size(); ++d)
    if (!dropped[d]) {
      narrow.dims.push_back(part.dims[d]);
      narrow.strides.push_back(part.strides[d]);
    }
  copy(refOf(op.getSource()), narrow, nameOf(op));
  refs[op.getResult()] = whole;
  return llvm::Error::success();
}

llvm::Error Planner::visitReshape(Operation *op, Value source, llvm::ArrayRef<ReassociationIndices> groups, bool expands) {
  TensorRef ref = refOf(source);
  const Sizes dims = shapes.dimsOf(op->getResult(0));
  // Shapes that come from data must not reach beyond the tensor.
  for (auto [i, group] : llvm::enumerate(groups)) {
    Size size = constant(1);
    for (int64_t d : group) size = size * (expands ? dims[d] : ref.dims[d]);
    constrain(expands ? ref.dims[i] : dims[i], size);
  }
  if (expands) {
    finish(op->getResult(0), expandView(ref, groups, dims), op);
    return llvm::Error::success();
  }
  std::optional<TensorRef> view = collapseView(ref, groups, dims);
  if (!view) view = collapseView(materialize(ref, naturalOrder(ref.dims.size()), nameOf(op)), groups, dims);
  finish(op->getResult(0), *view, op);
  return llvm::Error::success();
}

llvm::Error Planner::visitReturn(func::ReturnOp op) {
  for (auto [i, value] : llvm::enumerate(op.getOperands())) {
    TensorRef source = refOf(value);
    Buffer *buffer = nullptr;
    for (auto &candidate : plan.buffers)
      if (candidate->kind == BufferKind::Output && candidate->index == i) buffer = candidate.get();
    TensorRef to = denseRef(buffer, source.elementType, source.dims, naturalOrder(source.dims.size()));
    if (!sameMemory(source, to)) copy(source, to, plan.info.outputs[i].name + ".output");
  }
  return llvm::Error::success();
}

llvm::Error Planner::visit(Operation *op) {
  if (auto c = dyn_cast<arith::ConstantOp>(op)) {
    if (!isa<RankedTensorType>(c.getType())) return llvm::Error::success();
    llvm::Expected<TensorRef> ref = constantRef(c);
    if (!ref) return ref.takeError();
    refs[c.getResult()] = *ref;
    return llvm::Error::success();
  }
  if (auto generic = dyn_cast<linalg::GenericOp>(op)) return visitGeneric(generic);
  if (auto pad = dyn_cast<tensor::PadOp>(op)) return visitPad(pad);
  if (auto concat = dyn_cast<tensor::ConcatOp>(op)) return visitConcat(concat);
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op)) return visitInsertSlice(insert);
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return visitReshape(op, expand.getSrc(), expand.getReassociationIndices(), true);
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    return visitReshape(op, collapse.getSrc(), collapse.getReassociationIndices(), false);
  if (auto ret = dyn_cast<func::ReturnOp>(op)) return visitReturn(ret);
  if (auto cast = dyn_cast<tensor::CastOp>(op)) {
    TensorRef ref = refOf(cast.getSource());
    const Sizes &dims = shapes.dimsOf(cast.getResult());
    for (unsigned d = 0; d < dims.size(); ++d) constrain(dims[d], ref.dims[d]);
    ref.dims = dims;
    finish(cast.getResult(), ref, op);
    return llvm::Error::success();
  }
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    Sizes offsets, steps, sizes;
    for (OpFoldResult v : slice.getMixedOffsets()) offsets.push_back(shapes.sizeOf(v));
    for (OpFoldResult v : slice.getMixedStrides()) steps.push_back(shapes.sizeOf(v));
    for (OpFoldResult v : slice.getMixedSizes()) sizes.push_back(shapes.sizeOf(v));
    TensorRef view = sliceView(refOf(slice.getSource()), offsets, steps, sizes);
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    TensorRef narrow = view;
    narrow.dims.clear();
    narrow.strides.clear();
    for (unsigned d = 0; d < sizes.size(); ++d)
      if (!dropped[d]) {
        narrow.dims.push_back(view.dims[d]);
        narrow.strides.push_back(view.strides[d]);
      }
    finish(slice.getResult(), narrow, op);
    return llvm::Error::success();
  }
  if (isa<tensor::EmptyOp, tensor::DimOp>(op)) return llvm::Error::success();
  // Scalars belong to the entry point.
  if (llvm::none_of(op->getResultTypes(), llvm::IsaPred<RankedTensorType>) && op->getNumRegions() == 0)
    return llvm::Error::success();
  return llvm::createStringError(nameOf(op) + ": operation " + op->getName().getStringRef() + " is not supported");
}

llvm::Expected<FunctionPlan> Planner::run() {
  if (!function.getBody().hasOneBlock()) return llvm::createStringError("function @" + function.getName() + " has control flow");
  plan.function = function;
  if (llvm::Error error = describeSignature()) return error;
  for (BlockArgument argument : function.getArguments()) {
    auto type = cast<RankedTensorType>(argument.getType());
    const Sizes &dims = shapes.dimsOf(argument);
    Buffer *buffer = newBuffer(BufferKind::Input, type.getElementType(), product(dims, context()));
    buffer->index = argument.getArgNumber();
    refs[argument] = denseRef(buffer, type.getElementType(), dims, naturalOrder(type.getRank()));
  }
  placeOperands();
  SmallVector<Operation *> operations;
  for (Operation &op : function.getBody().front()) operations.push_back(&op);
  for (Operation *op : operations)
    if (llvm::Error error = visit(op)) return error;
  plan.symbols = std::move(symbols);
  return std::move(plan);
}

}  // namespace

llvm::Expected<FunctionPlan> planFunction(Operation *function, const TargetDescription &target, const PlanOptions &options) {
  llvm::Expected<FunctionPlan> plan = Planner(cast<func::FuncOp>(function), target).run();
  if (!plan) return plan.takeError();
  if (llvm::Error error = planArena(*plan, options)) return error;
  return plan;
}

}  // namespace crosscut
