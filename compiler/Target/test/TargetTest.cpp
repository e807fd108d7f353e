// What target names resolve to, and what is refused: the tables that users rely on.
#include "compiler/Target/Features.h"
#include "compiler/Target/Platforms.h"
#include "compiler/Target/Target.h"
#include "compiler/Target/test/Check.h"
#include "crosscut/abi.h"
#include "llvm/IR/DataLayout.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"

using namespace crosscut;
using namespace crosscut::test;
using namespace llvm;

static TargetSpec resolved(StringRef target, StringRef cpu = "", StringRef features = "") {
  Expected<TargetSpec> spec = resolveTarget(target, cpu, features);
  if (spec) return *spec;
  expect(false, target + " with CPU '" + cpu + "' resolves, but: " + toString(spec.takeError()));
  return {};
}

static bool needs(const TargetSpec &spec, unsigned bit) { return spec.requiredFeatures >> bit & 1; }

struct Expectation {
  const char *target, *cpu;              // as given
  const char *resolvedCpu, *codeTriple;  // as resolved
  unsigned vectorBits, vectorRegisters, lanes, minVlen, indexBits;
  bool fma, littleEndian;
};

static const Expectation expectations[] = {
    {"x86_64-linux", "x86-64-v3", "x86-64-v3", "x86_64-pc-linux-elf", 256, 16, 8, 0, 64, true, true},
    {"x86_64-linux-gnu", "x86-64-v4", "x86-64-v4", "x86_64-pc-linux-elf", 512, 32, 16, 0, 64, true, true},
    {"x86_64-linux-gnu", "x86-64", "x86-64", "x86_64-pc-linux-elf", 128, 16, 4, 0, 64, false, true},
    {"x86_64-linux-gnu", "generic", "generic", "x86_64-pc-linux-elf", 128, 16, 4, 0, 64, false, true},
    {"x86_64-linux-gnu", "sandybridge", "sandybridge", "x86_64-pc-linux-elf", 256, 16, 8, 0, 64, false, true},
    {"x86_64-pc-windows-msvc", "", "x86-64-v3", "x86_64-pc-linux-elf", 256, 16, 8, 0, 64, true, true},
    {"i686-linux", "", "pentium4", "i386-pc-linux-elf", 128, 8, 4, 0, 32, false, true},
    {"i386-linux-gnu", "", "pentium4", "i386-pc-linux-elf", 128, 8, 4, 0, 32, false, true},
    {"armv7-linux", "", "cortex-a15", "armv7-unknown-none-eabihf", 128, 16, 4, 0, 32, true, true},
    {"armv7-linux-gnueabihf", "cortex-a9", "cortex-a9", "armv7-unknown-none-eabihf", 128, 16, 4, 0, 32, false, true},
    {"aarch64-linux", "", "cortex-a76", "aarch64-pc-linux-elf", 128, 32, 4, 0, 64, true, true},
    {"aarch64-linux-gnu", "", "cortex-a76", "aarch64-pc-linux-elf", 128, 32, 4, 0, 64, true, true},
    {"aarch64-none-elf", "cortex-a53", "cortex-a53", "aarch64-pc-linux-elf", 128, 32, 4, 0, 64, true, true},
    {"riscv64-linux", "", "generic-rv64", "riscv64-pc-linux-elf", 0, 32, 1, 0, 64, true, true},
    {"riscv64-linux-gnu", "generic-rv64", "generic-rv64", "riscv64-pc-linux-elf", 0, 32, 1, 0, 64, true, true},
    {"riscv64-v128-linux", "", "generic-rv64", "riscv64-pc-linux-elf", 128, 8, 16, 128, 64, true, true},
    {"riscv64-v256-linux", "", "generic-rv64", "riscv64-pc-linux-elf", 256, 8, 32, 256, 64, true, true},
    {"riscv64-v512-linux", "", "generic-rv64", "riscv64-pc-linux-elf", 512, 8, 64, 512, 64, true, true},
    {"cortex-m4", "", "cortex-m4", "thumbv7em-unknown-none-eabihf", 0, 32, 1, 0, 32, true, true},
    {"thumbv7em-none-eabihf", "", "cortex-m4", "thumbv7em-unknown-none-eabihf", 0, 32, 1, 0, 32, true, true},
    {"thumbv7m-none-eabi", "", "cortex-m3", "thumbv7m-unknown-none-eabi", 0, 8, 1, 0, 32, false, true},
    {"thumbv6m-none-eabi", "", "cortex-m0", "thumbv6m-unknown-none-eabi", 0, 8, 1, 0, 32, false, true},
    {"thumbv8.1m.main-none-eabihf", "", "cortex-m55", "thumbv8.1m.main-unknown-none-eabihf", 128, 8, 4, 0, 32, true,
     true},
    {"riscv32-unknown-elf", "", "generic-rv32", "riscv32-pc-linux-elf", 0, 16, 1, 0, 32, false, true},
    {"wasm32", "", "lime1", "wasm32-unknown-unknown", 128, 16, 4, 0, 32, false, true},
    {"wasm32-unknown-unknown", "mvp", "mvp", "wasm32-unknown-unknown", 0, 16, 1, 0, 32, false, true},
    {"armeb-linux", "", "cortex-a15", "armebv7-unknown-none-eabihf", 128, 16, 4, 0, 32, true, false},
    {"aarch64_be-linux", "", "cortex-a76", "aarch64_be-pc-linux-elf", 128, 32, 4, 0, 64, true, false},
    {"riscv32-linux", "", "generic-rv32", "riscv32-pc-linux-elf", 0, 32, 1, 0, 32, true, true},
    {"wasm64", "", "lime1", "wasm64-unknown-unknown", 128, 16, 4, 0, 64, false, true},
    {"loongarch64-linux", "", "la464", "loongarch64-pc-linux-elf", 256, 32, 8, 0, 64, true, true},
    {"powerpc64le-linux", "", "pwr9", "powerpc64le-pc-linux-elf", 128, 64, 4, 0, 64, true, true},
    {"s390x-linux", "", "z14", "s390x-pc-linux-elf", 128, 32, 4, 0, 64, true, false},
};

