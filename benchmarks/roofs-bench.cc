// Measures what one core of this machine can do at most: multiply-adds on registers, and reading from each level of
// memory. A Google Benchmark program; scripts/roofline draws its figures as roofs.
#include <benchmark/benchmark.h>

#include <unistd.h>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "roofs.h"

namespace {

const char kUsage[] =
    "usage: crosscut-roofs-bench [--benchmark_...]\n"
    "\n"
    "  peak/KIND      multiply-adds of single floats on registers with every kind of vectors that the machine has;\n"
    "                 counter flops, a second\n"
    "  read/LEVEL     reading with the widest: from half of the first and of the second cache, and from memory that "
    "no\n"
    "                 cache holds; counters bytes_per_second, buffer_bytes\n"
    "\n"
    "Sums are checked. Exit status: 0 measured, 1 anything else.\n";

bool failed = false;

void timePeak(benchmark::State &state, const VectorKind &kind) {
  double done = 0;
  for (auto _ : state) done += kind.flops();
  state.counters["flops"] = benchmark::Counter(done, benchmark::Counter::kIsRate);
}

void timeReading(benchmark::State &state, size_t bytes) {
  const VectorKind &kind = vectorKinds().front();
  size_t count = bytes / sizeof(float) / 256 * 256;
  std::unique_ptr<float[]> data(new float[count]);
  for (size_t i = 0; i < count; ++i) data[i] = static_cast<float>(i % 2);
  if (kind.read(data.get(), count) != 0.5 * static_cast<double>(count)) {
    failed = true;
    state.SkipWithError("wrong sum");
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(kind.read(data.get(), count));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * count * sizeof(float)));
  state.counters["buffer_bytes"] = static_cast<double>(count * sizeof(float));
}

// Of the system, or what is usual where it does not say.
size_t cacheBytes(int name, size_t usual) {
  long known = name ? sysconf(name) : 0;
  return known > 0 ? static_cast<size_t>(known) : usual;
}

}  // namespace

int main(int argc, char **argv) {
  for (int i = 1; i < argc; ++i)
    if (std::strcmp(argv[i], "--help") == 0) std::fputs(kUsage, stdout);
  benchmark::Initialize(&argc, argv);
  if (argc > 1) return std::fprintf(stderr, "crosscut-roofs-bench: %s: not understood, see --help\n", argv[1]), 1;
#ifdef _SC_LEVEL1_DCACHE_SIZE
  size_t l1 = cacheBytes(_SC_LEVEL1_DCACHE_SIZE, 32 << 10), l2 = cacheBytes(_SC_LEVEL2_CACHE_SIZE, 256 << 10),
         l3 = cacheBytes(_SC_LEVEL3_CACHE_SIZE, 4 << 20);
#else
  size_t l1 = 32 << 10, l2 = 256 << 10, l3 = 4 << 20;
#endif
  for (const VectorKind &kind : vectorKinds())
    benchmark::RegisterBenchmark((std::string("peak/") + kind.name).c_str(),
                                 [&kind](benchmark::State &state) { timePeak(state, kind); });
  // Four times the last cache, within what a machine for a test may have.
  size_t memory = std::min<size_t>(std::max<size_t>(4 * l3, 64 << 20), 256 << 20);
  struct Level {
    const char *name;
    size_t bytes;
  };
  for (Level level : {Level{"read/l1", l1 / 2}, Level{"read/l2", l2 / 2}, Level{"read/memory", memory}})
    benchmark::RegisterBenchmark(level.name, [level](benchmark::State &state) { timeReading(state, level.bytes); });
  size_t ran = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return ran == 0 || failed ? 1 : 0;
}
