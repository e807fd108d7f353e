// Times what a program's first inference costs beside every later one: loading the mapped module, a session with its
// arena, and a run on memory that nobody has touched yet.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "model_call.h"

namespace {

const char kUsage[] =
    "usage: crosscut-load-bench --module=FILE --input=VALUE... [--expected=VALUE...] [--benchmark_...]\n"
    "\n"
    "  anew  loads the module, makes a device and a session, runs the function once, and unloads it all\n"
    "  warm  runs the function again in a session that has run before\n"
    "\n"
    "The file is in the system's cache. Options as in crosscut-bench: --module --function --input --expected --atol\n"
    "--rtol --device --threads. Outputs are checked before and after.\n"
    "Exit status: 0 right and timed, 1 anything else.\n";

bool parseOptions(int argc, char **argv, CallOptions *options) {
  for (int i = 1; i < argc; ++i) {
    const char *value = nullptr, *argument = argv[i];
    bool understood = true;
    if (tool_flag(argument, "module", &value)) options->module = value;
    else if (tool_flag(argument, "function", &value)) options->function = value;
    else if (tool_flag(argument, "device", &value)) options->device = value;
    else if (tool_flag(argument, "input", &value)) options->inputs.push_back(value);
    else if (tool_flag(argument, "expected", &value)) options->expected.push_back(value);
    else if (tool_flag(argument, "atol", &value))
      understood = tool_parse_double(value, &options->atol) && options->atol >= 0;
    else if (tool_flag(argument, "rtol", &value))
      understood = tool_parse_double(value, &options->rtol) && options->rtol >= 0;
    else if (tool_flag(argument, "threads", &value))
      understood = tool_parse_u64(value, XCUT_MAX_THREADS, &options->threads);
    else understood = false;
    if (!understood)
      return std::fprintf(stderr, "crosscut-load-bench: %s: not understood, see --help\n", argument), false;
  }
  if (!options->module) std::fputs("crosscut-load-bench: --module: missing, see --help\n", stderr);
  return options->module;
}

}  // namespace

int main(int argc, char **argv) {
  for (int i = 1; i < argc; ++i)
    if (std::strcmp(argv[i], "--help") == 0) return std::fputs(kUsage, stdout) < 0;
  benchmark::Initialize(&argc, argv);
  CallOptions options;
  if (!parseOptions(argc, argv, &options)) return 1;
  ModelCall call;
  std::string problem = call.prepare(options);
  if (problem.empty()) problem = call.verify(options, false);
  xcut_error error = {};
  auto time = [&](const char *name, auto run) {
    benchmark::RegisterBenchmark(name,
                                 [&, run](benchmark::State &state) {
                                   for (auto _ : state) {
                                     if (run()) continue;
                                     problem = error.message;
                                     state.SkipWithError(error.message);
                                     break;
                                   }
                                 })
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
  };
  if (problem.empty()) {
    time("anew", [&] { return call.invokeAnew(options, &error); });
    time("warm", [&] { return call.invoke(&error); });
    benchmark::RunSpecifiedBenchmarks();
  }
  // What the runs in new sessions left in the outputs.
  if (problem.empty() && !call.invokeAnew(options, &error)) problem = error.message;
  if (problem.empty()) problem = call.compare();
  benchmark::Shutdown();
  if (!problem.empty()) std::fprintf(stderr, "crosscut-load-bench: %s: %s\n", options.module, problem.c_str());
  return problem.empty() ? 0 : 1;
}
