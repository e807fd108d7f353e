// Times kernels by their shape: every function of a module, each of which is one operation of a network.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "model_call.h"

namespace {

const char kUsage[] =
    "usage: crosscut-kernel-bench --folder=DIR [--benchmark_...]\n"
    "\n"
    "Times each function of DIR/kernels.xcm on DIR/FUNCTION.input.npy, after it has given exactly\n"
    "DIR/FUNCTION.output.npy: the values are small integers, whose sums no order of adding changes.\n"
    "`scripts/kernel-shapes DIR` writes the model and the values. Counter flops: a second, two for a multiply-add.\n"
    "Exit status: 0 right and timed, 1 anything else.\n";

// Of one run of the function, as the module's kernel table counts them.
double flopsOfRun(ModelCall &call, xcut_error *error) {
  std::vector<xcut_kernel_time> times;
  if (!call.measureKernels(&times, error) || !call.invoke(error)) return -1;
  double flops = 0;
  for (uint32_t i = 0; i < times.size(); ++i) {
    xcut_kernel_description kernel = {};
    if (call.kernel(i, &kernel)) flops += static_cast<double>(kernel.flops) * static_cast<double>(times[i].calls);
  }
  return flops;
}

// The program's only benchmark of a function; false, after saying so in the row, when it can not be timed.
bool timeFunction(benchmark::State &state, const std::string &folder, const std::string &function) {
  std::string module = folder + "/kernels.xcm", stem = folder + "/" + function;
  std::string input = "@" + stem + ".input.npy", output = "@" + stem + ".output.npy";
  CallOptions options;
  options.module = module.c_str();
  options.function = function.c_str();
  options.inputs = {input.c_str()};
  options.expected = {output.c_str()};
  options.atol = options.rtol = 0;
  ModelCall measured, call;
  xcut_error error = {};
  std::string problem = measured.prepare(options);
  double flops = problem.empty() ? flopsOfRun(measured, &error) : 0;
  if (problem.empty()) problem = flops < 0 ? error.message : call.prepare(options);
  if (problem.empty()) problem = call.verify(options, false);
  if (!problem.empty()) return state.SkipWithError(problem.c_str()), false;
  for (auto _ : state)
    if (!call.invoke(&error)) return state.SkipWithError(error.message), false;
  state.counters["flops"] = benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
  return true;
}

}  // namespace

int main(int argc, char **argv) {
  for (int i = 1; i < argc; ++i)
    if (std::strcmp(argv[i], "--help") == 0) return std::fputs(kUsage, stdout) < 0;
  benchmark::Initialize(&argc, argv);
  const char *folder = nullptr;
  for (int i = 1; i < argc; ++i)
    if (!tool_flag(argv[i], "folder", &folder))
      return std::fprintf(stderr, "crosscut-kernel-bench: %s: not understood, see --help\n", argv[i]), 1;
  if (!folder) return std::fputs("crosscut-kernel-bench: --folder: missing, see --help\n", stderr), 1;

  std::string file = std::string(folder) + "/kernels.xcm";
  xcut_load_options load = {};
  load.allocator = xcut_allocator_system();
  xcut_module *module = nullptr;
  xcut_error error = {};
  if (xcut_module_load_file(file.c_str(), &load, &module, &error) != XCUT_OK)
    return std::fprintf(stderr, "crosscut-kernel-bench: %s: %s\n", file.c_str(), error.message), 1;
  xcut_module_description description;
  xcut_module_describe(module, &description);
  bool failed = false;
  for (uint32_t i = 0; i < description.function_count; ++i) {
    xcut_function function;
    if (xcut_module_function(module, i, &function) != XCUT_OK) continue;
    std::string name = xcut_function_name(&function);
    benchmark::RegisterBenchmark(
        name.c_str(),
        [&failed, folder, name](benchmark::State &state) { failed |= !timeFunction(state, folder, name); })
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
  }
  size_t ran = benchmark::RunSpecifiedBenchmarks();
  xcut_module_unload(module);
  benchmark::Shutdown();
  return ran == 0 || failed ? 1 : 0;
}
