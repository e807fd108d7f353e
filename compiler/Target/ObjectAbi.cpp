// The conventions of an object that is linked with the user's. Nothing but pointers and integers crosses its boundary,
// so any of them would work; but linkers refuse to mix objects that say they pass floats differently.
#include "compiler/Target/Features.h"
#include "compiler/Target/Target.h"

#include "crosscut/abi.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace crosscut {

static bool has(const TargetSpec &spec, StringRef feature) {
  return hasFeature(*createSubtarget(spec.triple, spec.cpu, spec.features), feature);
}

static Error unknownAbi(StringRef abi, const TargetSpec &spec, ArrayRef<StringRef> known) {
  return createStringError("--abi=" + abi + ": target '" + spec.triple.str() + "' knows " + llvm::join(known, ", "));
}

// arm-none-eabi-gcc's -mfloat-abi=; without one, what clang takes the triple to mean.
static Error chooseArmAbi(TargetSpec &spec, StringRef abi) {
  static const StringRef known[] = {"soft", "softfp", "hard"};
  Triple::EnvironmentType environment = spec.triple.getEnvironment();
  bool hardTriple =
      environment == Triple::EABIHF || environment == Triple::GNUEABIHF || environment == Triple::MuslEABIHF;
  bool hasUnit = has(spec, "vfp2sp");
  if (abi.empty()) abi = hardTriple ? "hard" : hasUnit ? "softfp" : "soft";
  if (!is_contained(known, abi)) return unknownAbi(abi, spec, known);
  if (abi == "hard" && !hasUnit)
    return createStringError("--abi=hard: CPU '" + spec.cpu + "' has no floating-point unit");
  spec.objectAbi = abi.str();
  spec.codeTriple = Triple(spec.triple.getArchName() + (abi == "hard" ? "-unknown-none-eabihf" : "-unknown-none-eabi"));
  return Error::success();
}

// The compilers' -mabi=; without one, the widest that the CPU has registers for, as the compilers have it.
static Error chooseRiscvAbi(TargetSpec &spec, StringRef abi) {
  std::string base = spec.pointerBits == 64 ? "lp64" : "ilp32";
  bool single = has(spec, "f"), twice = has(spec, "d");
  std::string known[] = {base, base + "f", base + "d"};
  spec.objectAbi = abi.empty() ? base + (twice ? "d" : single ? "f" : "") : abi.str();
  if (!is_contained(known, spec.objectAbi)) return unknownAbi(abi, spec, {known[0], known[1], known[2]});
  if ((abi == known[1] && !single) || (abi == known[2] && !twice))
    return createStringError("--abi=" + abi + ": CPU '" + spec.cpu + "' has no such floating-point registers");
  return Error::success();
}

Expected<TargetSpec> resolveObjectTarget(StringRef target, StringRef cpu, StringRef features, StringRef abi) {
  Expected<TargetSpec> spec = resolveTarget(target, cpu, features);
  if (!spec) return spec;
  if (!spec->triple.isOSBinFormatELF())
    return createStringError("--format=static writes ELF objects, which target '" + spec->triple.str() +
                             "' does not link");
  if (spec->arch == XCUT_ARCH_ARM) {
    // Soft means no floating-point registers at all.
    if (abi == "soft" && has(*spec, "fpregs")) {
      spec = resolveTarget(target, cpu, (features.empty() ? "" : features + ",").str() + "-fpregs");
      if (!spec) return spec;
    }
    if (Error error = chooseArmAbi(*spec, abi)) return std::move(error);
  } else if (spec->triple.isRISCV()) {
    if (Error error = chooseRiscvAbi(*spec, abi)) return std::move(error);
  } else if (!abi.empty()) {
    return createStringError("--abi=" + abi + ": target '" + spec->triple.str() + "' has one ABI only");
  }
  return spec;
}

}  // namespace crosscut
