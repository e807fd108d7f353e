// Turns what the user typed into one complete TargetSpec, or says what was wrong with it. LLVM aborts on many bad
// combinations (a 32-bit CPU for a 64-bit triple, an M-profile CPU for an A-profile triple), so they are caught here.
#include "compiler/Target/Features.h"
#include "compiler/Target/Platforms.h"
#include "compiler/Target/Target.h"
#include "crosscut/abi.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/ARMTargetParser.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/RISCVISAInfo.h"

using namespace llvm;

namespace crosscut {

static Error problem(const Twine &message) { return createStringError(inconvertibleErrorCode(), message); }

static bool isX86(const Triple &triple) {
  return triple.getArch() == Triple::x86_64 || triple.getArch() == Triple::x86;
}

// Whether code for `triple` runs on this machine. Bare-metal triples are never native.
static bool isNative(const Triple &triple) {
  Triple host(sys::getDefaultTargetTriple());
  return triple.getArch() == host.getArch() && triple.getOS() == host.getOS();
}

// Checks a triple that is not a platform's name. LLVM takes any text as a triple; a word that it does not know is
// an error here, not something to ignore.
static Expected<Triple> parseTriple(StringRef text) {
  Triple triple(Triple::normalize(text));
  auto fail = [&](const Twine &why) {
    std::vector<StringRef> names;
    for (const Platform &platform : platforms()) names.push_back(platform.name);
    return problem("unknown target '" + text + "': " + why + nearMatches(text, names) +
                   " (--list-targets shows the platforms; triples are as compilers know them)");
  };
  if (triple.getArch() == Triple::UnknownArch) return fail("neither a platform nor a triple");
  if (!isSupportedArchitecture(triple))
    return fail("architecture '" + triple.getArchName() + "' is not one of " + supportedArchitectures());
  if (triple.getArch() == Triple::arm && triple.getSubArch() == Triple::NoSubArch && triple.getArchName() != "arm")
    return fail("unknown architecture '" + triple.getArchName() + "'");
  // A name that LLVM knows may carry a version; LLVM ignores any other ending, such as that of "gnuu".
  auto known = [](StringRef name, StringRef canonical, bool recognised) {
    if (name.empty() || name == "unknown" || name == "none" || name == "elf") return true;
    return recognised && name.consume_front(canonical) && name.find_first_not_of("0123456789.") == StringRef::npos;
  };
  StringRef vendor = triple.getVendorName(), os = triple.getOSName(), environment = triple.getEnvironmentName();
  if (!known(vendor, Triple::getVendorTypeName(triple.getVendor()), triple.getVendor() != Triple::UnknownVendor))
    return fail("unknown vendor or operating system '" + vendor + "'");
  if (!known(os, Triple::getOSTypeName(triple.getOS()), triple.getOS() != Triple::UnknownOS))
    return fail("unknown operating system '" + os + "'");
  if (!known(environment, Triple::getEnvironmentTypeName(triple.getEnvironment()),
             triple.getEnvironment() != Triple::UnknownEnvironment))
    return fail("unknown environment '" + environment + "'");
  if (text.split('-').second.empty()) return fail("a triple has more than an architecture");
  return triple;
}

static std::vector<StringRef> cpuNames(const MCSubtargetInfo &subtarget) {
  std::vector<StringRef> names;
  for (const SubtargetSubTypeKV &description : subtarget.getAllProcessorDescriptions())
    names.push_back(description.Key);
  return names;
}

// RISC-V: a profile ("rva22u64") or any other architecture as compilers' -march has it ("rv32imafc_zba") stands for a
// CPU: LLVM's generic one of that width, with these features.
static bool isProfile(const Triple &triple, StringRef cpu) { return triple.isRISCV() && cpu.starts_with("rv"); }

static Expected<std::unique_ptr<RISCVISAInfo>> parseProfile(StringRef name) {
  return RISCVISAInfo::parseArchString(name, /*EnableExperimentalExtension=*/false);
}

static Error checkFeatureList(const MCSubtargetInfo &subtarget, StringRef features, StringRef triple) {
  SmallVector<StringRef> parts;
  features.split(parts, ',', -1, false);
  std::vector<StringRef> known;
  for (const SubtargetFeatureKV &feature : subtarget.getAllProcessorFeatures()) known.push_back(feature.Key);
  for (StringRef part : parts) {
    if (!part.starts_with("+") && !part.starts_with("-"))
      return problem("--features: '" + part + "' starts with neither + nor -");
    StringRef name = part.drop_front();
    if (!is_contained(known, name))
      return problem("unknown feature '" + name + "' of " + triple + nearMatches(name, known));
  }
  return Error::success();
}

// Combinations on which LLVM would abort or produce code that no such machine runs.
static Error checkCombination(const TargetSpec &spec, const MCSubtargetInfo &subtarget) {
  auto fail = [&](const Twine &why) {
    return problem("CPU '" + spec.cpu + "' does not fit target '" + spec.triple.str() + "': " + why);
  };
  const Triple &triple = spec.triple;
  if (triple.getArch() == Triple::x86_64 && !hasFeature(subtarget, "64bit")) return fail("it has no 64-bit mode");
  if (triple.getArch() == Triple::x86 && !hasFeature(subtarget, "sse2")) return fail("kernels need SSE2");
  if (spec.arch == XCUT_ARCH_ARM) {
    bool microcontroller = hasFeature(subtarget, "mclass");
    StringRef arch = triple.getArchName();
    bool forMicrocontrollers = ARM::parseArchProfile(arch) == ARM::ProfileKind::M;
    if (forMicrocontrollers && !microcontroller && spec.cpu != "generic")
      return fail("it is no microcontroller; use an armv7 or aarch64 triple");
    if (microcontroller && !triple.isThumb()) return fail("it runs Thumb code only; use a thumbv*m triple");
    bool hardFloat = triple.getEnvironment() == Triple::EABIHF || triple.getEnvironment() == Triple::GNUEABIHF ||
                     triple.getEnvironment() == Triple::MuslEABIHF;
    if (hardFloat && !hasFeature(subtarget, "vfp2sp"))
      return fail("the triple asks for hard float and the CPU has no floating-point unit");
  }
  if (triple.isRISCV()) {
    if (triple.isArch64Bit() != hasFeature(subtarget, "64bit")) return fail("one is 32 bit, the other 64 bit");
    if (hasFeature(subtarget, "e")) return fail("the embedded base with 16 registers is not supported");
  }
  if (triple.isLoongArch() && !hasFeature(subtarget, "64bit")) return fail("it has no 64-bit mode");
  return Error::success();
}

// The triple that LLVM compiles for: freestanding, whatever the platform's own operating system, since a module imports
// nothing. Hard float where the CPU has it: only pointers and integers cross the module's boundary.
static Triple codeTripleOf(const TargetSpec &spec, const MCSubtargetInfo &subtarget) {
  std::string arch = spec.triple.getArchName().str();
  if (spec.triple.isWasm()) return Triple(arch + "-unknown-unknown");
  if (spec.arch == XCUT_ARCH_X86) return Triple("i386-pc-linux-elf");
  if (spec.arch == XCUT_ARCH_ARM)
    return Triple(arch + (hasFeature(subtarget, "vfp2sp") ? "-unknown-none-eabihf" : "-unknown-none-eabi"));
  return Triple(arch + "-pc-linux-elf");
}

static uint32_t vectorLengthOf(const Triple &triple, const MCSubtargetInfo &subtarget) {
  if (!triple.isRISCV() || !hasFeature(subtarget, "zve32x")) return 0;
  uint32_t bits = 32;
  for (uint32_t length = 64; length <= 65536; length *= 2)
    if (hasFeature(subtarget, ("zvl" + Twine(length) + "b").str())) bits = length;
  return bits;
}

// On ARM the floating-point unit is an option of most CPUs, and LLVM leaves it out unless told: what clang and gcc
// take as present, this does too.
static std::string usualArmFeatures(const TargetSpec &spec) {
  ARM::ArchKind arch = spec.cpu == "generic" ? ARM::parseArch(spec.triple.getArchName()) : ARM::parseCPUArch(spec.cpu);
  std::vector<StringRef> features;
  ARM::getFPUFeatures(ARM::getDefaultFPU(spec.cpu, arch), features);
  return join(features, ",");
}

// The CPU and its features before the user's own: the platform's, this machine's, or what the user named.
static Error chooseCpu(TargetSpec &spec, const Platform *platform, StringRef cpu, std::string &features) {
  CpuDefault named = platform ? CpuDefault{platform->cpu, platform->features} : defaultCpu(spec.triple);
  // Only a native build without a platform's own features means this machine: riscv64-v256-linux says what it is.
  bool native = isNative(spec.triple) && (!platform || platform->features[0] == 0);
  if (cpu == "host" || (cpu.empty() && native)) {
    Triple host(sys::getDefaultTargetTriple());
    if (host.getArch() != spec.triple.getArch() && !(isX86(host) && isX86(spec.triple)))
      return problem("CPU 'host' asks for this machine, which is " + host.getArchName() + ", not " +
                     spec.triple.getArchName());
    spec.cpu = sys::getHostCPUName().str();
    if (spec.cpu.empty() || spec.cpu == "generic") spec.cpu = named.cpu;
    for (const auto &feature : sys::getHostCPUFeatures())
      features += (feature.getValue() ? ",+" : ",-") + feature.getKey().str();
    return Error::success();
  }
  if (cpu.empty()) {
    spec.cpu = named.cpu;
    features = named.features;
    return Error::success();
  }
  spec.cpu = cpu.str();
  if (isProfile(spec.triple, cpu)) {
    auto profile = parseProfile(cpu);
    if (!profile) return profile.takeError();
    spec.cpu = (*profile)->getXLen() == 64 ? "generic-rv64" : "generic-rv32";
    features = (platform ? platform->features + std::string(",") : "") + join((*profile)->toFeatures(), ",");
    return Error::success();
  }
  // RISC-V: what a distribution's ABI asks for, and the VLEN in the platform's name, hold for every CPU.
  if (spec.triple.isRISCV()) {
    if (platform || cpu == "generic" || cpu == named.cpu) features = named.features;
    if (cpu == "generic") spec.cpu = named.cpu;
  } else if (cpu == named.cpu) {
    features = named.features;
  }
  return Error::success();
}

Expected<TargetSpec> resolveTarget(StringRef target, StringRef cpu, StringRef userFeatures) {
  initializeLLVMTargets();
  TargetSpec spec;
  const Platform *platform = findPlatform(target);
  if (target.empty()) {
    spec.triple = Triple(sys::getDefaultTargetTriple());
    if (!isSupportedArchitecture(spec.triple))
      return problem("this machine's architecture, " + spec.triple.getArchName() +
                     ", is not supported; name a target with --target");
  } else if (platform) {
    spec.triple = Triple(platform->triple);
    spec.platform = platform->name;
  } else {
    Expected<Triple> triple = parseTriple(target);
    if (!triple) return triple.takeError();
    spec.triple = *triple;
  }
  spec.arch = moduleArchitecture(spec.triple);

  std::unique_ptr<MCSubtargetInfo> any = createSubtarget(spec.triple, "", "");
  if (!any) return problem("this LLVM has no back end for '" + spec.triple.str() + "'");
  std::vector<StringRef> cpus = cpuNames(*any);
  bool named = cpu.empty() || cpu == "host" || cpu == "generic" || is_contained(cpus, cpu);
  if (!named && isProfile(spec.triple, cpu)) {
    auto profile = parseProfile(cpu);
    if (!profile)
      return problem("unknown CPU '" + cpu + "': " + toString(profile.takeError()) + nearMatches(cpu, riscvProfiles()));
    named = true;
  }
  if (!named)
    return problem("unknown CPU '" + cpu + "' for target '" + spec.triple.str() + "'" + nearMatches(cpu, cpus) +
                   " (--list-cpus shows all)");
  if (Error error = checkFeatureList(*any, userFeatures, spec.triple.str())) return std::move(error);

  std::string features;
  if (Error error = chooseCpu(spec, platform, cpu, features)) return std::move(error);
  if (spec.arch == XCUT_ARCH_ARM && features.empty()) features = usualArmFeatures(spec);
  if (!userFeatures.empty()) features += (features.empty() ? "" : ",") + userFeatures.str();

  std::unique_ptr<MCSubtargetInfo> subtarget = createSubtarget(spec.triple, spec.cpu, features);
  if (Error error = checkCombination(spec, *subtarget)) return std::move(error);
  spec.features = featureDifference(spec.triple, spec.cpu, *subtarget) + tuningPart(*subtarget, userFeatures);
  if (StringRef(spec.features).starts_with(",")) spec.features.erase(0, 1);
  spec.requiredFeatures = moduleFeatureBits(spec.triple, *subtarget);
  spec.minVlenBits = vectorLengthOf(spec.triple, *subtarget);
  spec.littleEndian = spec.triple.isLittleEndian();
  spec.pointerBits = spec.triple.getArchPointerBitWidth();
  spec.codeTriple = codeTripleOf(spec, *subtarget);
  return spec;
}

}  // namespace crosscut
