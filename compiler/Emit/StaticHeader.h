// The C header of a statically linked model.
#pragma once

#include "compiler/Emit/StaticInterface.h"
#include "compiler/Target/Target.h"

namespace crosscut {

// Somewhere in the first lines of every header.
constexpr char headerMark[] = "// Written by crosscut ";

// Valid C99 and C++11, whatever the model's names are. `objectName` is the file that it goes with.
std::string staticHeader(const StaticInterface &interface, const Program &program, const TargetSpec &spec,
                         llvm::ArrayRef<uint32_t> stackBytes, llvm::StringRef objectName);

}  // namespace crosscut
