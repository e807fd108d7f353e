// The entry points of a function, run and plan (see abi.h): ordinary code that computes shapes, checks them, and starts
// the kernels, each ordered after those whose memory it needs.
#pragma once

#include "compiler/Codegen/KernelBuilder.h"

namespace crosscut {

// One dispatch as the entry point makes it.
struct KernelCall {
  std::string symbol;  // llvm.func of type xcut_kernel_fn
  std::vector<KernelArg> args;
  Size items;
  llvm::SmallVector<unsigned, 4> after;  // earlier calls that must be done before this one may start
};

// Adds llvm.func @<runSymbol> and, where shapes are dynamic, @<planSymbol>; names both in plan.info.
llvm::Error generateEntryPoints(mlir::ModuleOp module, FunctionPlan &plan, llvm::ArrayRef<KernelCall> calls,
                                const TargetDescription &target, llvm::StringRef prefix);

constexpr llvm::StringLiteral dispatchHelper = "xcut_dispatch", waitHelper = "xcut_wait";

// Adds the functions that entry points share: starting a kernel, with or without an environment, and waiting.
void generateDispatchHelpers(mlir::ModuleOp module, const TargetDescription &target);

// Adds llvm.func @<name>(args, begin, end), which unpacks the slots of `args` and calls `implementation`.
void generateKernelWrapper(mlir::ModuleOp module, llvm::StringRef name, mlir::func::FuncOp implementation);

}  // namespace crosscut
