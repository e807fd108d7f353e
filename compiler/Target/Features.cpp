// LLVM knows every feature of every CPU; the module format numbers those that decide whether code may run. This file is
// the only place that knows both.
#include "compiler/Target/Features.h"

#include <mutex>

#include "crosscut/abi.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"

using namespace llvm;

namespace crosscut {

#define CROSSCUT_TARGETS(X) X(X86) X(AArch64) X(ARM) X(RISCV) X(WebAssembly) X(LoongArch) X(PowerPC) X(SystemZ)

void initializeLLVMTargets() {
  static std::once_flag once;
  std::call_once(once, [] {
#define INITIALIZE(name)              \
  LLVMInitialize##name##TargetInfo(); \
  LLVMInitialize##name##Target();     \
  LLVMInitialize##name##TargetMC();   \
  LLVMInitialize##name##AsmPrinter(); \
  LLVMInitialize##name##AsmParser();
    CROSSCUT_TARGETS(INITIALIZE)
#undef INITIALIZE
  });
}

// What a CPU is tuned for says nothing about what it can run. LLVM lists both kinds as features; tuning is what CPUs
// have on the side of tuning only.
static FeatureBitset tuningFeatures(const MCSubtargetInfo &subtarget) {
  FeatureBitset tuning, ability;
  for (const SubtargetSubTypeKV &description : subtarget.getAllProcessorDescriptions()) {
    tuning |= description.TuneImplies.getAsBitset();
    ability |= description.Implies.getAsBitset();
  }
  return tuning & ~ability;
}

std::unique_ptr<MCSubtargetInfo> createSubtarget(const Triple &triple, StringRef cpu, StringRef features) {
  initializeLLVMTargets();
  std::string error;
  const llvm::Target *target = TargetRegistry::lookupTarget(triple, error);
  if (!target) return nullptr;
  std::unique_ptr<MCSubtargetInfo> subtarget(target->createMCSubtargetInfo(triple, cpu, features));
  if (subtarget) subtarget->setFeatureBits(subtarget->getFeatureBits() & ~tuningFeatures(*subtarget));
  return subtarget;
}

std::string tuningPart(const MCSubtargetInfo &subtarget, StringRef features) {
  FeatureBitset tuning = tuningFeatures(subtarget);
  std::string part;
  for (StringRef feature : split(features, ','))
    for (const SubtargetFeatureKV &known : subtarget.getAllProcessorFeatures())
      if (feature.drop_front(!feature.empty()) == known.Key && tuning[known.Value]) part += ("," + feature).str();
  return part;
}

bool hasFeature(const MCSubtargetInfo &subtarget, StringRef name) {
  ArrayRef<SubtargetFeatureKV> features = subtarget.getAllProcessorFeatures();
  const SubtargetFeatureKV *found = lower_bound(features, name);
  return found != features.end() && name == found->Key && subtarget.hasFeature(found->Value);
}

namespace {
struct FeatureBit {
  unsigned bit;
  const char *name;
};
}  // namespace

// AMX is left out on purpose: LLVM uses it through intrinsics alone, which the kernels do not contain, and Linux asks
// each process to request it.
static const FeatureBit x86Bits[] = {
    {XCUT_X86_SSE2, "sse2"},
    {XCUT_X86_SSE3, "sse3"},
    {XCUT_X86_SSSE3, "ssse3"},
    {XCUT_X86_SSE41, "sse4.1"},
    {XCUT_X86_SSE42, "sse4.2"},
    {XCUT_X86_POPCNT, "popcnt"},
    {XCUT_X86_AVX, "avx"},
    {XCUT_X86_F16C, "f16c"},
    {XCUT_X86_FMA, "fma"},
    {XCUT_X86_AVX2, "avx2"},
    {XCUT_X86_BMI, "bmi"},
    {XCUT_X86_BMI2, "bmi2"},
    {XCUT_X86_LZCNT, "lzcnt"},
    {XCUT_X86_MOVBE, "movbe"},
    {XCUT_X86_AVX512F, "avx512f"},
    {XCUT_X86_AVX512BW, "avx512bw"},
    {XCUT_X86_AVX512CD, "avx512cd"},
    {XCUT_X86_AVX512DQ, "avx512dq"},
    {XCUT_X86_AVX512VL, "avx512vl"},
    {XCUT_X86_AVX512VNNI, "avx512vnni"},
    {XCUT_X86_AVX512BF16, "avx512bf16"},
    {XCUT_X86_AVX512FP16, "avx512fp16"},
    {XCUT_X86_AVXVNNI, "avxvnni"},
    {XCUT_X86_AVX512VBMI, "avx512vbmi"},
    {XCUT_X86_AVX512VBMI2, "avx512vbmi2"},
    {XCUT_X86_AVX512IFMA, "avx512ifma"},
    {XCUT_X86_AVX512BITALG, "avx512bitalg"},
    {XCUT_X86_AVX512VPOPCNTDQ, "avx512vpopcntdq"},
    {XCUT_X86_GFNI, "gfni"},
    {XCUT_X86_VAES, "vaes"},
    {XCUT_X86_VPCLMULQDQ, "vpclmulqdq"},
    {XCUT_X86_ADX, "adx"},
    {XCUT_X86_CMOV, "cmov"},
};
static const FeatureBit armBits[] = {
    {XCUT_ARM_VFP2, "vfp2sp"}, {XCUT_ARM_VFP3, "vfp3d16sp"}, {XCUT_ARM_VFP4, "vfp4d16sp"},
    {XCUT_ARM_NEON, "neon"},   {XCUT_ARM_FP16, "fp16"},      {XCUT_ARM_DOTPROD, "dotprod"},
    {XCUT_ARM_MVE, "mve"},     {XCUT_ARM_MVE_FP, "mve.fp"},  {XCUT_ARM_FULLFP16, "fullfp16"},
    {XCUT_ARM_DSP, "dsp"},     {XCUT_ARM_THUMB2, "thumb2"},
};
static const FeatureBit aarch64Bits[] = {
    {XCUT_AARCH64_FP_ASIMD, "neon"}, {XCUT_AARCH64_FULLFP16, "fullfp16"}, {XCUT_AARCH64_DOTPROD, "dotprod"},
    {XCUT_AARCH64_I8MM, "i8mm"},     {XCUT_AARCH64_BF16, "bf16"},         {XCUT_AARCH64_SVE, "sve"},
    {XCUT_AARCH64_SVE2, "sve2"},     {XCUT_AARCH64_LSE, "lse"},           {XCUT_AARCH64_CRC, "crc"},
    {XCUT_AARCH64_RDM, "rdm"},       {XCUT_AARCH64_RCPC, "rcpc"},
};
static const FeatureBit riscvBits[] = {
    {XCUT_RISCV_M, "m"},     {XCUT_RISCV_A, "a"},     {XCUT_RISCV_F, "f"},     {XCUT_RISCV_D, "d"},
    {XCUT_RISCV_C, "c"},     {XCUT_RISCV_V, "v"},     {XCUT_RISCV_ZFH, "zfh"}, {XCUT_RISCV_ZVFH, "zvfh"},
    {XCUT_RISCV_ZBA, "zba"}, {XCUT_RISCV_ZBB, "zbb"}, {XCUT_RISCV_ZBS, "zbs"},
};

uint32_t moduleArchitecture(const Triple &triple) {
  switch (triple.getArch()) {
    case Triple::x86_64: return XCUT_ARCH_X86_64;
    case Triple::x86: return XCUT_ARCH_X86;
    case Triple::arm:
    case Triple::armeb:
    case Triple::thumb:
    case Triple::thumbeb: return XCUT_ARCH_ARM;
    case Triple::aarch64:
    case Triple::aarch64_be: return XCUT_ARCH_AARCH64;
    case Triple::riscv32: return XCUT_ARCH_RISCV32;
    case Triple::riscv64: return XCUT_ARCH_RISCV64;
    case Triple::wasm32: return XCUT_ARCH_WASM32;
    case Triple::wasm64: return XCUT_ARCH_WASM64;
    default: return XCUT_ARCH_OTHER;
  }
}

uint64_t moduleFeatureBits(const Triple &triple, const MCSubtargetInfo &subtarget) {
  ArrayRef<FeatureBit> table;
  uint64_t bits = 0;
  switch (moduleArchitecture(triple)) {
    case XCUT_ARCH_X86_64:
    case XCUT_ARCH_X86: table = x86Bits; break;
    case XCUT_ARCH_ARM:
      table = armBits;
      // Two features in LLVM, by instruction set; code only ever uses that of its own.
      if (hasFeature(subtarget, triple.isThumb() ? "hwdiv" : "hwdiv-arm")) bits |= UINT64_C(1) << XCUT_ARM_IDIV;
      break;
    case XCUT_ARCH_AARCH64: table = aarch64Bits; break;
    case XCUT_ARCH_RISCV32:
    case XCUT_ARCH_RISCV64: table = riscvBits; break;
    default: break;
  }
  for (const FeatureBit &feature : table)
    if (hasFeature(subtarget, feature.name)) bits |= UINT64_C(1) << feature.bit;
  return bits;
}

std::string featureDifference(const Triple &triple, StringRef cpu, const MCSubtargetInfo &subtarget) {
  std::unique_ptr<MCSubtargetInfo> baseline = createSubtarget(triple, "", "");
  std::unique_ptr<MCSubtargetInfo> own = createSubtarget(triple, cpu, "");
  std::vector<std::string> difference;
  for (const SubtargetFeatureKV &feature : subtarget.getAllProcessorFeatures()) {
    bool here = subtarget.hasFeature(feature.Value);
    if (here && !baseline->hasFeature(feature.Value)) difference.push_back((Twine("+") + feature.Key).str());
    if (!here && (baseline->hasFeature(feature.Value) || own->hasFeature(feature.Value)))
      difference.push_back((Twine("-") + feature.Key).str());
  }
  return join(difference, ",");
}

// Leaves out what follows from the rest of a list: an added feature that another one implies, a removed one that needs
// another one.
static std::vector<std::string> withoutConsequences(ArrayRef<const SubtargetFeatureKV *> features, bool added,
                                                    const MCSubtargetInfo &subtarget) {
  std::vector<FeatureBitset> implied;
  for (const SubtargetFeatureKV *feature : features) {
    MCSubtargetInfo only(subtarget);
    only.setFeatureBits(FeatureBitset());
    implied.push_back(only.SetFeatureBitsTransitively(FeatureBitset({feature->Value})));
  }
  std::vector<std::string> kept;
  for (size_t i = 0; i < features.size(); ++i) {
    bool follows = false;
    for (size_t j = 0; j < features.size(); ++j) {
      bool forward = implied[j][features[i]->Value], backward = implied[i][features[j]->Value];
      if (i != j && (added ? forward : backward) && (j < i || forward != backward)) follows = true;
    }
    if (!follows) kept.push_back((Twine(added ? "+" : "-") + features[i]->Key).str());
  }
  return kept;
}

std::string featuresBeyondCpu(const TargetSpec &spec) {
  std::unique_ptr<MCSubtargetInfo> all = createSubtarget(spec.triple, spec.cpu, spec.features);
  std::unique_ptr<MCSubtargetInfo> own = createSubtarget(spec.triple, spec.cpu, "");
  std::vector<const SubtargetFeatureKV *> added, removed;
  for (const SubtargetFeatureKV &feature : all->getAllProcessorFeatures()) {
    bool here = all->hasFeature(feature.Value), there = own->hasFeature(feature.Value);
    if (here && !there) added.push_back(&feature);
    if (!here && there) removed.push_back(&feature);
  }
  std::vector<std::string> beyond = withoutConsequences(added, true, *all);
  for (std::string &feature : withoutConsequences(removed, false, *all)) beyond.push_back(std::move(feature));
  return beyond.empty() ? "of that CPU" : join(beyond, ",");
}

std::string nearMatches(StringRef name, ArrayRef<StringRef> candidates) {
  std::vector<std::pair<unsigned, StringRef>> ranked;
  unsigned limit = std::max<unsigned>(2, name.size() / 3);
  for (StringRef candidate : candidates) {
    unsigned distance = StringRef(candidate.lower()).edit_distance(name.lower(), true, limit + 1);
    if (distance > limit && !name.empty() && candidate.contains(name)) distance = limit;
    if (distance <= limit) ranked.push_back({distance, candidate});
  }
  llvm::sort(ranked);
  if (ranked.size() > 5) ranked.resize(5);
  if (ranked.empty()) return "";
  std::string text = "; did you mean ";
  for (size_t i = 0; i < ranked.size(); ++i) text += (i ? ", " : "") + ranked[i].second.str();
  return text + "?";
}

}  // namespace crosscut
