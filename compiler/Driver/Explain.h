// --explain: what the compiler chose for every kernel, and what it expects of it.
#pragma once

#include "compiler/Codegen/Program.h"
#include "compiler/Target/Target.h"

#include "llvm/Support/raw_ostream.h"

namespace crosscut {

// A table for people: one line a dispatch, in the order in which they start, and one more for every stage of a chain.
void printExplanation(const Program &program, const TargetDescription &target, llvm::raw_ostream &out);

// The same as JSON, for tools (docs/performance.md names the fields).
void writeExplanation(const Program &program, const TargetSpec &spec, const TargetDescription &target,
                      llvm::raw_ostream &out);

}  // namespace crosscut
