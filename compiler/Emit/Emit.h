// From a Program to a module file: MLIR → LLVM IR → objects → lld → one ELF file with table, code and weights.
#pragma once

#include "compiler/Codegen/Program.h"
#include "compiler/Target/Target.h"

namespace crosscut {

struct EmitOptions {
  unsigned optLevel = 2;  // 0 ... 3
  bool debugSymbols = false;
  std::string dumpDir;  // --dump-phases: 6-llvm.mlir ... 9-code.s; empty: none
};

struct PhaseTime {
  std::string name;
  double seconds;
};

// Writes `path` whole or not at all. Appends what each phase took to `times`.
llvm::Error emitModule(Program &program, const TargetSpec &target, const EmitOptions &options, llvm::StringRef path,
                       std::vector<PhaseTime> &times);

}  // namespace crosscut
