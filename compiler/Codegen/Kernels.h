// The generators of kernels, and what they share.
#pragma once

#include "compiler/Codegen/KernelBuilder.h"
#include "compiler/Codegen/LoopSpace.h"

namespace crosscut {

// Emit the code of a step into a kernel, and return the number of work items. A stage of a chain (Nest::rowLoop is set)
// runs all of them, and has one work item.
//
// Sums of products with register tiles over packed panels (Contraction.cpp). `roles`: one a loop of the nest.
Size emitContraction(KernelBuilder &k, const Step &step, llvm::ArrayRef<unsigned char> roles, WeightBlob &weights);
// Everything else: elementwise, windows, reductions, copies (Generic.cpp).
Size emitGeneric(KernelBuilder &k, const Step &step, WeightBlob &weights);
// 3x3 convolutions in their WinogradForm, and the transform of their input where it is a step of its own
// (Winograd.cpp).
Size emitWinograd(KernelBuilder &k, const Step &step, WeightBlob &weights);
Size emitWinogradInput(KernelBuilder &k, const Step &step, WeightBlob &weights);
// Whichever of these fits the step (Generate.cpp).
Size emitNest(KernelBuilder &k, const Step &step, WeightBlob &weights);

// Kernels that run together, band by band (Chain.cpp).
GeneratedKernel generateChain(KernelBuilder &k, const Step &step, const FunctionPlan &plan, WeightBlob &weights);
// The frame of a padded tensor (Border.cpp).
GeneratedKernel generateBorder(KernelBuilder &k, const Step &step);

// Applies the step's epilogues to `values` (what the nest yields at one tile position) and returns the last results.
// `pointers`: where the epilogues' inputs lie at this position, keyed by operand; `loopValue`: value of a member loop.
llvm::SmallVector<mlir::Value> applyEpilogues(KernelBuilder &k, const Step &step, LoopSpace &space,
                                              llvm::SmallVector<mlir::Value> values, Lanes lanes, int vectorLoop,
                                              llvm::function_ref<mlir::Value(const Operand &)> pointer,
                                              llvm::function_ref<mlir::Value(unsigned)> loopValue);

// Value of an operand at a position: its splat, or what lies at `pointer`.
mlir::Value loadOperand(KernelBuilder &k, const Operand &operand, mlir::Value pointer, Lanes lanes, int vectorLoop);
// Whether the epilogues may run on lanes that hold nothing of the model: they read no computed place and divide no
// integers.
bool allowsUnusedLanes(const Step &step);

// Work of one item in multiply-adds: large enough that starting it costs nothing beside it.
constexpr int64_t minItemWork = 400000;

}  // namespace crosscut
