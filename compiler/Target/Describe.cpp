// The facts that kernels choose their register tiles and cache blocks from. They depend on the named CPU and features
// alone, never on the machine that compiles, so that the same command gives the same module everywhere.
#include "compiler/Target/Facts.h"
#include "compiler/Target/Features.h"
#include "compiler/Target/Target.h"
#include "crosscut/abi.h"

using namespace llvm;

namespace crosscut {

namespace {
struct CacheFacts {
  const char *prefix;  // of LLVM's CPU name; the longest one that fits counts
  unsigned l1KiB, l2KiB, fmaLatency, fmaPipes;
};
}  // namespace

// Data cache sizes as the makers state them; L2 is a core's own, or its share.
static const CacheFacts cacheTable[] = {
    {"sapphirerapids", 48, 2048, 4, 2}, {"emeraldrapids", 48, 2048, 4, 2}, {"graniterapids", 48, 2048, 4, 2},
    {"icelake", 48, 1280, 4, 2},        {"rocketlake", 48, 512, 4, 2},     {"tigerlake", 48, 1280, 4, 1},
    {"alderlake", 48, 1280, 4, 2},      {"raptorlake", 48, 2048, 4, 2},    {"skylake-avx512", 32, 1024, 4, 2},
    {"cascadelake", 32, 1024, 4, 2},    {"cooperlake", 32, 1024, 4, 2},    {"x86-64-v4", 32, 1024, 4, 2},
    {"znver1", 32, 512, 5, 1},          {"znver", 32, 512, 4, 2},          {"znver4", 32, 1024, 4, 1},
    {"znver5", 48, 1024, 4, 2},         {"cortex-a5", 32, 256, 4, 1},      {"cortex-a7", 64, 256, 4, 2},
    {"cortex-a72", 32, 512, 7, 2},      {"cortex-a15", 32, 512, 8, 1},     {"neoverse", 64, 1024, 4, 2},
    {"neoverse-v", 64, 1024, 4, 4},     {"cortex-x", 64, 1024, 4, 4},      {"apple", 128, 4096, 4, 4},
    {"ampere", 64, 1024, 4, 2},         {"cortex-m", 16, 64, 3, 1},        {"sifive-u", 32, 512, 5, 1},
    {"pentium4", 16, 256, 5, 1},
};

static void describeCaches(const TargetSpec &spec, TargetDescription &description) {
  size_t best = 0;
  for (const CacheFacts &facts : cacheTable) {
    StringRef prefix(facts.prefix);
    if (!StringRef(spec.cpu).starts_with(prefix) || prefix.size() < best) continue;
    best = prefix.size();
    description.l1Bytes = facts.l1KiB * 1024;
    description.l2Bytes = facts.l2KiB * 1024;
    description.fmaLatency = facts.fmaLatency;
    description.fmaPipes = facts.fmaPipes;
  }
}

static void setVectors(TargetDescription &description, unsigned bits, unsigned registers, bool fma) {
  description.vectorBits = bits;
  description.vectorRegisters = registers;
  description.hasFma = fma;
}

static void setScalars(TargetDescription &description, unsigned registers, bool fma) {
  setVectors(description, 0, registers, fma);
}

static void describeX86(const TargetSpec &spec, const MCSubtargetInfo &subtarget, TargetDescription &description) {
  bool wide = spec.arch == XCUT_ARCH_X86_64;
  description.fmaPipes = 2;
  // Rows of a tensor are often a power of two apart and then share sets of the first cache, which has eight ways on
  // most of these CPUs: more rows than that throw each other out. (Nine run faster than eight, and 3 % faster than 14.)
  description.maxTileRows = 9;
  description.streamedBytes = wide ? 6 : 2;
  description.hasRounding = hasFeature(subtarget, "sse4.1");
  if (hasFeature(subtarget, "avx512f")) {
    setVectors(description, 512, wide ? 32 : 8, true);
    description.foldsBroadcast = true;
  } else if (hasFeature(subtarget, "avx")) {
    setVectors(description, 256, wide ? 16 : 8, hasFeature(subtarget, "fma"));
  } else {
    setVectors(description, 128, wide ? 16 : 8, false);
  }
}

static void describeArm(const MCSubtargetInfo &subtarget, TargetDescription &description) {
  bool fma = hasFeature(subtarget, "vfp4d16sp");
  description.hasRounding = description.hasMinMaxNum = hasFeature(subtarget, "fp-armv8d16sp");
  if (hasFeature(subtarget, "neon")) {
    // Multiplications by an element of a register are those that round before they add. Where these are slow, every
    // row's value is loaded into a register of its own, and LLVM's scheduler loads several ahead.
    bool byLane = !hasFeature(subtarget, "slowfpvmlx") && !hasFeature(subtarget, "vmlx-hazards");
    setVectors(description, 128, 16, fma);
    description.laneFma = description.laneRounds = byLane;
    if (byLane) description.instructionWeight = 0.25;
    description.spareRegisters = byLane ? 2 : 3;
    description.maxTileRows = 6;
    description.issueWidth = 3;
    description.fmaPipes = 2;
  } else if (hasFeature(subtarget, "mve.fp")) {
    setVectors(description, 128, 8, true);
    description.scalarFma = true;
  } else if (hasFeature(subtarget, "vfp2sp")) {
    setScalars(description, 32, fma);
  } else {
    setScalars(description, 8, false);
  }
}

static void describeRiscv(const TargetSpec &spec, const MCSubtargetInfo &subtarget, TargetDescription &description) {
  bool fp = hasFeature(subtarget, "f");
  description.hasMinMaxNum = fp;
  if (hasFeature(subtarget, "zve32f")) {
    setVectors(description, spec.minVlenBits, 8, true);
    description.vectorGroup = 4;
    description.scalarFma = true;
    description.avoidsVectorRtz = true;
  } else {
    setScalars(description, fp ? 32 : 16, fp);
  }
}

TargetDescription describeTarget(const TargetSpec &spec) {
  TargetDescription description;
  description.indexBits = spec.pointerBits;
  std::unique_ptr<MCSubtargetInfo> subtarget = createSubtarget(spec.triple, spec.cpu, spec.features);
  auto has = [&](StringRef feature) { return hasFeature(*subtarget, feature); };
  switch (spec.arch) {
    case XCUT_ARCH_X86_64:
    case XCUT_ARCH_X86: describeX86(spec, *subtarget, description); break;
    case XCUT_ARCH_ARM: describeArm(*subtarget, description); break;
    case XCUT_ARCH_AARCH64:
      description.hasRounding = description.hasMinMaxNum = has("fp-armv8");
      if (has("neon")) {
        setVectors(description, 128, 32, true);
        description.laneFma = true;
        description.instructionWeight = 0.25;
        description.fmaPipes = 2;
      } else {
        setScalars(description, has("fp-armv8") ? 32 : 16, has("fp-armv8"));
      }
      break;
    case XCUT_ARCH_RISCV32:
    case XCUT_ARCH_RISCV64: describeRiscv(spec, *subtarget, description); break;
    case XCUT_ARCH_WASM32:
    case XCUT_ARCH_WASM64:
      description.hasRounding = true;
      // The engine assigns registers; 16 is what it finds on the smallest machine it has SIMD for. Relaxed SIMD does
      // not count as a fused multiply-add: it may round twice, so LLVM calls fmaf for a true one.
      if (has("simd128")) setVectors(description, 128, 16, false);
      else setScalars(description, 16, false);
      break;
    default:
      if (has("lasx")) setVectors(description, 256, 32, true);
      else if (has("lsx")) setVectors(description, 128, 32, true);
      else if (has("vsx")) setVectors(description, 128, 64, true);
      else if (has("vector-enhancements-1")) setVectors(description, 128, 32, true);
      else setScalars(description, 16, true);
  }
  describeCaches(spec, description);
  // Virtual machines hide features, so that LLVM takes newer CPUs for rocketlake; those with AMX have 2 MiB.
  if (spec.arch == XCUT_ARCH_X86_64 && has("amx-bf16")) description.l2Bytes = 2048 * 1024;
  assumeTunedFacts(spec, description);
  return description;
}

}  // namespace crosscut
