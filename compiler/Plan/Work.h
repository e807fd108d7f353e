// What a step computes and moves, from the plan alone: the figures that a kernel's time is held against.
#pragma once

#include "compiler/Plan/Plan.h"

namespace crosscut {

// Zeros where sizes are only known when the function runs.
struct Work {
  // Two for every multiply-add of a sum of products. By Winograd's algorithm fewer are done; those of the plain sum
  // count.
  uint64_t flops = 0;
  // Bytes that the step reads and writes at least: every element once, however often the kernel comes back to it.
  // Weights are counted as the kernel has them, by Winograd's algorithm transformed. Scratch memory of the kernel's own
  // does not count.
  uint64_t weightBytes = 0, readBytes = 0, writtenBytes = 0;
  // The largest tensor among those read (no weights) and written.
  uint64_t largestTensor = 0;
  uint64_t bytes() const { return weightBytes + readBytes + writtenBytes; }
};
Work workOf(const Step &step);

}  // namespace crosscut
