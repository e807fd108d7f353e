// What a module would otherwise import from a C or compiler run-time library: memory functions, wide and missing
// integer arithmetic, soft float. Written in C, compiled to bitcode when the compiler is built, compiled again for the
// module's CPU when a module needs one of them.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/IR/DataLayout.h"
#include "llvm/IR/Module.h"
#include "llvm/TargetParser/Triple.h"

namespace crosscut {

// The bitcode for a triple's architecture and byte order; empty when there is none.
llvm::StringRef builtinsBitcode(const llvm::Triple &triple);

// Makes parsed bitcode ready to be compiled for a module: its triple and layout, no CPU or ABI of its own.
void prepareBuiltins(llvm::Module &module, const llvm::Triple &triple, const llvm::DataLayout &layout);

}  // namespace crosscut