static void namesResolveAsTheTableSays() {
  for (const Expectation &e : expectations) {
    TargetSpec spec = resolved(e.target, e.cpu);
    if (spec.cpu.empty()) continue;
    TargetDescription description = describeTarget(spec);
    std::string what = (Twine(e.target) + " " + e.cpu).str();
    expectEqual(what + " CPU", spec.cpu, e.resolvedCpu);
    expectEqual(what + " code triple", spec.codeTriple.str(), e.codeTriple);
    expectEqual(what + " vector bits", Twine(description.vectorBits), Twine(e.vectorBits));
    expectEqual(what + " registers", Twine(description.vectorRegisters), Twine(e.vectorRegisters));
    expectEqual(what + " lanes", Twine(description.lanes()), Twine(e.lanes));
    expectEqual(what + " VLEN", Twine(spec.minVlenBits), Twine(e.minVlen));
    expectEqual(what + " index bits", Twine(description.indexBits), Twine(e.indexBits));
    expectEqual(what + " FMA", Twine(description.hasFma), Twine(e.fma));
    expectEqual(what + " little-endian", Twine(spec.littleEndian), Twine(e.littleEndian));
  }
}

static void everyPlatformHasAMachineOfItsPointerSizeAndByteOrder() {
  for (const Platform &platform : platforms()) {
    TargetSpec spec = resolved(platform.name);
    if (spec.cpu.empty()) continue;
    auto machine = createTargetMachine(spec, 2);
    expect(bool(machine), Twine(platform.name) + " has a target machine");
    if (!machine) continue;
    DataLayout layout = (*machine)->createDataLayout();
    expect(layout.getPointerSizeInBits() == spec.pointerBits, Twine(platform.name) + ": pointer size");
    expect(layout.isLittleEndian() == spec.littleEndian, Twine(platform.name) + ": byte order");
  }
}

static void thisMachineIsTheDefaultAndNeverGeneric() {
  TargetSpec spec = resolved("");
  expectEqual("native triple", spec.triple.str(), sys::getDefaultTargetTriple());
  expect(spec.cpu != "generic", "the native CPU is named");
  TargetSpec named = resolved(spec.triple.str());
  expectEqual("the native triple means this machine", named.cpu + named.features, spec.cpu + spec.features);
  TargetSpec again = resolved("", spec.cpu, spec.features);
  expectEqual("features name what was resolved", again.features, spec.features);
  expect(again.requiredFeatures == spec.requiredFeatures, "features carry every required bit");
}

