// --debug-symbols: which node of the model an instruction came from.
#pragma once

#include "compiler/Codegen/Program.h"

namespace crosscut {

// Gives every operation of the lowered `program.code` a debug location: an inlined call of a function named as the
// model's node, on the "line" that is the node's number, in the order in which nodes come up. Debuggers, profilers and
// addr2line -i show node names that way.
void addDebugInfo(Program &program);

}  // namespace crosscut
