// The last step: what is only known when the image is linked, and the file itself.
#pragma once

#include "compiler/Emit/Objects.h"
#include "compiler/Emit/Table.h"

namespace crosscut {

// Checks the linked image against what loaders rely on, fills in the table (sizes, where the weights are, checksum) and
// writes image and weights to `path`: to a temporary file beside it, renamed when it is complete.
llvm::Error finishModule(Object &image, const TableImage &table, const std::vector<uint32_t> &stackBytes,
                         const Program &program, const TargetSpec &spec, llvm::StringRef path);

}  // namespace crosscut
