// What one core of this machine can do at most, measured: the roofs that a kernel's time is held against.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// A kind of vectors that this machine has.
struct VectorKind {
  const char *name;   // "avx512f", "avx2+fma", "neon", ...
  uint64_t features;  // bits XCUT_<ARCH>_* that a module which uses it requires
  double (*flops)();  // floating-point operations of one round of independent multiply-adds, done
  double (*read)(const float *data, size_t count);  // reads `count` floats, a multiple of 256; their sum
};

// Widest first. The last one every machine of the architecture has. RISC-V's vectors are not among them: compilers of
// the programs' age do not make them from C++, so the peak there is that of scalars.
const std::vector<VectorKind> &vectorKinds();

// The widest kind that a module with these required features may use.
const VectorKind &vectorKindOf(uint64_t features);

// The best of several short runs, about `seconds` in all, so that what else the machine does counts little.
double measureFlops(const VectorKind &kind, double seconds);                                     // a second
double measureReading(const VectorKind &kind, const float *data, size_t count, double seconds);  // bytes a second
