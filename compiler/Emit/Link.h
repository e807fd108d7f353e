// Objects → one image or object, in memory.
#pragma once

#include "compiler/Emit/Objects.h"

namespace crosscut {

// Runs lld. The image has no undefined symbol; ELF images are one read-execute segment from the file's first byte.
llvm::Expected<Object> linkModule(llvm::ArrayRef<Object> objects, const TargetSpec &spec, bool debugSymbols);

// Joins ELF objects into one that is still to be linked.
llvm::Expected<Object> linkObject(llvm::ArrayRef<Object> objects);

}  // namespace crosscut