static void requiredFeaturesFollowCpuAndFlags() {
  TargetSpec v3 = resolved("x86_64-linux", "x86-64-v3");
  for (unsigned bit : {XCUT_X86_SSE2, XCUT_X86_AVX, XCUT_X86_AVX2, XCUT_X86_FMA, XCUT_X86_BMI2, XCUT_X86_LZCNT,
                       XCUT_X86_MOVBE, XCUT_X86_CMOV})
    expect(needs(v3, bit), "x86-64-v3 needs bit " + Twine(bit));
  expect(!needs(v3, XCUT_X86_AVX512F), "x86-64-v3 does not need AVX-512");
  expect(!needs(resolved("x86_64-linux", "x86-64-v3", "-fma"), XCUT_X86_FMA), "-fma removes the bit");
  TargetSpec dot = resolved("aarch64-linux", "cortex-a53", "+dotprod");
  expect(needs(dot, XCUT_AARCH64_DOTPROD) && needs(dot, XCUT_AARCH64_FP_ASIMD), "+dotprod adds the bit");
  expectContains("+dotprod is shown", dot.features, "+dotprod");
  expectEqual("tuning is kept when asked for", resolved("x86_64-linux", "x86-64", "+prefer-256-bit").features,
              resolved("x86_64-linux", "x86-64").features + ",+prefer-256-bit");
  expect(!StringRef(resolved("x86_64-linux", "x86-64").features).contains("fast-"), "tuning is not a feature");
  TargetSpec rv = resolved("riscv64-v256-linux");
  for (unsigned bit : {XCUT_RISCV_M, XCUT_RISCV_A, XCUT_RISCV_F, XCUT_RISCV_D, XCUT_RISCV_C, XCUT_RISCV_V})
    expect(needs(rv, bit), "rv64gcv needs bit " + Twine(bit));
  TargetSpec a15 = resolved("armv7-linux");
  for (unsigned bit : {XCUT_ARM_NEON, XCUT_ARM_VFP4, XCUT_ARM_IDIV})
    expect(needs(a15, bit), "cortex-a15 needs bit " + Twine(bit));
}

static void profilesStandForCpusOfTheirWidth() {
  TargetSpec rva22 = resolved("riscv64-unknown-elf", "rva22u64");
  expectEqual("a profile's CPU", rva22.cpu, "generic-rv64");
  for (unsigned bit : {XCUT_RISCV_M, XCUT_RISCV_A, XCUT_RISCV_F, XCUT_RISCV_D, XCUT_RISCV_C, XCUT_RISCV_ZBA,
                       XCUT_RISCV_ZBB, XCUT_RISCV_ZBS})
    expect(needs(rva22, bit), "rva22u64 needs bit " + Twine(bit));
  expect(!needs(rva22, XCUT_RISCV_V), "rva22u64 has no vectors");
  TargetSpec rva23 = resolved("riscv64-unknown-elf", "rva23u64");
  expect(needs(rva23, XCUT_RISCV_V) && rva23.minVlenBits == 128, "rva23u64 has vectors of 128 bits or more");
  TargetSpec base = resolved("riscv64-unknown-elf", "rvi20u64");
  expect(!needs(base, XCUT_RISCV_M) && !needs(base, XCUT_RISCV_F), "rvi20u64 is the base alone");
  TargetSpec custom = resolved("riscv32-unknown-elf", "rv32imafc_zba");
  expect(needs(custom, XCUT_RISCV_F) && needs(custom, XCUT_RISCV_ZBA) && !needs(custom, XCUT_RISCV_D),
         "as -march says");
  // What the platform's name says holds beside it.
  expectEqual("VLEN of the platform", Twine(resolved("riscv64-v256-linux", "rva22u64").minVlenBits), Twine(256));
  expect(needs(resolved("rv64gc", "rva22u64", "-zba"), XCUT_RISCV_ZBB), "features are taken away from a profile");
  expect(!needs(resolved("rv64gc", "rva22u64", "-zba"), XCUT_RISCV_ZBA), "features are taken away from a profile");
}

