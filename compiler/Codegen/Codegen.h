// From the tensor IR to a Program: layouts, fusion into kernels, loops, the arena. The middle of the compiler.
#pragma once

#include "compiler/Codegen/Program.h"
#include "compiler/Import/Import.h"
#include "compiler/Plan/Plan.h"
#include "compiler/Target/Target.h"

namespace crosscut {

struct CodegenOptions {
  bool favorMinPeakMemory = false;
  WinogradMode winograd = WinogradMode::Auto;
  std::string dumpDir;  // --dump-phases; empty: none
};

// Consumes `model`. Errors name the node.
llvm::Expected<Program> generateProgram(ImportedModel &model, const TargetSpec &spec, const TargetDescription &target,
                                        const CodegenOptions &options);

}  // namespace crosscut
