// See per_kernel.h.
#include "per_kernel.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "explanation.h"
#include "roofs.h"

namespace {

std::string percent(double share) {
  char text[32] = "-";
  if (share > 0) std::snprintf(text, sizeof text, "%.1f%%", 100 * share);
  return text;
}

}  // namespace

std::string printKernelTimes(ModelCall &call, const char *explanation, double seconds) {
  xcut_error error = {};
  std::vector<xcut_kernel_time> times;
  if (!call.measureKernels(&times, &error)) return error.message;
  std::vector<uint64_t> flopsOf;
  for (uint32_t i = 0; i < times.size(); ++i) {
    xcut_kernel_description kernel = {};
    flopsOf.push_back(call.kernel(i, &kernel) ? kernel.flops : 0);
  }
  std::vector<Expectation> expected(times.size());
  if (explanation) {
    std::string problem = readExplanation(explanation, flopsOf, &expected);
    if (!problem.empty()) return problem;
  }
  const VectorKind &vectors = vectorKindOf(call.requiredFeatures());
  double peak = measureFlops(vectors, seconds / 10);
  std::vector<uint64_t> least(times.size(), UINT64_MAX), calls(times.size());
  auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  for (int turn = 0; turn < 3 || std::chrono::steady_clock::now() < end; ++turn) {
    std::fill(times.begin(), times.end(), xcut_kernel_time{});
    if (!call.invoke(&error)) return error.message;
    for (size_t i = 0; i < times.size(); ++i) {
      least[i] = std::min(least[i], times[i].nanoseconds);
      calls[i] = times[i].calls;
    }
  }
  std::vector<uint32_t> order;
  uint64_t sum = 0;
  for (uint32_t i = 0; i < times.size(); ++i) {
    if (!calls[i]) continue;
    order.push_back(i);
    sum += least[i];
  }
  std::sort(order.begin(), order.end(), [&](uint32_t x, uint32_t y) { return least[x] > least[y]; });
  std::printf("       us   share  calls  GFLOP/s    peak  predicted  kernel  node\n");
  for (uint32_t i : order) {
    xcut_kernel_description kernel = {};
    if (!call.kernel(i, &kernel)) continue;
    double ns = std::max<double>(1, static_cast<double>(least[i]));
    double rate = static_cast<double>(kernel.flops) * static_cast<double>(calls[i]) / ns;
    char gflops[32] = "-";
    if (kernel.flops) std::snprintf(gflops, sizeof gflops, "%.1f", rate);
    std::printf("%9.2f  %5.1f%%  %5llu  %7s  %6s  %9s  %6u  %s\n", ns / 1e3,
                100 * ns / static_cast<double>(std::max<uint64_t>(1, sum)), static_cast<unsigned long long>(calls[i]),
                gflops, percent(peak > 0 ? rate * 1e9 / peak : 0).c_str(), percent(expected[i].share).c_str(), i,
                kernel.name);
  }
  std::printf("%9.2f  sum of the least times; the machine's peak, measured with %s: %.1f GFLOP/s\n",
              static_cast<double>(sum) / 1e3, vectors.name, peak / 1e9);
  return "";
}