static void onlyCpusThatFitAreListed() {
  auto listed = [](StringRef target) {
    std::string text;
    raw_string_ostream out(text);
    if (Error error = listCpus(out, target)) expect(false, target + ": " + toString(std::move(error)));
    return "\n" + text;
  };
  auto has = [&](StringRef target, StringRef cpu, bool wanted) {
    bool there = StringRef(listed(target)).contains(("\n" + cpu + "\n").str());
    expect(there == wanted, target + (wanted ? " lists " : " does not list ") + cpu);
  };
  has("thumbv8.1m.main-none-eabihf", "cortex-m85", true);
  has("thumbv8.1m.main-none-eabihf", "cortex-a9", false);
  has("armv7-linux", "cortex-a9", true);
  has("armv7-linux", "cortex-m4", false);
  has("riscv64-linux", "rva22u64", true);
  has("riscv64-linux", "rvi20u32", false);
  has("riscv32-unknown-elf", "rvi20u32", true);
  has("riscv32-unknown-elf", "sifive-u74", false);
}

static void whatIsPrintedNamesOnlyWhatMatters() {
  expectEqual("nothing beyond the CPU", featuresBeyondCpu(resolved("aarch64-linux")), "of that CPU");
  expectEqual("rv64gcv", featuresBeyondCpu(resolved("riscv64-v256-linux")), "+a,+c,+m,+v,+zvl256b");
  expectEqual("removal", featuresBeyondCpu(resolved("x86_64-linux", "x86-64-v3", "-avx2,+gfni")), "+gfni,-avx2");
}

static void mistakesAreNamed() {
  struct {
    const char *target, *cpu, *features, *message;
  } cases[] = {
      {"x87_64-linux", "", "", "did you mean x86_64-linux"},
      {"aarch64-linus", "", "", "did you mean aarch64-linux"},
      {"armv17-linux-gnueabihf", "", "", "unknown target"},
      {"aarch64-linux-gnuu", "", "", "unknown environment 'gnuu'"},
      {"mips-linux-gnu", "", "", "architecture 'mips' is not one of"},
      {"aarch64", "", "", "more than an architecture"},
      {"", "no-such-cpu", "", "unknown CPU 'no-such-cpu'"},
      {"aarch64-linux", "cortex-a77x", "", "did you mean cortex-a7"},
      {"aarch64-linux", "x86-64-v3", "", "unknown CPU 'x86-64-v3'"},
      {"x86_64-linux", "pentium4", "", "it has no 64-bit mode"},
      {"i686-linux", "i486", "", "kernels need SSE2"},
      {"armv7-linux", "cortex-m4", "", "Thumb code only"},
      {"thumbv7m-none-eabihf", "cortex-m3", "", "no floating-point unit"},
      {"thumbv7em-none-eabi", "cortex-a9", "", "it is no microcontroller"},
      {"riscv64-linux", "generic-rv32", "", "does not fit"},
      {"riscv64-unknown-elf", "rva22u65", "", "did you mean rva22u64"},
      {"riscv64-unknown-elf", "rv64gzz", "", "unknown CPU 'rv64gzz'"},
      {"riscv32-unknown-elf", "rva20u64", "", "one is 32 bit, the other 64 bit"},
      {"aarch64-linux", "", "dotprod", "starts with neither + nor -"},
      {"aarch64-linux", "", "+dotprodd", "did you mean dotprod"},
  };
  for (const auto &c : cases) {
    std::string message = messageOf(resolveTarget(c.target, c.cpu, c.features));
    expectContains(Twine(c.target) + " " + c.cpu + " " + c.features, message, c.message);
    expect(!StringRef(message).contains('\n'), "one line: " + Twine(message));
  }
  if (Triple(sys::getDefaultTargetTriple()).getArch() != Triple::aarch64)
    expectContains("host of another architecture", messageOf(resolveTarget("aarch64-linux", "host", "")),
                   "asks for this machine");
}

int main() {
  namesResolveAsTheTableSays();
  everyPlatformHasAMachineOfItsPointerSizeAndByteOrder();
  thisMachineIsTheDefaultAndNeverGeneric();
  requiredFeaturesFollowCpuAndFlags();
  profilesStandForCpusOfTheirWidth();
  onlyCpusThatFitAreListed();
  whatIsPrintedNamesOnlyWhatMatters();
  mistakesAreNamed();
  return result("target-test");
}
