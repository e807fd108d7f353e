// What the compiler expects of a module's kernels: the file that crosscut-compile --explain=FILE writes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

// Of one kernel, over all its dispatches in the module.
struct Expectation {
  double flops = 0, cycles = 0;
  double share = 0;  // of the target's peak of multiply-adds; 0: not known, or no multiply-adds
};

// Reads `file`; kernels[i] becomes what is expected of the kernel of that index. `flops`: those of the module's
// kernels, which the file has to agree with. The reason when it can not be used, else an empty text.
std::string readExplanation(const char *file, const std::vector<uint64_t> &flops, std::vector<Expectation> *kernels);
