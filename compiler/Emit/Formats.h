// The last steps of emission, one file a format: from compiled objects to the bytes of the output files.
#pragma once

#include "compiler/Emit/Objects.h"
#include "compiler/Emit/OutputFiles.h"
#include "compiler/Emit/StaticInterface.h"

namespace crosscut {

// What every format starts from.
struct CompiledProgram {
  const Program &program;
  const TargetSpec &spec;
  const EmitOptions &options;
  const llvm::DataLayout &layout;
  llvm::LLVMContext &context;
  std::vector<Object> objects;       // code and builtins
  std::vector<uint32_t> stackBytes;  // of each function, as stackBounds() has it
};

// FormatElf.cpp: one module file, ELF or WebAssembly, that loaders read through its table. The result refers to
// compiled.program.
llvm::Expected<std::vector<OutputFile>> elfFiles(CompiledProgram &compiled, llvm::StringRef path);

// FormatStatic.cpp: an object or archive to link, and its C header.
// Adds the C functions of `interface` to `module`, around the entry points; the program then names those.
void addCFunctions(llvm::Module &module, Program &program, const StaticInterface &interface);
llvm::Expected<std::vector<OutputFile>> staticFiles(CompiledProgram &compiled, const StaticInterface &interface,
                                                    llvm::StringRef path);

}  // namespace crosscut
