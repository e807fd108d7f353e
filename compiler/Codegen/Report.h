// What --explain tells of a step: how its kernel was made, its work, and the time that the model of cost predicts.
#pragma once

#include "compiler/Codegen/KernelBuilder.h"

namespace crosscut {

// `function` and `kernel` of the result are left to the caller.
StepReport reportStep(const Step &step, const GeneratedKernel &kernel, const TargetDescription &target);

}  // namespace crosscut
