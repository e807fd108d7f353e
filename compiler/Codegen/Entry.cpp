// See Entry.h.
#include "compiler/Codegen/Entry.h"

#include "crosscut/abi.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace crosscut {
namespace {

// Byte offsets into structures of abi.h, as the host compiler sees them; the layout is the same everywhere.
constexpr int64_t tensorBytes = sizeof(xcut_tensor);

class EntryBuilder {
 public:
  EntryBuilder(ModuleOp module, FunctionPlan &plan, const TargetDescription &target)
      : b(module.getContext()),
        loc(UnknownLoc::get(module.getContext())),
        plan(plan),
        target(target),
        module(module),
        pointerType(LLVM::LLVMPointerType::get(module.getContext())),
        indexType(IntegerType::get(module.getContext(), 64)) {}

  llvm::Error makeRun(llvm::StringRef name, ArrayRef<KernelCall> calls);
  llvm::Error makePlan(llvm::StringRef name);

 private:
  LLVM::LLVMFuncOp begin(llvm::StringRef name);
  Value gep(Value pointer, int64_t bytes);
  Value gep(Value pointer, Value bytes);
  Value loadPointer(Value pointer) { return LLVM::LoadOp::create(b, loc, pointerType, pointer, target.indexBits / 8); }
  Value loadInt(Value pointer, unsigned bits) {
    return LLVM::LoadOp::create(b, loc, b.getIntegerType(bits), pointer, 4);
  }
  void storeInt(Value value, Value pointer) { LLVM::StoreOp::create(b, loc, value, pointer, 4); }
  Value c(int64_t value) { return arith::ConstantOp::create(b, loc, b.getIntegerAttr(indexType, value)); }
  Value i64(int64_t value) { return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(value)); }
  Value i32(int32_t value) { return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(value)); }
  // Address of tensor `index` (inputs, then outputs) of the call.
  Value tensor(unsigned index) { return gep(tensors, tensorBytes * index); }

  llvm::Expected<Value> hostValue(Value value);
  llvm::Expected<Value> expand(Size size);
  llvm::Expected<Value> arenaBytes(SmallVectorImpl<Value> &slotOffsets);
  // Runs `rest` unless `bad`; then the result of the function is `code` and the error is recorded.
  Value unless(Value bad, int32_t code, unsigned tensorIndex, unsigned dim, Value expected, Value actual,
               llvm::function_ref<Value()> rest);
  llvm::Expected<Value> checkAll(unsigned next, llvm::function_ref<llvm::Expected<Value>()> rest);
  llvm::Expected<Value> dispatchAll(ArrayRef<KernelCall> calls, ArrayRef<Value> slotOffsets);
  llvm::Expected<Value> address(const KernelArg &arg, ArrayRef<Value> slotOffsets);
  llvm::Error storeArgument(const KernelArg &arg, Value slot, ArrayRef<Value> slotOffsets);
  llvm::Error fillRecord(const PluginRecord &plugin, Value record, ArrayRef<Value> slotOffsets);
  void storeByte(uint8_t value, Value pointer) {
    LLVM::StoreOp::create(b, loc, arith::ConstantOp::create(b, loc, b.getI8IntegerAttr(value)), pointer, 1);
  }
  void storePointer(Value value, Value pointer) { LLVM::StoreOp::create(b, loc, value, pointer, target.indexBits / 8); }
  Value allocate(Type element, int64_t count, unsigned alignment) {
    Value elements = arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(std::max<int64_t>(1, count)));
    return LLVM::AllocaOp::create(b, loc, pointerType, element, elements, alignment);
  }
  void wait(Value token) { LLVM::CallOp::create(b, loc, TypeRange{}, waitHelper, ValueRange{env, token}); }
  // What `make` yields when `condition` holds, else 0.
  Value onlyIf(Value condition, llvm::function_ref<Value()> make);

  OpBuilder b;
  Location loc;
  FunctionPlan &plan;
  const TargetDescription &target;
  ModuleOp module;
  Type pointerType;
  IntegerType indexType;  // sizes are computed in 64 bit everywhere: no shape that a caller asks for wraps around
  Value call, tensors;
  Value env, arena, weights;
  llvm::DenseMap<unsigned, Value> tensorData;
  llvm::DenseMap<Value, Value> hostValues;
  llvm::SmallSetVector<unsigned, 4> readInputs;  // whose elements the function at hand loads
};

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

