// The entry points of a function, run and plan (see abi.h): ordinary code that computes shapes, checks them, and starts
// the kernels, each ordered after those whose memory it needs.
#pragma once

#include "compiler/Codegen/KernelBuilder.h"

namespace crosscut {

// What a plugin's xcut_plugin_call says. The fields named ...At are offsets into the weights.
struct PluginRecord {
  struct Tensor {
    KernelArg pointer;
    uint8_t type = 0;  // XCUT_TYPE_*
    Sizes dims;
  };
  struct Attribute {
    uint64_t nameAt = 0, dataAt = 0;
    uint8_t type = 0;
    std::vector<int64_t> dims;
  };
  unsigned number = 0;  // in the module's table
  uint64_t nodeAt = 0;
  std::vector<Tensor> inputs, outputs;
  std::vector<Attribute> attributes;
};

// One dispatch as the entry point makes it, or a plugin's call, of which only `after` counts besides.
struct KernelCall {
  std::string symbol;  // llvm.func of type xcut_kernel_fn
  std::vector<KernelArg> args;
  Size items;
  llvm::SmallVector<unsigned, 4> after;  // earlier calls that must be done before this one may start
  std::optional<PluginRecord> plugin;
};

// Adds llvm.func @<runSymbol> and, where shapes are dynamic, @<planSymbol>; names both in plan.info.
llvm::Error generateEntryPoints(mlir::ModuleOp module, FunctionPlan &plan, llvm::ArrayRef<KernelCall> calls,
                                const TargetDescription &target, llvm::StringRef prefix);

constexpr llvm::StringLiteral dispatchHelper = "xcut_dispatch", waitHelper = "xcut_wait";

// Name of the function through which entry points call plugin `number`: llvm.func (env, xcut_plugin_call) -> i32.
std::string pluginHelper(unsigned number);

// Adds it. It asks the environment, and returns -1 where there is none that can.
void generatePluginHelper(mlir::ModuleOp module, const TargetDescription &target, unsigned number);

// Adds the functions that entry points share: starting a kernel, with or without an environment, and waiting.
void generateDispatchHelpers(mlir::ModuleOp module, const TargetDescription &target);

// Adds llvm.func @<name>(args, begin, end), which unpacks the slots of `args` and calls `implementation`.
void generateKernelWrapper(mlir::ModuleOp module, llvm::StringRef name, mlir::func::FuncOp implementation);

}  // namespace crosscut
