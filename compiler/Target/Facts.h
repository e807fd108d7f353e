// Single facts of a TargetDescription by name: those that scripts/tune finds by trying, and --assume sets.
#pragma once

#include "compiler/Target/Target.h"

namespace crosscut {

struct Fact {
  std::string name;
  double value = 0;
};

// Understands "streamed-bytes=4"; an error names what is not known or out of range.
llvm::Expected<Fact> parseFact(llvm::StringRef text);
void assume(TargetDescription &description, const Fact &fact);
// What was found for the target's CPU (TunedFacts.inc).
void assumeTunedFacts(const TargetSpec &spec, TargetDescription &description);

}  // namespace crosscut
