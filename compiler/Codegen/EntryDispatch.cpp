// Starts the kernels and calls the plugins of an entry point, each ordered after those whose memory it needs.
#include "compiler/Codegen/EntryBuilder.h"

using namespace mlir;

namespace crosscut {

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

}  // namespace crosscut
