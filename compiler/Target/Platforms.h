// The named targets, and the CPU that each architecture gets when the user names none.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/TargetParser/Triple.h"

#include <string>

namespace crosscut {

struct Platform {
  const char *name;
  const char *triple;
  const char *cpu;
  const char *features;  // part of what the platform is, added to the CPU's; LLVM's names
  bool tested;           // modules for it run in the tests; otherwise they are only compiled and inspected
  const char *what;      // one phrase for --list-targets
};

llvm::ArrayRef<Platform> platforms();
const Platform *findPlatform(llvm::StringRef name);

// RISC-V profiles that stand for a CPU, beside those that LLVM lists and any -march.
llvm::ArrayRef<llvm::StringRef> riscvProfiles();

// What a triple alone means: the CPU and features to compile for when the user names no CPU.
struct CpuDefault {
  std::string cpu, features;
};
CpuDefault defaultCpu(const llvm::Triple &triple);

// Architectures that resolveTarget() takes, as a list for error messages.
llvm::StringRef supportedArchitectures();
bool isSupportedArchitecture(const llvm::Triple &triple);

}  // namespace crosscut
