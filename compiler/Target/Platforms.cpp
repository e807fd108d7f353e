// One table: everything that the compiler offers by name. A platform's features are stated in full, so that a module
// for it is the same whichever machine compiled it.
#include "compiler/Target/Platforms.h"

using namespace llvm;

namespace crosscut {

static const char rv64gc[] = "+m,+a,+f,+d,+c";

static const Platform table[] = {
    {"x86_64-linux", "x86_64-unknown-linux-gnu", "x86-64-v3", "", true, "AVX2 and FMA; natively this machine's CPU"},
    {"i686-linux", "i686-unknown-linux-gnu", "pentium4", "", true, "SSE2, 32 bit"},
    {"armv7-linux", "armv7-unknown-linux-gnueabihf", "cortex-a15", "", true, "NEON, hard float"},
    {"aarch64-linux", "aarch64-unknown-linux-gnu", "cortex-a76", "", true, "NEON"},
    {"riscv64-linux", "riscv64-unknown-linux-gnu", "generic-rv64", rv64gc, true, "rv64gc, no vectors"},
    {"riscv64-v128-linux", "riscv64-unknown-linux-gnu", "generic-rv64", "+m,+a,+f,+d,+c,+v,+zvl128b", true,
     "rv64gcv, VLEN 128 or more"},
    {"riscv64-v256-linux", "riscv64-unknown-linux-gnu", "generic-rv64", "+m,+a,+f,+d,+c,+v,+zvl256b", true,
     "rv64gcv, VLEN 256 or more"},
    {"riscv64-v512-linux", "riscv64-unknown-linux-gnu", "generic-rv64", "+m,+a,+f,+d,+c,+v,+zvl512b", true,
     "rv64gcv, VLEN 512 or more"},
    {"cortex-m0", "thumbv6m-unknown-none-eabi", "cortex-m0", "", true, "bare metal, no FPU"},
    {"cortex-m3", "thumbv7m-unknown-none-eabi", "cortex-m3", "", true, "bare metal, no FPU"},
    {"cortex-m4", "thumbv7em-unknown-none-eabihf", "cortex-m4", "", true, "bare metal, single-precision FPU"},
    {"cortex-m7", "thumbv7em-unknown-none-eabihf", "cortex-m7", "", true, "bare metal, double-precision FPU"},
    {"cortex-m55", "thumbv8.1m.main-unknown-none-eabihf", "cortex-m55", "", true, "bare metal, Helium"},
    {"cortex-a53", "aarch64-unknown-none-elf", "cortex-a53", "", true, "bare metal, NEON"},
    {"rv32imac", "riscv32-unknown-none-elf", "generic-rv32", "+m,+a,+c", true, "bare metal, no FPU"},
    {"rv32gcv", "riscv32-unknown-none-elf", "generic-rv32", "+m,+a,+f,+d,+c,+v,+zvl128b", true,
     "bare metal, VLEN 128 or more"},
    {"rv64gc", "riscv64-unknown-none-elf", "generic-rv64", rv64gc, true, "bare metal, no vectors"},
    {"wasm32", "wasm32-unknown-unknown", "lime1", "+simd128", true, "WebAssembly with SIMD"},
    {"armeb-linux", "armebv7-unknown-linux-gnueabihf", "cortex-a15", "", false, "big-endian ARM"},
    {"aarch64_be-linux", "aarch64_be-unknown-linux-gnu", "cortex-a76", "", false, "big-endian AArch64"},
    {"riscv32-linux", "riscv32-unknown-linux-gnu", "generic-rv32", rv64gc, false, "rv32gc"},
    {"wasm64", "wasm64-unknown-unknown", "lime1", "+simd128", false, "WebAssembly with 64-bit memory"},
    {"loongarch64-linux", "loongarch64-unknown-linux-gnu", "la464", "", false, "LASX"},
    {"powerpc64le-linux", "powerpc64le-unknown-linux-gnu", "pwr9", "", false, "VSX"},
    {"s390x-linux", "s390x-unknown-linux-gnu", "z14", "", false, "big-endian, vector facility"},
};

ArrayRef<Platform> platforms() { return table; }

const Platform *findPlatform(StringRef name) {
  for (const Platform &platform : table)
    if (name == platform.name) return &platform;
  return nullptr;
}

ArrayRef<StringRef> riscvProfiles() {
  static const StringRef names[] = {"rvi20u32", "rvi20u64", "rva20u64", "rva22u64", "rva23u64", "rvb23u64"};
  return names;
}

static CpuDefault armDefault(const Triple &triple) {
  switch (triple.getSubArch()) {
    case Triple::ARMSubArch_v6m: return {"cortex-m0", ""};
    case Triple::ARMSubArch_v7m: return {"cortex-m3", ""};
    case Triple::ARMSubArch_v7em: return {"cortex-m4", ""};
    case Triple::ARMSubArch_v8m_baseline: return {"cortex-m23", ""};
    case Triple::ARMSubArch_v8m_mainline: return {"cortex-m33", ""};
    case Triple::ARMSubArch_v8_1m_mainline: return {"cortex-m55", ""};
    case Triple::ARMSubArch_v6:
    case Triple::ARMSubArch_v6k: return {"arm1176jzf-s", ""};
    case Triple::ARMSubArch_v7: return {"cortex-a15", ""};
    default: return {"cortex-a53", ""};
  }
}

CpuDefault defaultCpu(const Triple &triple) {
  switch (triple.getArch()) {
    case Triple::x86_64: return {"x86-64-v3", ""};
    case Triple::x86: return {"pentium4", ""};
    case Triple::arm:
    case Triple::armeb:
    case Triple::thumb:
    case Triple::thumbeb: return armDefault(triple);
    case Triple::aarch64:
    case Triple::aarch64_be: return {"cortex-a76", ""};
    case Triple::riscv64: return {"generic-rv64", rv64gc};
    case Triple::riscv32: return {"generic-rv32", triple.isOSLinux() ? rv64gc : "+m,+a,+c"};
    case Triple::wasm32:
    case Triple::wasm64: return {"lime1", "+simd128"};
    case Triple::loongarch64: return {"la464", ""};
    case Triple::ppc64le: return {"pwr9", ""};
    case Triple::systemz: return {"z14", ""};
    default: return {"generic", ""};
  }
}

StringRef supportedArchitectures() {
  return "x86_64, i386 ... i686, arm*, thumb*, armeb*, aarch64, aarch64_be, riscv32, riscv64, wasm32, wasm64, "
         "loongarch64, powerpc64le, s390x";
}

bool isSupportedArchitecture(const Triple &triple) {
  switch (triple.getArch()) {
    case Triple::x86_64: return !triple.isX32();
    case Triple::x86:
    case Triple::arm:
    case Triple::armeb:
    case Triple::thumb:
    case Triple::thumbeb:
    case Triple::aarch64:
    case Triple::aarch64_be:
    case Triple::riscv32:
    case Triple::riscv64:
    case Triple::wasm32:
    case Triple::wasm64:
    case Triple::loongarch64:
    case Triple::ppc64le:
    case Triple::systemz: return true;
    default: return false;
  }
}

}  // namespace crosscut
