// Subtarget features: LLVM's names, the module format's bits, and LLVM's registries.
#pragma once

#include "compiler/Target/Target.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/Support/Error.h"
#include "llvm/TargetParser/Triple.h"

#include <memory>
#include <string>
#include <vector>

namespace crosscut {

// Registers LLVM's back ends; cheap to call again.
void initializeLLVMTargets();

// The subtarget of a CPU that was checked to exist, without its tuning features.
std::unique_ptr<llvm::MCSubtargetInfo> createSubtarget(const llvm::Triple &triple, llvm::StringRef cpu,
                                                       llvm::StringRef features);
// Those of a list of features that only steer code generation, each with a comma before it.
std::string tuningPart(const llvm::MCSubtargetInfo &subtarget, llvm::StringRef features);
bool hasFeature(const llvm::MCSubtargetInfo &subtarget, llvm::StringRef name);

// XCUT_ARCH_* of a triple, and the bits XCUT_<ARCH>_* that code for `subtarget` may need.
uint32_t moduleArchitecture(const llvm::Triple &triple);
uint64_t moduleFeatureBits(const llvm::Triple &triple, const llvm::MCSubtargetInfo &subtarget);

// What `subtarget` has more or less than both the architecture's baseline and its CPU's own set: "+a,-b".
std::string featureDifference(const llvm::Triple &triple, llvm::StringRef cpu, const llvm::MCSubtargetInfo &subtarget);

// What the user should know of the features besides the CPU's name: those that the CPU does not have of itself or
// lacks.
std::string featuresBeyondCpu(const TargetSpec &spec);

// Up to five names that resemble `name`, as "; did you mean a, b?" or empty.
std::string nearMatches(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> candidates);

}  // namespace crosscut
