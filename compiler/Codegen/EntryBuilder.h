// Builds the entry points of one function: Entry.cpp checks what a call gives, EntrySizes.cpp computes sizes and
// scalars, EntryDispatch.cpp starts the kernels and calls plugins.
#pragma once

#include "compiler/Codegen/Entry.h"

#include "crosscut/abi.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace crosscut {

// Byte offsets into structures of abi.h, as the host compiler sees them; the layout is the same everywhere.
constexpr int64_t tensorBytes = sizeof(xcut_tensor);

class EntryBuilder {
 public:
  EntryBuilder(mlir::ModuleOp module, FunctionPlan &plan, const TargetDescription &target)
      : b(module.getContext()),
        loc(mlir::UnknownLoc::get(module.getContext())),
        plan(plan),
        target(target),
        module(module),
        pointerType(mlir::LLVM::LLVMPointerType::get(module.getContext())),
        indexType(mlir::IntegerType::get(module.getContext(), 64)) {}

  llvm::Error makeRun(llvm::StringRef name, llvm::ArrayRef<KernelCall> calls);
  llvm::Error makePlan(llvm::StringRef name);

 private:
  mlir::LLVM::LLVMFuncOp begin(llvm::StringRef name);
  mlir::Value gep(mlir::Value pointer, int64_t bytes);
  mlir::Value gep(mlir::Value pointer, mlir::Value bytes);
  mlir::Value loadPointer(mlir::Value pointer) {
    return mlir::LLVM::LoadOp::create(b, loc, pointerType, pointer, target.indexBits / 8);
  }
  mlir::Value loadInt(mlir::Value pointer, unsigned bits) {
    return mlir::LLVM::LoadOp::create(b, loc, b.getIntegerType(bits), pointer, 4);
  }
  void storeInt(mlir::Value value, mlir::Value pointer) { mlir::LLVM::StoreOp::create(b, loc, value, pointer, 4); }
  mlir::Value c(int64_t value) { return mlir::arith::ConstantOp::create(b, loc, b.getIntegerAttr(indexType, value)); }
  mlir::Value i64(int64_t value) { return mlir::arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(value)); }
  mlir::Value i32(int32_t value) { return mlir::arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(value)); }
  // Address of tensor `index` (inputs, then outputs) of the call.
  mlir::Value tensor(unsigned index) { return gep(tensors, tensorBytes * index); }

  // EntrySizes.cpp.
  llvm::Expected<mlir::Value> hostValue(mlir::Value value);
  llvm::Expected<mlir::Value> expand(Size size);
  llvm::Expected<mlir::Value> arenaBytes(llvm::SmallVectorImpl<mlir::Value> &slotOffsets);

  // Runs `rest` unless `bad`; then the result of the function is `code` and the error is recorded.
  mlir::Value unless(mlir::Value bad, int32_t code, unsigned tensorIndex, unsigned dim, mlir::Value expected,
                     mlir::Value actual, llvm::function_ref<mlir::Value()> rest);
  llvm::Expected<mlir::Value> checkAll(unsigned next, llvm::function_ref<llvm::Expected<mlir::Value>()> rest);

  // EntryDispatch.cpp.
  llvm::Expected<mlir::Value> dispatchAll(llvm::ArrayRef<KernelCall> calls, llvm::ArrayRef<mlir::Value> slotOffsets);
  llvm::Expected<mlir::Value> address(const KernelArg &arg, llvm::ArrayRef<mlir::Value> slotOffsets);
  llvm::Error storeArgument(const KernelArg &arg, mlir::Value slot, llvm::ArrayRef<mlir::Value> slotOffsets);
  llvm::Error fillRecord(const PluginRecord &plugin, mlir::Value record, llvm::ArrayRef<mlir::Value> slotOffsets);
  void storeByte(uint8_t value, mlir::Value pointer) {
    mlir::LLVM::StoreOp::create(b, loc, mlir::arith::ConstantOp::create(b, loc, b.getI8IntegerAttr(value)), pointer, 1);
  }
  void storePointer(mlir::Value value, mlir::Value pointer) {
    mlir::LLVM::StoreOp::create(b, loc, value, pointer, target.indexBits / 8);
  }
  mlir::Value allocate(mlir::Type element, int64_t count, unsigned alignment) {
    mlir::Value elements = mlir::arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(std::max<int64_t>(1, count)));
    return mlir::LLVM::AllocaOp::create(b, loc, pointerType, element, elements, alignment);
  }
  void wait(mlir::Value token) {
    mlir::LLVM::CallOp::create(b, loc, mlir::TypeRange{}, waitHelper, mlir::ValueRange{env, token});
  }
  // What `make` yields when `condition` holds, else 0.
  mlir::Value onlyIf(mlir::Value condition, llvm::function_ref<mlir::Value()> make);

  mlir::OpBuilder b;
  mlir::Location loc;
  FunctionPlan &plan;
  const TargetDescription &target;
  mlir::ModuleOp module;
  mlir::Type pointerType;
  mlir::IntegerType indexType;  // sizes are computed in 64 bit everywhere: no shape that a caller asks for wraps around
  mlir::Value call, tensors;
  mlir::Value env, arena, weights;
  llvm::DenseMap<unsigned, mlir::Value> tensorData;
  llvm::DenseMap<mlir::Value, mlir::Value> hostValues;
  llvm::SmallSetVector<unsigned, 4> readInputs;  // whose elements the function at hand loads
};

}  // namespace crosscut
