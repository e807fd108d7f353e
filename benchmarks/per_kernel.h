// The time of each kernel of a function.
#pragma once

#include "model_call.h"

// Calls the function for about `seconds` and prints a table of its kernels, slowest first: microseconds of one call of
// the function (the least of all calls, so that what else the machine does counts least), share of their sum, number
// of times the kernel runs, GFLOP/s where the kernel is a sum of products, their share of what this machine's
// multiply-adds reach in registers (measured before), the share that the compiler predicts, the kernel's index in the
// module, and the model's node. `explanation`: file of crosscut-compile --explain, or null: nothing is predicted.
// local-sync only. Returns the reason when that fails, else an empty text.
std::string printKernelTimes(ModelCall &call, const char *explanation, double seconds);
