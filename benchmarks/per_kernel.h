// The time of each kernel of a function.
#pragma once

#include "model_call.h"

// Calls the function for about `seconds` and prints a table of its kernels, slowest first: microseconds of one call of
// the function (the least of all calls, so that what else the machine does counts least), share of their sum, number
// of times the kernel runs, GFLOP/s where the kernel is a sum of products, and the model's node. local-sync only.
// Returns the reason when that fails, else an empty text.
std::string printKernelTimes(ModelCall &call, double seconds);
