// The whole compiler behind one function: what crosscut-compile runs once its command line is understood.
#pragma once

#include "compiler/Emit/Emit.h"
#include "compiler/Import/Import.h"
#include "compiler/Plan/Plan.h"
#include "compiler/Target/Facts.h"

#include "llvm/Support/raw_ostream.h"

#include <cstdint>
#include <string>

namespace crosscut {

struct DriverOptions {
  std::string input, output;               // model, module or object
  std::string target, cpu, features, abi;  // as given; empty: this machine, its default, none, the target's
  ImportOptions import;
  EmitOptions emit;
  bool favorMinPeakMemory = false;
  uint64_t maxArenaBytes = 0;  // 0: no limit
  WinogradMode winograd = WinogradMode::Auto;
  std::vector<Fact> assumed;  // instead of what is known of the target's CPU
  bool timePhases = false;
  bool printArena = false;      // draw the arena on compileModel's stream
  std::string arenaDrawing;     // and as SVG into this file; empty: none
  bool explain = false;         // print a table of the kernels
  std::string explanationFile;  // write it as JSON, too; empty: no
};

// Compiles options.input into options.output and says on `out` what it resolved and made. On error nothing is left at
// the output's path but what was there before.
llvm::Error compileModel(const DriverOptions &options, llvm::raw_ostream &out);

// --check: lists on `out` every node of options.input that can not be compiled; an error when there are any.
llvm::Error checkModel(const DriverOptions &options, llvm::raw_ostream &out);

// What the compiler is doing, for messages about crashes.
const char *currentPhase();

}  // namespace crosscut
