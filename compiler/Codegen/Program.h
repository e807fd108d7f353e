// What code generation hands to emission: kernels and entry points as MLIR that only needs lowering, the description of
// the module's functions, and the packed weights. The one interface between Codegen/ and Emit/.
#pragma once

#include "compiler/Plan/ArenaReport.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <array>
#include <cstdint>
#include <optional>
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

// How one kernel, or one stage of a chain, is computed.
struct KernelChoice {
  std::string name;       // of the model node
  std::string algorithm;  // "direct", "winograd F(4x4)", "winograd input", "windows", "loop", "transpose", "reduction",
                          // "border"
  unsigned tileRows = 0;  // register tile, or neighbouring results at once; 0: none
  unsigned tileVectors = 0;
  int64_t panelColumns = 0;  // columns of a panel of weights; 0: none
  unsigned lanes = 1;        // elements of an operation
  double cycles = 0;         // predicted, weights' way from memory apart; 0: sizes are only known when it runs
};

// One dispatch of a function, for --explain. Figures are 0 where sizes are only known when the function runs.
struct StepReport {
  std::string function, name;  // entry point; model node
  unsigned kernel = 0;         // index into Program::kernels
  std::optional<int64_t> items;
  std::vector<KernelChoice> choices;                    // one; a chain's stages
  int64_t bands = 0, bandRows = 0;                      // of a chain
  uint64_t flops = 0, readBytes = 0, writtenBytes = 0;  // weights among what is read
  double cycles = 0;                                    // predicted, on one core
  double peakShare = 0;    // predicted share of the target's peak of multiply-adds; 0 without FLOPs
  const char *bound = "";  // what takes most of the predicted cycles: "arithmetic", "weights", "tensors"
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
  std::vector<StepReport> steps;  // of all functions, in their order
  std::vector<FunctionInfo> functions;
  std::vector<PluginInfo> plugins;  // by number
  std::vector<ArenaReport> arenas;  // one a function
  std::vector<uint8_t> weights;     // in target byte order; every tensor starts at a multiple of XCUT_ALIGNMENT
  std::string sourceName;           // file name of the model, without folders
  std::array<uint8_t, 32> sourceSha256{};
};

}  // namespace crosscut
