// LLVM's TargetMachine for a TargetSpec, and the lists that the user can ask for.
#include "compiler/Target/Features.h"
#include "compiler/Target/Platforms.h"
#include "compiler/Target/Target.h"
#include "crosscut/abi.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Target/TargetOptions.h"
#include "llvm/TargetParser/Host.h"

using namespace llvm;

namespace crosscut {

// The calling convention inside a module: the widest that the CPU has registers for. Objects follow the user's.
static std::string abiName(const TargetSpec &spec) {
  if (spec.triple.isRISCV() && !spec.objectAbi.empty()) return spec.objectAbi;
  if (!spec.triple.isRISCV()) return spec.triple.isLoongArch() ? "lp64d" : "";
  std::unique_ptr<MCSubtargetInfo> subtarget = createSubtarget(spec.triple, spec.cpu, spec.features);
  std::string base = spec.pointerBits == 64 ? "lp64" : "ilp32";
  if (hasFeature(*subtarget, "d")) return base + "d";
  return hasFeature(*subtarget, "f") ? base + "f" : base;
}

// LLVM has no other way to leave the pass out. Found before a tool removes LLVM's options from its own.
static auto *const loopStrengthReductionOff =
    static_cast<cl::opt<bool> *>(cl::getRegisteredOptions().lookup("disable-lsr"));

void setCodegenOptions(const TargetSpec &spec) {
  bool neon32 =
      spec.arch == XCUT_ARCH_ARM && hasFeature(*createSubtarget(spec.triple, spec.cpu, spec.features), "neon");
  // With 32-bit ARM's few registers, a pointer of its own for each of a loop's loads is one too many.
  if (loopStrengthReductionOff) loopStrengthReductionOff->setValue(neon32);
}

static CodeGenOptLevel codegenLevel(unsigned optLevel) {
  if (optLevel == 0) return CodeGenOptLevel::None;
  return optLevel == 1 ? CodeGenOptLevel::Less : CodeGenOptLevel::Aggressive;
}

Expected<std::unique_ptr<TargetMachine>> createTargetMachine(const TargetSpec &spec, unsigned optLevel) {
  initializeLLVMTargets();
  std::string error;
  const llvm::Target *target = TargetRegistry::lookupTarget(spec.codeTriple, error);
  if (!target) return createStringError(inconvertibleErrorCode(), error);
  TargetOptions options;
  options.FunctionSections = true;
  options.DataSections = true;
  options.EmitAddrsig = false;
  options.EmitStackSizeSection = true;
  options.ExceptionModel = ExceptionHandling::None;
  options.MCOptions.ABIName = abiName(spec);
  if (spec.arch == XCUT_ARCH_ARM)
    options.FloatABIType = spec.codeTriple.getEnvironment() == Triple::EABIHF ? FloatABI::Hard : FloatABI::Soft;
  std::vector<std::string> features;
  if (!spec.features.empty()) features.push_back(spec.features);
  // Some systems keep x18 for themselves, and a module must run on all of them.
  if (spec.arch == XCUT_ARCH_AARCH64) features.push_back("+reserve-x18");
  // The scheduler that knows how many registers are left; by default 32-bit ARM has the one that does not.
  if (spec.arch == XCUT_ARCH_ARM) features.push_back("+use-misched");
  Reloc::Model relocation = spec.triple.isWasm() ? Reloc::Static : Reloc::PIC_;
  std::unique_ptr<TargetMachine> machine(target->createTargetMachine(
      spec.codeTriple, spec.cpu, join(features, ","), options, relocation, std::nullopt, codegenLevel(optLevel)));
  if (!machine) return createStringError(inconvertibleErrorCode(), "LLVM refuses target " + spec.codeTriple.str());
  return machine;
}

void listTargets(raw_ostream &out) {
  size_t width = 0;
  for (const Platform &platform : platforms()) width = std::max(width, strlen(platform.name));
  for (const Platform &platform : platforms())
    out << left_justify(platform.name, width) << "  " << (platform.tested ? "tested      " : "compile-only") << "  "
        << left_justify(platform.triple, 35) << " " << left_justify(platform.cpu, 12) << " " << platform.what << "\n";
  out << "Other triples: any with one of the architectures " << supportedArchitectures() << " (compile-only).\n";
}

Error listCpus(raw_ostream &out, StringRef target) {
  Expected<TargetSpec> spec = resolveTarget(target, "", "");
  if (!spec) return spec.takeError();
  std::unique_ptr<MCSubtargetInfo> subtarget = createSubtarget(spec->triple, "", "");
  std::vector<StringRef> names;
  for (const SubtargetSubTypeKV &description : subtarget->getAllProcessorDescriptions())
    names.push_back(description.Key);
  if (spec->triple.isRISCV()) append_range(names, riscvProfiles());
  for (StringRef name : names) {
    // LLVM lists those of every width and profile together.
    Expected<TargetSpec> fits = resolveTarget(target, name, "");
    if (fits) out << name << (spec->cpu == name ? "  (without --cpu)" : "") << "\n";
    else consumeError(fits.takeError());
  }
  return Error::success();
}

}  // namespace crosscut
