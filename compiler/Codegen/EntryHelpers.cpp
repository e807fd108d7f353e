// The functions that entry points share: starting a kernel and waiting, with or without an environment, and unpacking a
// kernel's arguments.
#include "compiler/Codegen/Entry.h"

#include "crosscut/abi.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace crosscut {

void generateDispatchHelpers(ModuleOp module, const TargetDescription &target) {
  OpBuilder b(module.getContext());
  Location loc = UnknownLoc::get(module.getContext());
  Type pointer = LLVM::LLVMPointerType::get(module.getContext()), i32 = b.getI32Type();
  auto begin = [&](llvm::StringRef name, Type result, ArrayRef<Type> params) {
    b.setInsertionPointToEnd(module.getBody());
    auto function =
        LLVM::LLVMFuncOp::create(b, loc, name, LLVM::LLVMFunctionType::get(result, params), LLVM::Linkage::Internal);
    b.setInsertionPointToStart(function.addEntryBlock(b));
    return function;
  };
  auto isNull = [&](Value p) -> Value {
    return LLVM::ICmpOp::create(b, loc, LLVM::ICmpPredicate::eq, p, LLVM::ZeroOp::create(b, loc, pointer));
  };
  auto callback = [&](Value env, int64_t offset) -> Value {
    Value slot = LLVM::GEPOp::create(b, loc, pointer, b.getI8Type(), env,
                                     ArrayRef<LLVM::GEPArg>{LLVM::GEPArg(static_cast<int32_t>(offset))});
    return LLVM::LoadOp::create(b, loc, pointer, slot, target.indexBits / 8);
  };
  {
    auto function = begin(dispatchHelper, i32, {pointer, pointer, pointer, i32, pointer, i32});
    Block &entry = function.getBody().front();
    Value env = entry.getArgument(0), kernel = entry.getArgument(1), args = entry.getArgument(2),
          count = entry.getArgument(3);
    Value zero = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(0));
    auto op = scf::IfOp::create(b, loc, i32, isNull(env), true);
    b.setInsertionPointToStart(op.thenBlock());
    auto kernelType = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()), {pointer, i32, i32});
    LLVM::CallOp::create(b, loc, kernelType, ValueRange{kernel, args, zero, count});
    scf::YieldOp::create(b, loc, ValueRange{zero});
    b.setInsertionPointToStart(op.elseBlock());
    auto dispatchType = LLVM::LLVMFunctionType::get(i32, {pointer, pointer, pointer, i32, pointer, i32});
    Value token = LLVM::CallOp::create(b, loc, dispatchType,
                                       ValueRange{callback(env, offsetof(xcut_env, dispatch)), env, kernel, args, count,
                                                  entry.getArgument(4), entry.getArgument(5)})
                      .getResult();
    scf::YieldOp::create(b, loc, ValueRange{token});
    b.setInsertionPointAfter(op);
    LLVM::ReturnOp::create(b, loc, op.getResults());
  }
  {
    auto function = begin(waitHelper, LLVM::LLVMVoidType::get(b.getContext()), {pointer, i32});
    Block &entry = function.getBody().front();
    Value env = entry.getArgument(0);
    auto op = scf::IfOp::create(b, loc, TypeRange{}, isNull(env), true);
    b.setInsertionPointToStart(op.elseBlock());
    auto waitType = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()), {pointer, i32});
    LLVM::CallOp::create(b, loc, waitType,
                         ValueRange{callback(env, offsetof(xcut_env, wait)), env, entry.getArgument(1)});
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
