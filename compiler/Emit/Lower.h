// MLIR → LLVM IR.
#pragma once

#include "compiler/Codegen/Program.h"
#include "compiler/Target/Target.h"

#include "llvm/IR/Module.h"

#include <memory>

namespace crosscut {

// Lowers program.code in place to the LLVM dialect.
llvm::Error lowerToLLVMDialect(Program &program, const TargetSpec &spec, const llvm::DataLayout &layout,
                               unsigned optLevel);

// Translates it. Entry points and kernels are hidden symbols, all else is internal to the module; nothing unwinds.
llvm::Expected<std::unique_ptr<llvm::Module>> translateToLLVM(Program &program, const TargetSpec &spec,
                                                              const llvm::DataLayout &layout,
                                                              llvm::LLVMContext &context);

}  // namespace crosscut
