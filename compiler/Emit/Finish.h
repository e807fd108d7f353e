// The last step of an ELF or WebAssembly module: what is only known when the image is linked.
#pragma once

#include "compiler/Emit/Objects.h"
#include "compiler/Emit/Table.h"

namespace crosscut {

// Checks the linked image against what loaders rely on and fills in the table (sizes, where the weights are, checksum).
// Returns the offset at which the weights follow the image in the file, 0 when none do.
llvm::Expected<uint64_t> finishModule(Object &image, const TableImage &table, const std::vector<uint32_t> &stackBytes,
                                      const Program &program, const TargetSpec &spec);

}  // namespace crosscut
