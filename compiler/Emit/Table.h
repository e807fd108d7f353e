// The module table of abi.h as bytes in target byte order, and where in it the linker and the last step write.
#pragma once

#include "compiler/Codegen/Program.h"
#include "compiler/Target/Target.h"

#include "llvm/IR/Module.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace crosscut {

struct TableImage {
  struct CodeReference {
    uint32_t at;  // of the xcut_offset that names the code
    std::string symbol;
    bool isKernel;  // xcut_kernel_fn, else xcut_run_fn
  };
  std::vector<uint8_t> bytes;
  std::vector<CodeReference> code;
  uint32_t variantAt = 0;             // of the xcut_variant whose code_bytes the last step fills
  std::vector<uint32_t> functionsAt;  // of each xcut_function_info, whose stack_bytes the last step fills
};

TableImage buildTable(const Program &program, const TargetSpec &spec);

constexpr char tableSymbol[] = "xcut_table";
constexpr char weightsSymbol[] = "xcut_weights";
constexpr char weightsSection[] = ".xcut.weights";

// A module that holds the table as one constant. ELF: code offsets are relative to their field, and an empty section
// keeps the place for the weights' section header. WebAssembly: code offsets are indices into the function table, and
// the weights are data, since a host can only reach what is in the module's memory.
std::unique_ptr<llvm::Module> buildTableModule(const TableImage &table, const Program &program, const TargetSpec &spec,
                                               const llvm::DataLayout &layout, llvm::LLVMContext &context);

}  // namespace crosscut
