// Times one function of a compiled model, after it has shown that the outputs are right.
//
// A Google Benchmark program, so that its options (--benchmark_repetitions, --benchmark_out, ...) and JSON work. With
// --iterations=N the number of iterations is fixed and each iteration lies between marks for the instruction-counting
// plugin (qemu-plugin/count.c). Without it there are no marks: they are system calls, and would be timed.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "../runtime/tools/common/tools.h"
#include "marks.h"

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
    "  --device=NAME      local-sync (default) or local-task\n"
    "  --threads=N        of local-task; default: one a CPU\n"
    "  --iterations=N     run exactly N times, each between marks for the counting plugin\n"
    "  --help             this text\n"
    "\n"
    "Google Benchmark's options begin with --benchmark_: _min_time, _repetitions, _out, _out_format, _format.\n"
    "Counters: load_us (load of the module), arena_bytes, code_bytes, weight_bytes.\n"
    "Exit status: 0 right and timed, 1 anything else.\n";

struct Options {
  const char *module = nullptr;
  const char *function = nullptr;
  const char *device = "local-sync";
  std::vector<const char *> inputs, expected;
  double atol = 1e-5, rtol = 1e-5;
  uint64_t threads = 0, iterations = 0;
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
      options->module = value;
    } else if (tool_flag(argument, "function", &value)) {
      options->function = value;
    } else if (tool_flag(argument, "device", &value)) {
      options->device = value;
    } else if (tool_flag(argument, "input", &value)) {
      options->inputs.push_back(value);
    } else if (tool_flag(argument, "expected", &value)) {
      options->expected.push_back(value);
    } else if (tool_flag(argument, "atol", &value)) {
      understood = tool_parse_double(value, &options->atol) && options->atol >= 0;
    } else if (tool_flag(argument, "rtol", &value)) {
      understood = tool_parse_double(value, &options->rtol) && options->rtol >= 0;
    } else if (tool_flag(argument, "threads", &value)) {
      understood = tool_parse_u64(value, XCUT_MAX_THREADS, &options->threads);
    } else if (tool_flag(argument, "iterations", &value)) {
      understood = tool_parse_u64(value, 1000000000, &options->iterations) && options->iterations > 0;
    } else {
      understood = false;
    }
    if (!understood) return fail(argument, "not understood, see --help");
  }
  return options->module || fail("--module", "missing, see --help");
}

// Everything that a call needs, made once.
class Call {
 public:
  ~Call() {
    xcut_session_destroy(session_);
    for (std::vector<xcut_value> *values : {&inputs_, &outputs_, &expected_})
      for (xcut_value &value : *values) tool_value_free(&value);
    xcut_device_destroy(device_);
    xcut_module_unload(module_);
  }

  // Loads the module and reads the tensors; false after a message.
  bool prepare(const Options &options);

  // Runs the function once. Outputs that only the data gives a size are allocated anew each time.
  bool invoke(xcut_error *error) {
    for (size_t i : allocated_by_call_) {
      tool_value_free(&outputs_[i]);
      outputs_[i].data = nullptr;
      outputs_[i].bytes = 0;
    }
    return xcut_invoke(session_, inputs_.data(), static_cast<uint32_t>(inputs_.size()), outputs_.data(),
                       static_cast<uint32_t>(outputs_.size()), error) == XCUT_OK;
  }

  // Runs once and compares; the reason when that fails, else empty.
  std::string verify(const Options &options);

  // Back to the state before the first call.
  bool reset(xcut_error *error) { return xcut_session_reset(session_, error) == XCUT_OK; }

  void report(benchmark::State &state) const;

  std::string name() const { return xcut_function_name(&function_); }
  uint32_t threads() const { return xcut_device_threads(device_); }

 private:
  bool load(const Options &options, xcut_error *error);
  bool readTensors(const Options &options, xcut_error *error);

  xcut_module *module_ = nullptr;
  xcut_device *device_ = nullptr;
  xcut_session *session_ = nullptr;
  xcut_function function_ = {};
  std::vector<xcut_value> inputs_, outputs_, expected_;
  std::unique_ptr<bool[]> has_expected_;
  std::vector<size_t> allocated_by_call_;
  double load_us_ = 0;
  uint64_t arena_bytes_ = 0;
};

bool Call::load(const Options &options, xcut_error *error) {
  xcut_load_options load_options = {};
  load_options.allocator = xcut_allocator_system();
  auto start = std::chrono::steady_clock::now();
  if (xcut_module_load_file(options.module, &load_options, &module_, error) != XCUT_OK) return false;
  load_us_ = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
  if (xcut_module_find_function(module_, options.function, &function_, error) != XCUT_OK) return false;

  xcut_device_options device_options = {};
  device_options.allocator = load_options.allocator;
  device_options.threads = static_cast<uint32_t>(options.threads);
  if (xcut_device_create(options.device, &device_options, &device_, error) != XCUT_OK) return false;
  xcut_allocator allocator = tool_allocator();
  return xcut_session_create(&function_, device_, &allocator, &session_, error) == XCUT_OK;
}