// A scalar of the model's function, computed here: dimensions and elements of arguments are loaded, the rest is copied.
llvm::Expected<Value> EntryBuilder::hostValue(Value value) {
  if (Value known = hostValues.lookup(value)) return known;
  Operation *op = value.getDefiningOp();
  Value result;
  if (!op) return llvm::createStringError("internal: an argument of the function that is no tensor");
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    auto argument = dyn_cast<BlockArgument>(dim.getSource());
    auto index = dim.getConstantIndex();
    if (!argument || !index) return llvm::createStringError("a shape that depends on computed data is not supported");
    Value dims = loadPointer(gep(tensor(argument.getArgNumber()), offsetof(xcut_tensor, dims)));
    Value wide = loadInt(gep(dims, 8 * *index), 64);
    result = arith::IndexCastOp::create(b, loc, b.getIndexType(), wide);
  } else if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    Value source = extract.getTensor();
    while (auto cast = source.getDefiningOp<tensor::CastOp>()) source = cast.getSource();
    auto argument = dyn_cast<BlockArgument>(source);
    if (!argument) return llvm::createStringError("a shape or index that depends on computed data is not supported");
    auto type = cast<RankedTensorType>(source.getType());
    readInputs.insert(argument.getArgNumber());
    Value data = loadPointer(gep(tensor(argument.getArgNumber()), offsetof(xcut_tensor, data)));
    Type element = type.getElementType();
    Value at = c(0);
    for (auto [d, index] : llvm::enumerate(extract.getIndices())) {
      llvm::Expected<Value> i = hostValue(index);
      if (!i) return i.takeError();
      llvm::Expected<Value> extent = expand(plan.inputDims[argument.getArgNumber()][d]);
      if (!extent) return extent.takeError();
      Value position = arith::IndexCastOp::create(b, loc, indexType, *i);
      position = arith::MinUIOp::create(b, loc, position, arith::SubIOp::create(b, loc, *extent, c(1)));
      at = arith::AddIOp::create(b, loc, arith::MulIOp::create(b, loc, at, *extent), position);
    }
    Value address = gep(data, arith::MulIOp::create(b, loc, at, c(elementBytes(element))));
    Type stored = element.isInteger(1) ? b.getI8Type() : element.isIndex() ? b.getI64Type() : element;
    result = LLVM::LoadOp::create(b, loc, stored, address, elementBytes(element));
    if (element.isInteger(1))
      result = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, result,
                                     arith::ConstantOp::create(b, loc, b.getI8IntegerAttr(0)));
    if (element.isIndex()) result = arith::IndexCastOp::create(b, loc, element, result);
  } else {
    if (op->getNumRegions() || !isa<arith::ArithDialect, math::MathDialect>(op->getDialect()))
      return llvm::createStringError("operation " + op->getName().getStringRef() +
                                     " can not be computed before the kernels run");
    IRMapping mapping;
    for (Value operand : op->getOperands()) {
      llvm::Expected<Value> known = hostValue(operand);
      if (!known) return known.takeError();
      mapping.map(operand, *known);
    }
    result = b.clone(*op, mapping)->getResult(cast<OpResult>(value).getResultNumber());
  }
  hostValues[value] = result;
  return result;
}

llvm::Expected<Value> EntryBuilder::expand(Size size) {
  if (auto value = constantOf(size)) return c(*value);
  if (auto symbol = dyn_cast<AffineSymbolExpr>(size)) {
    llvm::Expected<Value> value = hostValue(plan.symbols->values()[symbol.getPosition()]);
    if (!value) return value.takeError();
    if (value->getType() == indexType) return *value;
    return arith::IndexCastOp::create(b, loc, indexType, *value).getResult();
  }
  auto binary = cast<AffineBinaryOpExpr>(size);
  llvm::Expected<Value> x = expand(binary.getLHS());
  if (!x) return x.takeError();
  llvm::Expected<Value> y = expand(binary.getRHS());
  if (!y) return y.takeError();
  switch (binary.getKind()) {
    case AffineExprKind::Add: return arith::AddIOp::create(b, loc, *x, *y).getResult();
    case AffineExprKind::Mul: return arith::MulIOp::create(b, loc, *x, *y).getResult();
    case AffineExprKind::FloorDiv: return arith::DivUIOp::create(b, loc, *x, *y).getResult();
    case AffineExprKind::Mod: return arith::RemUIOp::create(b, loc, *x, *y).getResult();
    case AffineExprKind::CeilDiv: {
      Value up = arith::AddIOp::create(b, loc, *x, arith::SubIOp::create(b, loc, *y, c(1)));
      return arith::DivUIOp::create(b, loc, up, *y).getResult();
    }
    default: return llvm::createStringError("internal: an unexpected size expression");
  }
}

