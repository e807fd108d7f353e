// The signature of a function and the walk over its operations. See Planner.h.
#include "compiler/Plan/Planner.h"

#include "crosscut/abi.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace crosscut {

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

std::string tensorNameOf(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
    auto name = function ? function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "xcut.name") : StringAttr();
    return name ? name.str() : "arg" + std::to_string(argument.getArgNumber());
  }
  Operation *op = value.getDefiningOp();
  // A node's location has the tensor's as its child (Import.h).
  std::string name;
  op->getLoc()->walk([&](Location part) {
    auto node = dyn_cast<NameLoc>(part);
    auto tensor = node ? dyn_cast<NameLoc>(node.getChildLoc()) : NameLoc();
    if (!tensor) return WalkResult::advance();
    name = tensor.getName().str();
    return WalkResult::interrupt();
  });
  return name.empty() ? nameOf(op) : name;
}

uint8_t abiType(llvm::StringRef name) {
  return llvm::StringSwitch<uint8_t>(name)
      .Case("f32", XCUT_TYPE_F32)
      .Case("f64", XCUT_TYPE_F64)
      .Case("f16", XCUT_TYPE_F16)
      .Case("bf16", XCUT_TYPE_BF16)
      .Case("i8", XCUT_TYPE_I8)
      .Case("i16", XCUT_TYPE_I16)
      .Case("i32", XCUT_TYPE_I32)
      .Case("i64", XCUT_TYPE_I64)
      .Case("u8", XCUT_TYPE_U8)
      .Case("u16", XCUT_TYPE_U16)
      .Case("u32", XCUT_TYPE_U32)
      .Case("u64", XCUT_TYPE_U64)
      .Case("bool", XCUT_TYPE_BOOL)
      .Default(0);
}

llvm::Expected<TensorInfo> Planner::describe(Type type, DictionaryAttr attrs, llvm::StringRef fallback) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return llvm::createStringError("function @" + function.getName() +
                                   " has an argument or result that is no ranked tensor");
  TensorInfo info;
  info.name = fallback.str();
  if (attrs)
    if (auto name = attrs.getAs<StringAttr>("xcut.name")) info.name = name.str();
  StringAttr typeName = attrs ? attrs.getAs<StringAttr>("xcut.type") : StringAttr();
  info.type = typeName ? abiType(typeName) : 0;
  if (!info.type) return llvm::createStringError("tensor '" + info.name + "' has a type that modules can not have");
  if (tensor.getRank() > XCUT_MAX_RANK)
    return llvm::createStringError("tensor '" + info.name + "' has more than 8 dimensions");
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
  if (auto call = dyn_cast<func::CallOp>(op)) return visitCall(call);
  if (auto check = dyn_cast<cf::AssertOp>(op)) return visitAssert(check);
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
  if (!function.getBody().hasOneBlock())
    return llvm::createStringError("function @" + function.getName() + " has control flow");
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

static llvm::Expected<FunctionPlan> planInOrder(func::FuncOp function, const PlanOptions &options, bool orderFirst) {
  llvm::Expected<FunctionPlan> plan = Planner(function, options).run();
  if (!plan) return plan.takeError();
  computeLifetimes(*plan);
  if (orderFirst) orderForMemory(*plan);
  formChains(*plan, options);
  computeLifetimes(*plan);
  if (options.favorMinPeakMemory) orderForMemory(*plan);
  reuseInputs(*plan);
  planArena(*plan, options);
  return plan;
}

llvm::Expected<FunctionPlan> planFunction(Operation *op, const PlanOptions &options) {
  auto function = cast<func::FuncOp>(op);
  llvm::Expected<FunctionPlan> plan = planInOrder(function, options, false);
  if (!plan || !options.favorMinPeakMemory || plan->dynamicArena) return plan;
  // Chains are made of neighbours, and need less than the tensors that an order is found for: either may come first.
  llvm::Expected<FunctionPlan> other = planInOrder(function, options, true);
  if (!other) return other.takeError();
  return other->arenaBytes < plan->arenaBytes ? std::move(other) : std::move(plan);
}

}  // namespace crosscut
