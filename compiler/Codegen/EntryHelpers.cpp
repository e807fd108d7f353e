// The functions that entry points share: starting a kernel and waiting, with or without an environment, and unpacking a
// kernel's arguments.
#include "compiler/Codegen/Entry.h"

#include "crosscut/abi.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace crosscut {

namespace {
// Makes functions that take the environment, an xcut_env that may be null, first.
struct HelperBuilder {
  HelperBuilder(ModuleOp module, const TargetDescription &target)
      : b(module.getContext()),
        loc(UnknownLoc::get(module.getContext())),
        pointer(LLVM::LLVMPointerType::get(module.getContext())),
        module(module),
        target(target) {}

  LLVM::LLVMFuncOp begin(llvm::StringRef name, Type result, ArrayRef<Type> params) {
    b.setInsertionPointToEnd(module.getBody());
    auto function =
        LLVM::LLVMFuncOp::create(b, loc, name, LLVM::LLVMFunctionType::get(result, params), LLVM::Linkage::Internal);
    b.setInsertionPointToStart(function.addEntryBlock(b));
    return function;
  }
  Value isNull(Value p) {
    return LLVM::ICmpOp::create(b, loc, LLVM::ICmpPredicate::eq, p, LLVM::ZeroOp::create(b, loc, pointer));
  }
  // The function that the environment has at `offset`.
  Value callback(Value env, int64_t offset) {
    Value slot = LLVM::GEPOp::create(b, loc, pointer, b.getI8Type(), env,
                                     ArrayRef<LLVM::GEPArg>{LLVM::GEPArg(static_cast<int32_t>(offset))});
    return LLVM::LoadOp::create(b, loc, pointer, slot, target.indexBits / 8);
  }

  OpBuilder b;
  Location loc;
  Type pointer;
  ModuleOp module;
  const TargetDescription &target;
};
}  // namespace

std::string pluginHelper(unsigned number) { return "xcut_plugin" + std::to_string(number); }

void generatePluginHelper(ModuleOp module, const TargetDescription &target, unsigned number) {
  HelperBuilder h(module, target);
  OpBuilder &b = h.b;
  Type i32 = b.getI32Type();
  auto function = h.begin(pluginHelper(number), i32, {h.pointer, h.pointer});
  Block &entry = function.getBody().front();
  Value env = entry.getArgument(0), record = entry.getArgument(1);
  Value none = arith::ConstantOp::create(b, h.loc, b.getI32IntegerAttr(-1));
  auto hasEnv = scf::IfOp::create(b, h.loc, i32, h.isNull(env), true);
  b.setInsertionPointToStart(hasEnv.thenBlock());
  scf::YieldOp::create(b, h.loc, ValueRange{none});
  b.setInsertionPointToStart(hasEnv.elseBlock());
  Value callback = h.callback(env, offsetof(xcut_env, call_plugin));
  auto hasPlugins = scf::IfOp::create(b, h.loc, i32, h.isNull(callback), true);
  b.setInsertionPointToStart(hasPlugins.thenBlock());
  scf::YieldOp::create(b, h.loc, ValueRange{none});
  b.setInsertionPointToStart(hasPlugins.elseBlock());
  Value index = arith::ConstantOp::create(b, h.loc, b.getI32IntegerAttr(number));
  auto type = LLVM::LLVMFunctionType::get(i32, {h.pointer, i32, h.pointer});
  Value status = LLVM::CallOp::create(b, h.loc, type, ValueRange{callback, env, index, record}).getResult();
  scf::YieldOp::create(b, h.loc, ValueRange{status});
  b.setInsertionPointAfter(hasPlugins);
  scf::YieldOp::create(b, h.loc, hasPlugins.getResults());
  b.setInsertionPointAfter(hasEnv);
  LLVM::ReturnOp::create(b, h.loc, hasEnv.getResults());
}

void generateDispatchHelpers(ModuleOp module, const TargetDescription &target) {
  HelperBuilder h(module, target);
  OpBuilder &b = h.b;
  Location loc = h.loc;
  Type pointer = h.pointer, i32 = b.getI32Type();
  {
    auto function = h.begin(dispatchHelper, i32, {pointer, pointer, pointer, i32, pointer, i32});
    Block &entry = function.getBody().front();
    Value env = entry.getArgument(0), kernel = entry.getArgument(1), args = entry.getArgument(2),
          count = entry.getArgument(3);
    Value zero = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(0));
    auto op = scf::IfOp::create(b, loc, i32, h.isNull(env), true);
    b.setInsertionPointToStart(op.thenBlock());
    auto kernelType = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()), {pointer, i32, i32});
    LLVM::CallOp::create(b, loc, kernelType, ValueRange{kernel, args, zero, count});
    scf::YieldOp::create(b, loc, ValueRange{zero});
    b.setInsertionPointToStart(op.elseBlock());
    auto dispatchType = LLVM::LLVMFunctionType::get(i32, {pointer, pointer, pointer, i32, pointer, i32});
    Value token = LLVM::CallOp::create(b, loc, dispatchType,
                                       ValueRange{h.callback(env, offsetof(xcut_env, dispatch)), env, kernel, args,
                                                  count, entry.getArgument(4), entry.getArgument(5)})
                      .getResult();
    scf::YieldOp::create(b, loc, ValueRange{token});
    b.setInsertionPointAfter(op);
    LLVM::ReturnOp::create(b, loc, op.getResults());
  }
  {
    auto function = h.begin(waitHelper, LLVM::LLVMVoidType::get(b.getContext()), {pointer, i32});
    Block &entry = function.getBody().front();
    Value env = entry.getArgument(0);
    auto op = scf::IfOp::create(b, loc, TypeRange{}, h.isNull(env), true);
    b.setInsertionPointToStart(op.elseBlock());
    auto waitType = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()), {pointer, i32});
    LLVM::CallOp::create(b, loc, waitType,
                         ValueRange{h.callback(env, offsetof(xcut_env, wait)), env, entry.getArgument(1)});
    b.setInsertionPointAfter(op);
    LLVM::ReturnOp::create(b, loc, ValueRange{});
  }
}

void generateKernelWrapper(ModuleOp module, llvm::StringRef name, func::FuncOp implementation) {
  OpBuilder b(module.getContext());
  Location loc = UnknownLoc::get(module.getContext());
  b.setInsertionPointToEnd(module.getBody());
  Type pointer = LLVM::LLVMPointerType::get(module.getContext()), i32 = b.getI32Type();
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()), {pointer, i32, i32});
  auto function = LLVM::LLVMFuncOp::create(b, loc, name, type);
  Block *entry = function.addEntryBlock(b);
  b.setInsertionPointToStart(entry);
  SmallVector<Value> operands{entry->getArgument(1), entry->getArgument(2)};
  for (auto [i, type] : llvm::enumerate(llvm::drop_begin(implementation.getArgumentTypes(), 2))) {
    Value slot = LLVM::GEPOp::create(b, loc, pointer, b.getI64Type(), entry->getArgument(0),
                                     ArrayRef<LLVM::GEPArg>{LLVM::GEPArg(static_cast<int32_t>(i))});
    Type stored = type.isInteger(1) ? Type(b.getI8Type()) : type;
    Value value = LLVM::LoadOp::create(b, loc, stored, slot, 4);
    if (type.isInteger(1)) value = arith::TruncIOp::create(b, loc, type, value);
    operands.push_back(value);
  }
  func::CallOp::create(b, loc, implementation.getSymName(), TypeRange{}, operands);
  LLVM::ReturnOp::create(b, loc, ValueRange{});
}

}  // namespace crosscut