// Bytes of the arena; the byte offset of every slot where it is dynamic.
llvm::Expected<Value> EntryBuilder::arenaBytes(SmallVectorImpl<Value> &slotOffsets) {
  if (!plan.dynamicArena) return c(plan.arenaBytes);
  Value total = c(0);
  for (const Sizes &candidates : plan.slots) {
    slotOffsets.push_back(total);
    Value largest = c(0);
    for (Size candidate : candidates) {
      llvm::Expected<Value> bytes = expand(candidate);
      if (!bytes) return bytes.takeError();
      largest = arith::MaxSIOp::create(b, loc, largest, *bytes);
    }
    Value rounded = arith::AndIOp::create(b, loc, arith::AddIOp::create(b, loc, largest, c(XCUT_ALIGNMENT - 1)),
                                          c(-XCUT_ALIGNMENT));
    total = arith::AddIOp::create(b, loc, total, rounded);
  }
  return total;
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

// Where the memory of a pointer argument begins.
llvm::Expected<Value> EntryBuilder::address(const KernelArg &arg, ArrayRef<Value> slotOffsets) {
  auto dataOf = [&](unsigned index) {
    Value &known = tensorData[index];
    if (!known) known = loadPointer(gep(tensor(index), offsetof(xcut_tensor, data)));
    return known;
  };
  Value pointer;
  if (!arg.buffer || arg.buffer->kind == BufferKind::Constant) {
    pointer = gep(weights, c(arg.weightsOffset));
  } else if (arg.buffer->kind == BufferKind::Input) {
    pointer = dataOf(arg.buffer->index);
  } else if (arg.buffer->kind == BufferKind::Output) {
    pointer = dataOf(plan.info.inputs.size() + arg.buffer->index);
  } else {
    pointer = plan.dynamicArena ? gep(arena, slotOffsets[arg.buffer->slot]) : gep(arena, c(arg.buffer->arenaOffset));
  }
  if (!arg.byteOffset || isConstant(arg.byteOffset, 0)) return pointer;
  llvm::Expected<Value> offset = expand(arg.byteOffset);
  if (!offset) return offset.takeError();
  return gep(pointer, *offset);
}

llvm::Error EntryBuilder::storeArgument(const KernelArg &arg, Value slot, ArrayRef<Value> slotOffsets) {
  if (arg.kind == KernelArg::Symbol) {
    llvm::Expected<Value> value = expand(getAffineSymbolExpr(arg.symbol, b.getContext()));
    if (!value) return value.takeError();
    Value narrow = *value;
    if (target.indexBits < 64) narrow = arith::TruncIOp::create(b, loc, b.getIntegerType(target.indexBits), narrow);
    LLVM::StoreOp::create(b, loc, narrow, slot, 4);
    return llvm::Error::success();
  }
  if (arg.kind == KernelArg::Scalar) {
    llvm::Expected<Value> value = hostValue(arg.scalar);
    if (!value) return value.takeError();
    Value stored = *value;
    if (stored.getType().isInteger(1)) stored = arith::ExtUIOp::create(b, loc, b.getI8Type(), stored);
    LLVM::StoreOp::create(b, loc, stored, slot, 4);
    return llvm::Error::success();
  }
  llvm::Expected<Value> pointer = address(arg, slotOffsets);
  if (!pointer) return pointer.takeError();
  storePointer(*pointer, slot);
  return llvm::Error::success();
}

static int64_t recordBytes(const PluginRecord &plugin) {
  int64_t dims = 0;
  for (const auto *tensors : {&plugin.inputs, &plugin.outputs})
    for (const PluginRecord::Tensor &tensor : *tensors) dims += tensor.dims.size();
  for (const PluginRecord::Attribute &attribute : plugin.attributes) dims += attribute.dims.size();
  return sizeof(xcut_plugin_call) + (plugin.inputs.size() + plugin.outputs.size()) * sizeof(xcut_plugin_tensor) +
         plugin.attributes.size() * sizeof(xcut_plugin_attribute) + 8 * dims;
}

// At `record`: the xcut_plugin_call, its inputs, outputs and attributes, and the dimensions of all of them.
llvm::Error EntryBuilder::fillRecord(const PluginRecord &plugin, Value record, ArrayRef<Value> slotOffsets) {
  int64_t inputsAt = sizeof(xcut_plugin_call);
  int64_t outputsAt = inputsAt + plugin.inputs.size() * sizeof(xcut_plugin_tensor);
  int64_t attributesAt = outputsAt + plugin.outputs.size() * sizeof(xcut_plugin_tensor);
  int64_t dimsAt = attributesAt + plugin.attributes.size() * sizeof(xcut_plugin_attribute);
  auto putTensor = [&](int64_t at, Value data, uint8_t type, ArrayRef<Value> dims) {
    storePointer(data, gep(record, at + offsetof(xcut_plugin_tensor, data)));
    storePointer(gep(record, dimsAt), gep(record, at + offsetof(xcut_plugin_tensor, dims)));
    Value elements = c(1);
    for (Value dim : dims) {
      storeInt(dim, gep(record, dimsAt));
      elements = arith::MulIOp::create(b, loc, elements, dim);
      dimsAt += 8;
    }
    storeInt(elements, gep(record, at + offsetof(xcut_plugin_tensor, elements)));
    storeInt(i64(0), gep(record, at + offsetof(xcut_plugin_tensor, type)));  // the rest of the tensor
    storeByte(type, gep(record, at + offsetof(xcut_plugin_tensor, type)));
    storeByte(dims.size(), gep(record, at + offsetof(xcut_plugin_tensor, rank)));
  };
  auto putTensors = [&](int64_t at, const std::vector<PluginRecord::Tensor> &list) -> llvm::Error {
    for (const PluginRecord::Tensor &tensor : list) {
      llvm::Expected<Value> data = address(tensor.pointer, slotOffsets);
      if (!data) return data.takeError();
      SmallVector<Value> dims;
      for (Size dim : tensor.dims) {
        llvm::Expected<Value> value = expand(dim);
        if (!value) return value.takeError();
        dims.push_back(*value);
      }
      putTensor(at, *data, tensor.type, dims);
      at += sizeof(xcut_plugin_tensor);
    }
    return llvm::Error::success();
  };
  if (llvm::Error error = putTensors(inputsAt, plugin.inputs)) return error;
  if (llvm::Error error = putTensors(outputsAt, plugin.outputs)) return error;
  for (auto [i, attribute] : llvm::enumerate(plugin.attributes)) {
    int64_t at = attributesAt + i * sizeof(xcut_plugin_attribute);
    storePointer(gep(weights, c(attribute.nameAt)), gep(record, at + offsetof(xcut_plugin_attribute, name)));
    SmallVector<Value> dims;
    for (int64_t dim : attribute.dims) dims.push_back(c(dim));
    putTensor(at + offsetof(xcut_plugin_attribute, value), gep(weights, c(attribute.dataAt)), attribute.type, dims);
  }
  storePointer(gep(record, inputsAt), gep(record, offsetof(xcut_plugin_call, inputs)));
  storePointer(gep(record, outputsAt), gep(record, offsetof(xcut_plugin_call, outputs)));
  storePointer(gep(record, attributesAt), gep(record, offsetof(xcut_plugin_call, attributes)));
  storeInt(i32(plugin.inputs.size()), gep(record, offsetof(xcut_plugin_call, input_count)));
  storeInt(i32(plugin.outputs.size()), gep(record, offsetof(xcut_plugin_call, output_count)));
  storeInt(i32(plugin.attributes.size()), gep(record, offsetof(xcut_plugin_call, attribute_count)));
  storeInt(i32(0), gep(record, offsetof(xcut_plugin_call, reserved0)));
  storePointer(gep(weights, c(plugin.nodeAt)), gep(record, offsetof(xcut_plugin_call, node)));
  Value null = LLVM::ZeroOp::create(b, loc, pointerType);
  storePointer(null, gep(record, offsetof(xcut_plugin_call, user)));
  storePointer(null, gep(record, offsetof(xcut_plugin_call, message)));
  return llvm::Error::success();
}

Value EntryBuilder::onlyIf(Value condition, llvm::function_ref<Value()> make) {
  if (!condition) return make();
  auto op = scf::IfOp::create(b, loc, b.getI32Type(), condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.thenBlock());
  Value made = make();
  scf::YieldOp::create(b, loc, ValueRange{made});
  b.setInsertionPointToStart(op.elseBlock());
  scf::YieldOp::create(b, loc, ValueRange{i32(0)});
  return op.getResult(0);
}

// Starts the kernels and calls the plugins. After a plugin that failed nothing starts any more; what still runs is
// waited for in any case, because its arguments lie on this function's stack.
llvm::Expected<Value> EntryBuilder::dispatchAll(ArrayRef<KernelCall> calls, ArrayRef<Value> slotOffsets) {
  env = loadPointer(gep(call, offsetof(xcut_call, env)));
  arena = loadPointer(gep(call, offsetof(xcut_call, arena)));
  weights = loadPointer(gep(call, offsetof(xcut_call, weights)));
  unsigned mostAfter = 1;  // that any kernel waits for
  int64_t mostRecord = 0;
  for (const KernelCall &kernelCall : calls) {
    mostAfter = std::max<unsigned>(mostAfter, kernelCall.after.size());
    if (kernelCall.plugin) mostRecord = std::max(mostRecord, recordBytes(*kernelCall.plugin));
  }
  Value afterBlock = allocate(b.getI32Type(), mostAfter, 4), record;
  if (mostRecord) record = allocate(b.getI64Type(), mostRecord / 8, 8);
  SmallVector<Value> tokens;
  llvm::DenseSet<unsigned> waitedFor;
  // Once there was a plugin: what the one that failed returned, which one that was, and whether none did.
  Value status = i32(0), failed = i32(0), isFine;
  for (const KernelCall &kernelCall : calls) {
    waitedFor.insert(kernelCall.after.begin(), kernelCall.after.end());
    if (const auto &plugin = kernelCall.plugin) {
      if (llvm::Error error = fillRecord(*plugin, record, slotOffsets)) return std::move(error);
      Value returned = onlyIf(isFine, [&]() -> Value {
        for (unsigned step : kernelCall.after) wait(tokens[step]);
        return LLVM::CallOp::create(b, loc, TypeRange{b.getI32Type()}, pluginHelper(plugin->number),
                                    ValueRange{env, record})
            .getResult();
      });
      Value isBad = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, returned, i32(0));
      status = isFine ? arith::OrIOp::create(b, loc, status, returned).getResult() : returned;
      failed = arith::SelectOp::create(b, loc, isBad, i32(plugin->number), failed);
      isFine = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, status, i32(0));
      tokens.push_back(i32(0));
      continue;
    }
    Value block = allocate(b.getI64Type(), kernelCall.args.size(), 8);
    for (auto [i, arg] : llvm::enumerate(kernelCall.args))
      if (llvm::Error error = storeArgument(arg, gep(block, 8 * i), slotOffsets)) return std::move(error);
    llvm::Expected<Value> items = expand(kernelCall.items);
    if (!items) return items.takeError();
    Value items32 = arith::TruncIOp::create(b, loc, b.getI32Type(), *items);
    Value kernel = LLVM::AddressOfOp::create(b, loc, pointerType, kernelCall.symbol);
    tokens.push_back(onlyIf(isFine, [&]() -> Value {
      for (auto [i, step] : llvm::enumerate(kernelCall.after)) storeInt(tokens[step], gep(afterBlock, 4 * i));
      return LLVM::CallOp::create(b, loc, TypeRange{b.getI32Type()}, dispatchHelper,
                                  ValueRange{env, kernel, block, items32, afterBlock,
                                             i32(static_cast<int32_t>(kernelCall.after.size()))})
          .getResult();
    }));
  }
  auto waitForLast = [&] {
    for (auto [step, token] : llvm::enumerate(tokens))
      if (!waitedFor.contains(step) && !calls[step].plugin) wait(token);
  };
  if (!isFine) {
    waitForLast();
    return i32(XCUT_RUN_OK);
  }
  auto op = scf::IfOp::create(b, loc, b.getI32Type(), isFine, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.thenBlock());
  waitForLast();
  scf::YieldOp::create(b, loc, ValueRange{i32(XCUT_RUN_OK)});
  b.setInsertionPointToStart(op.elseBlock());
  for (auto [step, token] : llvm::enumerate(tokens))  // whatever was to wait for them may not have started
    if (!calls[step].plugin) wait(token);
  storeInt(failed, gep(call, offsetof(xcut_call, error_tensor)));
  storeInt(i32(0), gep(call, offsetof(xcut_call, error_dim)));
  storeInt(i64(0), gep(call, offsetof(xcut_call, error_expected)));
  Value wide = arith::ExtSIOp::create(b, loc, b.getI64Type(), status);
  storeInt(wide, gep(call, offsetof(xcut_call, error_actual)));
  scf::YieldOp::create(b, loc, ValueRange{i32(XCUT_RUN_PLUGIN)});
  return op.getResult(0);
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

}  // namespace

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
