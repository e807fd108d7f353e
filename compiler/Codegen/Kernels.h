// The two generators of kernels, and what they share.
#pragma once

#include "compiler/Codegen/KernelBuilder.h"
#include "compiler/Codegen/LoopSpace.h"

namespace crosscut {

// Sums of products with register tiles over packed panels (Contraction.cpp). `roles`: one a loop of the nest.
GeneratedKernel generateContraction(KernelBuilder &k, const Step &step, llvm::ArrayRef<unsigned char> roles,
                                    WeightBlob &weights);
// Everything else: elementwise, windows, reductions, copies (Generic.cpp).
GeneratedKernel generateGeneric(KernelBuilder &k, const Step &step, WeightBlob &weights);
// The frame of a padded tensor (Border.cpp).
GeneratedKernel generateBorder(KernelBuilder &k, const Step &step);

// Applies the step's epilogues to `values` (what the nest yields at one tile position) and returns the last results.
// `pointers`: where the epilogues' inputs lie at this position, keyed by operand; `loopValue`: value of a member loop.
llvm::SmallVector<mlir::Value> applyEpilogues(KernelBuilder &k, const Step &step, LoopSpace &space,
                                              llvm::SmallVector<mlir::Value> values, unsigned lanes, int vectorLoop,
                                              llvm::function_ref<mlir::Value(const Operand &)> pointer,
                                              llvm::function_ref<mlir::Value(unsigned)> loopValue);

// Value of an operand at a position: its splat, or what lies at `pointer`.
mlir::Value loadOperand(KernelBuilder &k, const Operand &operand, mlir::Value pointer, unsigned lanes, int vectorLoop);

// Work of one item in multiply-adds: large enough that starting it costs nothing beside it.
constexpr int64_t minItemWork = 400000;

}  // namespace crosscut
