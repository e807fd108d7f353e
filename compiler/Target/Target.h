// What the compiler knows of a target: the triple and CPU that the user asked for, resolved once, and the facts about
// registers and caches from which kernels choose their tiles.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/TargetParser/Triple.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace llvm {
class TargetMachine;
}

namespace crosscut {

// A target as resolved from --target, --cpu and --features; printed to the user, recorded in the module.
struct TargetSpec {
  llvm::Triple triple;  // as the user gave it, normalised (aarch64-unknown-linux-gnu)
  llvm::Triple
      codeTriple;        // what LLVM compiles for (aarch64-pc-linux-elf: freestanding, hard float where there is one)
  std::string platform;  // name when the user gave a platform ("aarch64-linux"), else empty
  std::string cpu;       // LLVM's name, never empty, "generic" only when asked for
  std::string features;  // every feature that differs from the architecture's baseline, "+a,-b"
  uint32_t arch = 0;     // XCUT_ARCH_*
  uint64_t requiredFeatures = 0;  // bits XCUT_<ARCH>_*
  uint32_t minVlenBits = 0, maxVlenBits = 0;
  bool littleEndian = true;
  unsigned pointerBits = 64;
  std::string objectAbi;  // of an object to be linked, where its architecture has several: "hard", "ilp32"; else empty
};

// Facts that code generation chooses tiles from.
struct TargetDescription {
  unsigned indexBits = 64;       // width of index arithmetic
  unsigned vectorBits = 0;       // of one architectural register (RVV: the minimum VLEN); 0: scalar core
  unsigned vectorGroup = 1;      // registers that one operation should span (RVV: LMUL 4), else 1
  unsigned vectorRegisters = 0;  // how many of them (groups count once: RVV with LMUL 4 has 8)
  bool hasFma = false;           // fused multiply-add on vectors (and scalars, when vectorBits is 0)
  bool laneFma = false;          // multiply-add by an element of a register (NEON): load several k at once
  bool laneRounds = false;       // it rounds the product before it adds (32-bit NEON)
  bool scalarFma = false;        // multiply-add by a scalar register without a broadcast (RVV)
  bool foldsBroadcast = false;   // multiply-add reads and broadcasts a memory operand (AVX-512)
  bool hasRounding = false;      // floor, ceil, trunc and roundeven are instructions on vectors and scalars (SSE4.1,
                                 // AArch64, wasm, ARMv8-M); false for RVV, where LLVM makes conversions of them
  bool hasMinMaxNum = false;  // maxnumf, minnumf are instructions (AArch64, ARMv8, RISC-V F); else LLVM may call fmaxf
  bool avoidsVectorRtz = false;  // RVV: float to integer by lrint, as QEMU 7.2 aborts on vfcvt.rtz
  unsigned maxTileRows = 16;     // more make the scheduler load so far ahead that it spills, or evict each other
  unsigned spareRegisters = 1;   // vector registers that a tile must leave free for the scheduler not to spill
  unsigned issueWidth = 4;       // instructions started in a cycle, at most
  unsigned fmaLatency = 4, fmaPipes = 1;
  // Bytes a cycle at which weights come from beyond the core's caches: what a whole model has of them does not stay
  // there from one inference to the next.
  double streamedBytes = 2;
  // Cycles that an instruction counts in the choice of a tile, beside those that it takes where it is the bottleneck.
  double instructionWeight = 0.05;
  uint64_t l1Bytes = 32768, l2Bytes = 262144, lineBytes = 64;

  // One unit for whole vectors that is two for halves (512 bits on Zen 4): halves are as fast, but not among whole
  // ones.
  bool hasTwoHalves() const { return vectorBits >= 512 && fmaPipes == 1 && vectorGroup == 1; }
  // f32 lanes of one operation: 16 on AVX-512, 8 on AVX2, 4 on NEON, 16 on RVV with VLEN 128 and LMUL 4, 1 on scalars.
  unsigned lanes() const { return vectorBits ? vectorBits * vectorGroup / 32 : 1; }
};

// Resolves user input. An empty `target` is this machine. Errors say what was not understood and what would be.
llvm::Expected<TargetSpec> resolveTarget(llvm::StringRef target, llvm::StringRef cpu, llvm::StringRef features);
// Likewise for an object that is linked with the user's, so that it has to follow the same conventions for floats.
// abi: ARM soft, softfp or hard; RISC-V ilp32, ilp32f, ilp32d, lp64, lp64f or lp64d; empty: as compilers choose it for
// the triple and CPU; other architectures have no choice. ELF targets only.
llvm::Expected<TargetSpec> resolveObjectTarget(llvm::StringRef target, llvm::StringRef cpu, llvm::StringRef features,
                                               llvm::StringRef abi);
TargetDescription describeTarget(const TargetSpec &spec);
// Options that LLVM has for the whole process only: set before the threads that compile for the target start.
void setCodegenOptions(const TargetSpec &spec);
llvm::Expected<std::unique_ptr<llvm::TargetMachine>> createTargetMachine(const TargetSpec &spec, unsigned optLevel);

// --list-targets: one line a target, "tested" or "compile-only"; --list-cpus [--target=T].
void listTargets(llvm::raw_ostream &out);
llvm::Error listCpus(llvm::raw_ostream &out, llvm::StringRef target);

}  // namespace crosscut
