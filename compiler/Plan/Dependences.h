// Which steps have to wait for which.
#pragma once

#include "compiler/Plan/Plan.h"

namespace crosscut {

// What is the same memory: before the arena is planned the same buffer, afterwards the same place, too.
enum class SameMemory { Buffer, Place };

// For every step, the earlier steps that it must not overlap with, in rising order, without those that others of them
// wait for already. Two steps may overlap unless one of them writes memory that the other reads or writes.
std::vector<llvm::SmallVector<unsigned, 4>> dependencesOf(const FunctionPlan &plan, SameMemory same);

}  // namespace crosscut
