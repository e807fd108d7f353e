// See Entry.h.
#include "compiler/Codegen/EntryBuilder.h"

using namespace mlir;

namespace crosscut {

LLVM::LLVMFuncOp EntryBuilder::begin(llvm::StringRef name) {
  b.setInsertionPointToEnd(module.getBody());
  auto type = LLVM::LLVMFunctionType::get(b.getI32Type(), {pointerType});
  auto function = LLVM::LLVMFuncOp::create(b, loc, name, type);
  Block *entry = function.addEntryBlock(b);
  b.setInsertionPointToStart(entry);
  hostValues.clear();
  readInputs.clear();
  tensorData.clear();
  call = entry->getArgument(0);
  tensors = loadPointer(gep(call, offsetof(xcut_call, tensors)));
  return function;
}

Value EntryBuilder::gep(Value pointer, int64_t bytes) {
  if (!bytes) return pointer;
  return LLVM::GEPOp::create(b, loc, pointerType, b.getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{LLVM::GEPArg(static_cast<int32_t>(bytes))});
}

Value EntryBuilder::gep(Value pointer, Value bytes) {
  return LLVM::GEPOp::create(b, loc, pointerType, b.getI8Type(), pointer, ArrayRef<LLVM::GEPArg>{LLVM::GEPArg(bytes)});
}

Value EntryBuilder::unless(Value bad, int32_t code, unsigned tensorIndex, unsigned dim, Value expected, Value actual,
                           llvm::function_ref<Value()> rest) {
  auto op = scf::IfOp::create(b, loc, b.getI32Type(), bad, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.thenBlock());
  storeInt(i32(tensorIndex), gep(call, offsetof(xcut_call, error_tensor)));
  storeInt(i32(dim), gep(call, offsetof(xcut_call, error_dim)));
  storeInt(expected, gep(call, offsetof(xcut_call, error_expected)));
  storeInt(actual, gep(call, offsetof(xcut_call, error_actual)));
  scf::YieldOp::create(b, loc, ValueRange{i32(code)});
  b.setInsertionPointToStart(op.elseBlock());
  Value result = rest();
  scf::YieldOp::create(b, loc, ValueRange{result});
  return op.getResult(0);
}

namespace {
// What of an input a size is made of: what to blame when the size does not fit.
struct Origin {
  enum Kind { None, Dimension, Data } kind = None;
  unsigned tensor = 0, dim = 0;
};

Origin originOf(Value size) {
  Operation *op = size.getDefiningOp();
  Origin found;
  if (!op) return found;
  auto dim = dyn_cast<tensor::DimOp>(op);
  if (dim || isa<tensor::ExtractOp>(op)) {
    Value source = op->getOperand(0);
    while (auto cast = source.getDefiningOp<tensor::CastOp>()) source = cast.getSource();
    auto argument = dyn_cast<BlockArgument>(source);
    if (!argument) return found;
    if (!dim) return {Origin::Data, argument.getArgNumber(), 0};
    return {Origin::Dimension, argument.getArgNumber(), static_cast<unsigned>(dim.getConstantIndex().value_or(0))};
  }
  for (Value operand : op->getOperands())
    if (Origin origin = originOf(operand); origin.kind > found.kind) found = origin;
  return found;
}
}  // namespace

// The constraints of the plan, one after the other, then `rest`.
llvm::Expected<Value> EntryBuilder::checkAll(unsigned next, llvm::function_ref<llvm::Expected<Value>()> rest) {
  if (next == plan.constraints.size()) return rest();
  const Constraint &constraint = plan.constraints[next];
  llvm::Expected<Value> x = expand(constraint.a);
  if (!x) return x.takeError();
  llvm::Expected<Value> y = expand(constraint.b);
  if (!y) return y.takeError();
  Origin blamed;
  Value expected = *x, actual = *y;
  for (auto [side, value, other] : {std::tuple(constraint.a, *x, *y), std::tuple(constraint.b, *y, *x)})
    forEachSymbol(side, [&](unsigned symbol) {
      Origin origin = originOf(plan.symbols->values()[symbol]);
      if (origin.kind < blamed.kind) return;
      blamed = origin;
      expected = other;
      actual = value;
    });
  Value bad = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, *x, *y);
  llvm::Error error = llvm::Error::success();
  (void)!error;
  int32_t code = blamed.kind == Origin::Data ? XCUT_RUN_DATA : XCUT_RUN_SHAPE;
  Value result = unless(bad, code, blamed.tensor, blamed.dim, expected, actual, [&]() -> Value {
    llvm::Expected<Value> inner = checkAll(next + 1, rest);
    if (!inner) {
      error = inner.takeError();
      return i32(0);
    }
    return *inner;
  });
  if (error) return std::move(error);
  return result;
}

