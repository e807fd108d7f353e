// Times one function of a compiled model, after it has shown that the outputs are right.
//
// A Google Benchmark program, so that its options (--benchmark_repetitions, --benchmark_out, ...) and JSON work. With
// --iterations=N the number of iterations is fixed and each iteration lies between marks for the instruction-counting
// plugin (qemu-plugin/count.c). Without it there are no marks: they are system calls, and would be timed. --once leaves
// out the timing: under QEMU, where an inference takes minutes, the run that is checked is the one that is counted.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "marks.h"
#include "model_call.h"
#include "per_kernel.h"

namespace {

const char kUsage[] =
    "usage: crosscut-bench --module=FILE [option...]\n"
    "\n"
    "Runs a function once, compares its outputs with the expected ones, then times it.\n"
    "\n"
    "  --module=FILE      compiled model\n"
    "  --function=NAME    default: main, or the only function\n"
    "  --input=VALUE      once an input, in order or as NAME=VALUE: 1x3x224x224xf32=0, 2x2xf32=[[1 2][3 4]],\n"
    "                     @file.npy, 4xf32=@raw.bin\n"
    "  --expected=VALUE   once an output, likewise; may be left out\n"
    "  --atol=X --rtol=X  tolerance of the comparison: |actual - expected| <= atol + rtol * |expected|;\n"
    "                     defaults 1e-5 and 1e-5\n"
    "  --plugin=LIB.so    a shared library with functions that the module calls (XCUT_EXPORT_PLUGINS in\n"
    "                     crosscut/plugin.h); may be given several times, the first of a name counts\n"
    "  --device=NAME      local-sync (default) or local-task\n"
    "  --threads=N        of local-task; default: one a CPU\n"
    "  --output=@FILE.npy once an output, in order: written there by the run that is checked\n"
    "  --iterations=N     run exactly N times, each between marks for the counting plugin\n"
    "  --once             check only: that run lies between marks, and nothing is timed\n"
    "  --per-kernel       instead: the time of each kernel, slowest first, for a second, and how much of the "
    "machine's\n"
    "                     peak it reaches (the peak is measured first); local-sync only\n"
    "  --explain=FILE     of crosscut-compile --explain=FILE: --per-kernel shows the predicted share, too\n"
    "  --help             this text\n"
    "\n"
    "Google Benchmark's options begin with --benchmark_: _min_time, _repetitions, _out, _out_format, _format.\n"
    "Counters: load_us (load of the module), arena_bytes, code_bytes, weight_bytes.\n"
    "Exit status: 0 right and timed, 1 anything else.\n";

struct Options {
  CallOptions call;
  uint64_t iterations = 0;
  bool per_kernel = false, once = false;
  const char *explanation = nullptr;
};

bool fail(const char *subject, const char *message) {
  std::fprintf(stderr, "crosscut-bench: %s: %s\n", subject, message);
  return false;
}

// Reads what Google Benchmark left over of the command line.
bool parseOptions(int argc, char **argv, Options *options) {
  for (int i = 1; i < argc; ++i) {
    const char *value = nullptr, *argument = argv[i];
    bool understood = true;
    if (tool_flag(argument, "module", &value)) {
      options->call.module = value;
    } else if (tool_flag(argument, "function", &value)) {
      options->call.function = value;
    } else if (tool_flag(argument, "device", &value)) {
      options->call.device = value;
    } else if (tool_flag(argument, "input", &value)) {
      options->call.inputs.push_back(value);
    } else if (tool_flag(argument, "expected", &value)) {
      options->call.expected.push_back(value);
    } else if (tool_flag(argument, "plugin", &value)) {
      options->call.plugins.push_back(value);
    } else if (tool_flag(argument, "output", &value)) {
      understood = value[0] == '@' && value[1];
      options->call.outputs.push_back(value + 1);
    } else if (tool_flag(argument, "once", nullptr)) {
      options->once = true;
    } else if (tool_flag(argument, "atol", &value)) {
      understood = tool_parse_double(value, &options->call.atol) && options->call.atol >= 0;
    } else if (tool_flag(argument, "rtol", &value)) {
      understood = tool_parse_double(value, &options->call.rtol) && options->call.rtol >= 0;
    } else if (tool_flag(argument, "threads", &value)) {
      understood = tool_parse_u64(value, XCUT_MAX_THREADS, &options->call.threads);
    } else if (tool_flag(argument, "iterations", &value)) {
      understood = tool_parse_u64(value, 1000000000, &options->iterations) && options->iterations > 0;
    } else if (tool_flag(argument, "explain", &value)) {
      options->explanation = value;
    } else if (tool_flag(argument, "per-kernel", nullptr)) {
      options->per_kernel = true;
    } else {
      understood = false;
    }
    if (!understood) return fail(argument, "not understood, see --help");
  }
  if (options->explanation && !options->per_kernel) return fail("--explain", "is for --per-kernel, see --help");
  return options->call.module || fail("--module", "missing, see --help");
}

void report(benchmark::State &state, const CallFacts &facts) {
  state.counters["load_us"] = facts.load_us;
  state.counters["arena_bytes"] = static_cast<double>(facts.arena_bytes);
  state.counters["code_bytes"] = static_cast<double>(facts.code_bytes);
  state.counters["weight_bytes"] = static_cast<double>(facts.weight_bytes);
}

// One benchmark. Returns false, after saying so in the row as well, when a call fails.
void run(benchmark::State &state, ModelCall &call, bool marked, bool *failed) {
  xcut_error error = {};
  uint32_t iteration = 0;
  for (auto _ : state) {
    if (marked) xcut_mark_begin(iteration);
    bool done = call.invoke(&error);
    if (marked) xcut_mark_end(iteration++);
    if (!done) {
      *failed = true;
      state.SkipWithError(error.message);
      break;
    }
  }
  report(state, call.facts());
}

}  // namespace

int main(int argc, char **argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--help") == 0 || std::strcmp(argv[i], "-h") == 0) {
      std::fputs(kUsage, stdout);
      return 0;
    }
  }
  benchmark::Initialize(&argc, argv);
  Options options;
  ModelCall call;
  if (!parseOptions(argc, argv, &options)) return 1;
  std::string problem = call.prepare(options.call);
  if (!problem.empty()) return fail(options.call.module, problem.c_str()), 1;

  bool failed = false;
  problem = call.verify(options.call, options.once);
  xcut_error error = {};
  if (problem.empty() && !call.reset(&error)) problem = error.message;
  if (options.once) return problem.empty() ? 0 : (fail(options.call.module, problem.c_str()), 1);
  if (options.per_kernel) {
    if (problem.empty()) problem = printKernelTimes(call, options.explanation, 1.0);
    return problem.empty() ? 0 : (fail(options.call.module, problem.c_str()), 1);
  }
  const char *slash = std::strrchr(options.call.module, '/');
  std::string name = std::string(slash ? slash + 1 : options.call.module) + "/" + call.name() + "/" +
                     options.call.device + "/threads:" + std::to_string(call.threads());
  auto *registered = benchmark::RegisterBenchmark(name.c_str(), [&](benchmark::State &state) {
    if (problem.empty()) return run(state, call, options.iterations != 0, &failed);
    failed = true;
    state.SkipWithError(problem.c_str());
  });
  registered->UseRealTime()->Unit(benchmark::kMicrosecond);
  if (options.iterations) registered->Iterations(static_cast<benchmark::IterationCount>(options.iterations));
  size_t ran = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  if (!problem.empty()) fail(options.call.module, problem.c_str());
  return ran == 0 || failed ? 1 : 0;
}
