// Finds and adapts the embedded bitcode. One file serves all CPUs of an architecture: attributes that name a CPU, and
// module flags that name an ABI, are dropped, so that the module's own TargetMachine decides.
#include "compiler/Builtins/Builtins.h"

#include "llvm/IR/AttributeMask.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/Metadata.h"

using namespace llvm;

#define BUILTINS(X) \
  X(x86_64)         \
  X(i386)           \
  X(arm)            \
  X(armeb) X(aarch64) X(aarch64_be) X(riscv32) X(riscv64) X(wasm32) X(wasm64) X(loongarch64) X(powerpc64le) X(s390x)

// Defined by the assembler file that CMake writes.
#define DECLARE(name)                               \
  extern "C" const char crosscut_builtins_##name[]; \
  extern "C" const char crosscut_builtins_end_##name[];
BUILTINS(DECLARE)

namespace crosscut {

StringRef builtinsBitcode(const Triple &triple) {
#define RETURN(name) return StringRef(crosscut_builtins_##name, crosscut_builtins_end_##name - crosscut_builtins_##name)
  switch (triple.getArch()) {
    case Triple::x86_64: RETURN(x86_64);
    case Triple::x86: RETURN(i386);
    case Triple::arm:
    case Triple::thumb: RETURN(arm);
    case Triple::armeb:
    case Triple::thumbeb: RETURN(armeb);
    case Triple::aarch64: RETURN(aarch64);
    case Triple::aarch64_be: RETURN(aarch64_be);
    case Triple::riscv32: RETURN(riscv32);
    case Triple::riscv64: RETURN(riscv64);
    case Triple::wasm32: RETURN(wasm32);
    case Triple::wasm64: RETURN(wasm64);
    case Triple::loongarch64: RETURN(loongarch64);
    case Triple::ppc64le: RETURN(powerpc64le);
    case Triple::systemz: RETURN(s390x);
    default: return "";
  }
}

void prepareBuiltins(Module &module, const Triple &triple, const DataLayout &layout) {
  module.setTargetTriple(triple);
  module.setDataLayout(layout);
  if (NamedMDNode *flags = module.getModuleFlagsMetadata()) module.eraseNamedMetadata(flags);
  module.setPICLevel(PICLevel::SmallPIC);
  for (Function &function : module) {
    if (function.isIntrinsic()) continue;
    AttributeMask dropped;
    for (const char *name : {"target-cpu", "tune-cpu", "target-features", "frame-pointer",
                             "stack-protector-buffer-size", "no-trapping-math", "probe-stack", "use-soft-float"})
      dropped.addAttribute(name);
    dropped.addAttribute(Attribute::UWTable);
    function.removeFnAttrs(dropped);
    function.setDoesNotThrow();
    function.addFnAttr(Attribute::NoRedZone);
    function.setVisibility(GlobalValue::DefaultVisibility);
  }
}

}  // namespace crosscut