llvm::Error EntryBuilder::makeRun(llvm::StringRef name, ArrayRef<KernelCall> calls) {
  begin(name);
  llvm::Expected<Value> result = checkAll(0, [&]() -> llvm::Expected<Value> {
    SmallVector<Value> slotOffsets;
    llvm::Expected<Value> needed = arenaBytes(slotOffsets);
    if (!needed) return needed.takeError();
    Value given = loadInt(gep(call, offsetof(xcut_call, arena_bytes)), 64);
    Value bad = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, given, *needed);
    // Output dimensions, as the caller sized them.
    Value outputBad = arith::ConstantOp::create(b, loc, b.getBoolAttr(false));
    Value badTensor = i32(0), badDim = i32(0), expected = i64(0), actual = i64(0);
    for (auto [o, dims] : llvm::enumerate(plan.outputDims)) {
      Value given;
      for (auto [d, dim] : llvm::enumerate(dims)) {
        if (isStatic(dim)) continue;
        llvm::Expected<Value> wanted = expand(dim);
        if (!wanted) return wanted.takeError();
        unsigned index = plan.info.inputs.size() + o;
        if (!given) given = loadPointer(gep(tensor(index), offsetof(xcut_tensor, dims)));
        Value has = loadInt(gep(given, 8 * d), 64), want = *wanted;
        Value differs = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, has, want);
        outputBad = arith::OrIOp::create(b, loc, outputBad, differs);
        badTensor = arith::SelectOp::create(b, loc, differs, i32(index), badTensor);
        badDim = arith::SelectOp::create(b, loc, differs, i32(d), badDim);
        expected = arith::SelectOp::create(b, loc, differs, want, expected);
        actual = arith::SelectOp::create(b, loc, differs, has, actual);
      }
    }
    llvm::Error error = llvm::Error::success();
    (void)!error;
    Value status = unless(bad, XCUT_RUN_ARENA, 0, 0, *needed, given, [&]() -> Value {
      auto op = scf::IfOp::create(b, loc, b.getI32Type(), outputBad, /*withElseRegion=*/true);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(op.thenBlock());
      storeInt(badTensor, gep(call, offsetof(xcut_call, error_tensor)));
      storeInt(badDim, gep(call, offsetof(xcut_call, error_dim)));
      storeInt(expected, gep(call, offsetof(xcut_call, error_expected)));
      storeInt(actual, gep(call, offsetof(xcut_call, error_actual)));
      scf::YieldOp::create(b, loc, ValueRange{i32(XCUT_RUN_SHAPE)});
      b.setInsertionPointToStart(op.elseBlock());
      llvm::Expected<Value> done = dispatchAll(calls, slotOffsets);
      if (!done) error = done.takeError();
      scf::YieldOp::create(b, loc, ValueRange{done ? *done : i32(0)});
      return op.getResult(0);
    });
    if (error) return std::move(error);
    return status;
  });
  if (!result) return result.takeError();
  LLVM::ReturnOp::create(b, loc, ValueRange{*result});
  return llvm::Error::success();
}

llvm::Error EntryBuilder::makePlan(llvm::StringRef name) {
  begin(name);
  llvm::Expected<Value> result = checkAll(0, [&]() -> llvm::Expected<Value> {
    SmallVector<Value> slotOffsets;
    llvm::Expected<Value> needed = arenaBytes(slotOffsets);
    if (!needed) return needed.takeError();
    storeInt(*needed, gep(call, offsetof(xcut_call, arena_bytes)));
    for (auto [o, dims] : llvm::enumerate(plan.outputDims)) {
      if (dims.empty()) continue;
      Value to = loadPointer(gep(tensor(plan.info.inputs.size() + o), offsetof(xcut_tensor, dims)));
      for (auto [d, dim] : llvm::enumerate(dims)) {
        llvm::Expected<Value> value = expand(dim);
        if (!value) return value.takeError();
        storeInt(*value, gep(to, 8 * d));
      }
    }
    return i32(XCUT_RUN_OK);
  });
  if (!result) return result.takeError();
  LLVM::ReturnOp::create(b, loc, ValueRange{*result});
  plan.info.planReads.assign(readInputs.begin(), readInputs.end());
  return llvm::Error::success();
}

llvm::Error generateEntryPoints(ModuleOp module, FunctionPlan &plan, ArrayRef<KernelCall> calls,
                                const TargetDescription &target, llvm::StringRef prefix) {
  EntryBuilder builder(module, plan, target);
  plan.info.runSymbol = (prefix + "_run").str();
  if (llvm::Error error = builder.makeRun(plan.info.runSymbol, calls)) return error;
  bool dynamic = plan.dynamicArena;
  for (const std::vector<TensorInfo> *tensors : {&plan.info.inputs, &plan.info.outputs})
    for (const TensorInfo &info : *tensors) dynamic |= llvm::is_contained(info.dims, -1);
  if (!dynamic) return llvm::Error::success();
  plan.info.planSymbol = (prefix + "_plan").str();
  return builder.makePlan(plan.info.planSymbol);
}

}  // namespace crosscut
