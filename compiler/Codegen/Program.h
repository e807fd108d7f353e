// What code generation hands to emission: kernels and entry points as MLIR that only needs lowering, the description of
// the module's functions, and the packed weights. The one interface between Codegen/ and Emit/.
#pragma once

#include "compiler/Plan/ArenaReport.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace crosscut {

struct TensorInfo {
  std::string name;
  uint8_t type = 0;           // XCUT_TYPE_*
  std::vector<int64_t> dims;  // -1: dynamic
};

struct KernelInfo {
  std::string symbol;  // func.func @symbol(%args: !llvm.ptr, %begin: i32, %end: i32): a xcut_kernel_fn
  std::string name;    // of the model node
  uint64_t flops = 0, bytes = 0;
};

struct FunctionInfo {
  std::string name;
  std::vector<TensorInfo> inputs, outputs;
  std::string runSymbol;            // func.func @run(%call: !llvm.ptr) -> i32: a xcut_run_fn
  std::string planSymbol;           // likewise; empty when every shape is static
  std::vector<unsigned> planReads;  // inputs whose values plan needs, not their dimensions alone
  uint64_t arenaBytes = 0;          // or XCUT_ARENA_DYNAMIC
};

// A function of the user's program that the model calls (crosscut/plugin.h).
struct PluginInfo {
  std::string name;    // "acme.Scale"
  std::string symbol;  // llvm.func @symbol(%env: !llvm.ptr, %call: !llvm.ptr) -> i32: has the environment call it
};

// A compiled model before emission. `code` holds func.func in the dialects func, scf, cf, arith, math, vector (1-D,
// fixed length), ub and LLVM (pointers, loads, stores, calls by address). Index width is TargetDescription::indexBits.
struct Program {
  mlir::OwningOpRef<mlir::ModuleOp> code;
  std::vector<KernelInfo> kernels;
  std::vector<FunctionInfo> functions;
  std::vector<PluginInfo> plugins;  // by number
  std::vector<ArenaReport> arenas;  // one a function
  std::vector<uint8_t> weights;     // in target byte order; every tensor starts at a multiple of XCUT_ALIGNMENT
  std::string sourceName;           // file name of the model, without folders
  std::array<uint8_t, 32> sourceSha256{};
};

}  // namespace crosscut