bool Call::readTensors(const Options &options, xcut_error *error) {
  inputs_.resize(function_.info->input_count);
  outputs_.resize(function_.info->output_count);
  expected_.resize(function_.info->output_count);
  has_expected_ = std::make_unique<bool[]>(expected_.size() + 1);
  if (!tool_parse_inputs(&function_, options.inputs.data(), static_cast<uint32_t>(options.inputs.size()),
                         inputs_.data(), error) ||
      !tool_parse_expected(&function_, options.expected.data(), static_cast<uint32_t>(options.expected.size()),
                           expected_.data(), has_expected_.get(), error))
    return false;
  uint32_t input_count = static_cast<uint32_t>(inputs_.size()), output_count = static_cast<uint32_t>(outputs_.size());
  if (xcut_plan(session_, inputs_.data(), input_count, outputs_.data(), output_count, &arena_bytes_, error) !=
          XCUT_OK ||
      !tool_allocate_outputs(session_, inputs_.data(), input_count, outputs_.data(), output_count, error))
    return false;
  for (size_t i = 0; i < outputs_.size(); ++i)
    if (!outputs_[i].data) allocated_by_call_.push_back(i);
  return true;
}

bool Call::prepare(const Options &options) {
  xcut_error error = {};
  return (load(options, &error) && readTensors(options, &error)) || fail(options.module, error.message);
}

std::string Call::verify(const Options &options) {
  xcut_error error = {};
  if (!invoke(&error)) return error.message;
  for (size_t i = 0; i < outputs_.size(); ++i) {
    if (!has_expected_[i]) continue;
    tool_comparison result = tool_compare(&outputs_[i], &expected_[i], options.atol, options.rtol);
    if (result.matches) continue;
    char actual[160], wanted[160], text[480];
    if (!result.same_shape) {
      tool_shape_text(&outputs_[i], actual, sizeof actual);
      tool_shape_text(&expected_[i], wanted, sizeof wanted);
      std::snprintf(text, sizeof text, "wrong output: output %zu is %s, expected %s", i, actual, wanted);
    } else {
      tool_element_text(&outputs_[i], result.first_mismatch, actual, sizeof actual);
      tool_element_text(&expected_[i], result.first_mismatch, wanted, sizeof wanted);
      std::snprintf(text, sizeof text,
                    "wrong output: %zu elements of output %zu differ, element %zu is %s, expected %s",
                    result.mismatches, i, result.first_mismatch, actual, wanted);
    }
    return text;
  }
  return "";
}

void Call::report(benchmark::State &state) const {
  xcut_module_description module;
  xcut_variant_description variant;
  xcut_module_describe(module_, &module);
  if (xcut_module_variant(module_, module.chosen_variant, &variant) != XCUT_OK) variant.code_bytes = 0;
  state.counters["load_us"] = load_us_;
  state.counters["arena_bytes"] = static_cast<double>(arena_bytes_);
  state.counters["code_bytes"] = variant.code_bytes;
  state.counters["weight_bytes"] = static_cast<double>(module.weights_bytes);
}

// One benchmark. Returns false, after saying so in the row as well, when a call fails.
void run(benchmark::State &state, Call &call, bool marked, bool *failed) {
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
  call.report(state);
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
  Call call;
  if (!parseOptions(argc, argv, &options) || !call.prepare(options)) return 1;

  bool failed = false;
  std::string problem = call.verify(options);
  xcut_error error = {};
  if (problem.empty() && !call.reset(&error)) problem = error.message;
  const char *slash = std::strrchr(options.module, '/');
  std::string name = std::string(slash ? slash + 1 : options.module) + "/" + call.name() + "/" + options.device +
                     "/threads:" + std::to_string(call.threads());
  auto *registered = benchmark::RegisterBenchmark(name.c_str(), [&](benchmark::State &state) {
    if (problem.empty()) return run(state, call, options.iterations != 0, &failed);
    failed = true;
    state.SkipWithError(problem.c_str());
  });
  registered->UseRealTime()->Unit(benchmark::kMicrosecond);
  if (options.iterations) registered->Iterations(static_cast<benchmark::IterationCount>(options.iterations));
  size_t ran = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  if (!problem.empty()) fail(options.module, problem.c_str());
  return ran == 0 || failed ? 1 : 0;
}
