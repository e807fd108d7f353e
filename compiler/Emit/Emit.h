// From a Program to files: MLIR → LLVM IR → objects → what the format asks for (Formats.h).
#pragma once

#include "compiler/Codegen/Program.h"
#include "compiler/Emit/OutputFiles.h"
#include "compiler/Target/Target.h"

namespace crosscut {

enum class Format { Elf, Static };

struct EmitOptions {
  Format format = Format::Elf;
  std::string name;            // Static: the model's name in C
  std::string weightsSection;  // Static: empty for .rodata.<name>_weights
  unsigned optLevel = 2;       // 0 ... 3
  bool debugSymbols = false;
  std::string dumpDir;              // --dump-phases: 6-llvm.mlir ... 9-code.s; empty: none
  std::vector<OutputFile> besides;  // files of other phases, to appear with the module
};

struct PhaseTime {
  std::string name;
  double seconds;
};

// Writes `path`, and the header beside it for Static, whole or not at all. Appends what each phase took to `times`.
llvm::Error emitModule(Program &program, const TargetSpec &target, const EmitOptions &options, llvm::StringRef path,
                       std::vector<PhaseTime> &times);

}  // namespace crosscut
