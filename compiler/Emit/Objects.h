// LLVM IR → objects, on several threads.
#pragma once

#include "compiler/Emit/Emit.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/IR/Module.h"

#include <string>
#include <vector>

namespace crosscut {

using Object = llvm::SmallVector<char, 0>;

// Compiles `module` to one object, unoptimised: for data.
llvm::Expected<Object> compileData(llvm::Module &module, const TargetSpec &spec);

// Optimises `module` and compiles it, in parts of a size that does not depend on the machine, so that every machine
// writes the same module. Consumes it.
llvm::Expected<std::vector<Object>> compileCode(std::unique_ptr<llvm::Module> module, const TargetSpec &spec,
                                                const EmitOptions &options);

// Compiles those of the builtins that `objects` leave undefined, directly or through each other, but for those named
// `elsewhere`. Appends nothing when there are none.
llvm::Error addBuiltins(std::vector<Object> &objects, const TargetSpec &spec,
                        llvm::ArrayRef<llvm::StringRef> elsewhere);

}  // namespace crosscut
