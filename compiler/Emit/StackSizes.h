// How much stack a module's functions need.
#pragma once

#include "compiler/Emit/Objects.h"

namespace crosscut {

// For each function of `program`, an upper bound of the stack that its entry points and kernels use: 0 where it is not
// known, which is always so for WebAssembly.
llvm::Expected<std::vector<uint32_t>> stackBounds(llvm::ArrayRef<Object> objects, const Program &program);

}  // namespace crosscut
