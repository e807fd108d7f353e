// See roofs.h.
//
// The peak is that of multiply-adds on registers alone: as many independent accumulators as hide the latency of any
// core's pipes and still fit the registers. Reading adds what it loads into independent sums, one load to an addition,
// so that memory holds it up and nothing else.
#include "roofs.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "crosscut/abi.h"

namespace {

constexpr int kTurns = 2000;

// Kept from the optimiser.
volatile float sink, half = 0.5F;

// The functions are expanded into one for each kind of vectors, which alone says what may be used.
template <typename Value, size_t... i>
[[gnu::always_inline]] inline double multiplyAdd(std::index_sequence<i...>) {
  Value factor = Value{} + half;
  Value sums[] = {factor * static_cast<float>(i)...};
  for (int turn = 0; turn < kTurns; ++turn) ((sums[i] = sums[i] * factor + factor), ...);
  Value total = (sums[i] + ...);
  float first;
  std::memcpy(&first, &total, sizeof first);
  sink = first;
  constexpr size_t lanes = sizeof(Value) / sizeof(float);
  return 2.0 * kTurns * sizeof...(i) * lanes;
}

template <typename Vector>
[[gnu::always_inline]] inline double readAll(const float *data, size_t count) {
  constexpr size_t lanes = sizeof(Vector) / sizeof(float), streams = 8;
  Vector sums[streams] = {};
  for (size_t at = 0; at + streams * lanes <= count; at += streams * lanes)
    for (size_t i = 0; i < streams; ++i) {
      Vector value;
      std::memcpy(&value, data + at + i * lanes, sizeof value);
      sums[i] += value;
    }
  for (size_t i = 1; i < streams; ++i) sums[0] += sums[i];
  double sum = 0;
  for (size_t lane = 0; lane < lanes; ++lane) sum += static_cast<double>(sums[0][lane]);
  return sum;
}

using Vector4 = float __attribute__((vector_size(16)));

#if defined(__x86_64__) || defined(__i386__)
using Vector8 = float __attribute__((vector_size(32)));
using Vector16 = float __attribute__((vector_size(64)));
using Sums = std::make_index_sequence<sizeof(void *) == 8 ? 12 : 6>;
__attribute__((target("avx512f"))) double flops512() { return multiplyAdd<Vector16>(Sums{}); }
__attribute__((target("avx512f"))) double read512(const float *data, size_t n) { return readAll<Vector16>(data, n); }
__attribute__((target("avx2,fma"))) double flops256() { return multiplyAdd<Vector8>(Sums{}); }
__attribute__((target("avx2,fma"))) double read256(const float *data, size_t n) { return readAll<Vector8>(data, n); }
__attribute__((target("sse2"))) double flops128() { return multiplyAdd<Vector4>(Sums{}); }
__attribute__((target("sse2"))) double read128(const float *data, size_t n) { return readAll<Vector4>(data, n); }
#elif defined(__ARM_NEON)
double flops128() { return multiplyAdd<Vector4>(std::make_index_sequence<sizeof(void *) == 8 ? 16 : 12>{}); }
double read128(const float *data, size_t n) { return readAll<Vector4>(data, n); }
#else
double flopsScalar() { return multiplyAdd<float>(std::make_index_sequence<16>{}); }
double readScalar(const float *data, size_t n) { return readAll<Vector4>(data, n); }
#endif

// Calls `run`, which returns an amount of work, for about `seconds`; the best rate of all calls.
template <typename Run>
double bestRate(double seconds, Run run) {
  using Clock = std::chrono::steady_clock;
  double best = 0;
  auto end = Clock::now() + std::chrono::duration<double>(seconds);
  for (int turn = 0; turn < 3 || Clock::now() < end; ++turn) {
    auto start = Clock::now();
    double done = run();
    double took = std::chrono::duration<double>(Clock::now() - start).count();
    if (took > 0) best = std::max(best, done / took);
  }
  return best;
}

[[maybe_unused]] uint64_t bit(unsigned feature) { return UINT64_C(1) << feature; }

std::vector<VectorKind> findKinds() {
  std::vector<VectorKind> kinds;
#if defined(__x86_64__) || defined(__i386__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) kinds.push_back({"avx512f", bit(XCUT_X86_AVX512F), flops512, read512});
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    kinds.push_back({"avx2+fma", bit(XCUT_X86_AVX2) | bit(XCUT_X86_FMA), flops256, read256});
  kinds.push_back({"sse2", 0, flops128, read128});
#elif defined(__ARM_NEON)
  kinds.push_back({"neon", 0, flops128, read128});
#else
  kinds.push_back({"scalars", 0, flopsScalar, readScalar});
#endif
  return kinds;
}

}  // namespace

const std::vector<VectorKind> &vectorKinds() {
  static const std::vector<VectorKind> kinds = findKinds();
  return kinds;
}

const VectorKind &vectorKindOf(uint64_t features) {
  for (const VectorKind &kind : vectorKinds())
    if ((features & kind.features) == kind.features) return kind;
  return vectorKinds().back();
}

double measureFlops(const VectorKind &kind, double seconds) {
  return bestRate(seconds, [&] { return kind.flops(); });
}

double measureReading(const VectorKind &kind, const float *data, size_t count, double seconds) {
  // Short buffers several times a turn, so that the clock is read seldom.
  size_t times = std::max<size_t>(1, (size_t{1} << 17) / std::max<size_t>(1, count));
  return bestRate(seconds, [&] {
    double sum = 0;
    for (size_t i = 0; i < times; ++i) sum += kind.read(data, count);
    sink = static_cast<float>(sum);
    return static_cast<double>(times * count * sizeof(float));
  });
}
