// Times what the runtime itself costs: dispatches of kernels that do nothing, and loading.
//
// A Google Benchmark program over the runtime's test module, whose function "empty" makes as many dispatches as it is
// asked for, each ordered after the one before. The counter `dispatch` is the time of one of them.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "../runtime/tools/common/tools.h"

namespace {

const char kUsage[] =
    "usage: crosscut-dispatch-bench --module=FILE [--model=FILE] [--benchmark_...]\n"
    "\n"
    "Times dispatches of an empty kernel on local-sync, and on local-task with 1 and 2 threads; and loading.\n"
    "\n"
    "  --module=FILE  the runtime's test module: runtime/test/fixture.xcm in the build tree\n"
    "  --model=FILE   a compiled model, to time loading it too\n"
    "  --help         this text, and then that of Google Benchmark's options\n"
    "\n"
    "Exit status: 0 timed, 1 anything else.\n";

constexpr int32_t kDispatches = 1000;

struct Device {
  const char *name;
  uint32_t threads;
};

// A call of "empty" on a device, or a reason why there is none.
class EmptyCall {
 public:
  EmptyCall(const char *file, const Device &where, int32_t items) : numbers_{kDispatches, items} {
    xcut_load_options load = {};
    load.allocator = xcut_allocator_system();
    xcut_device_options options = {};
    options.allocator = load.allocator;
    options.threads = where.threads;
    xcut_function function;
    ready_ = xcut_module_load_file(file, &load, &module_, &error) == XCUT_OK &&
             xcut_module_find_function(module_, "empty", &function, &error) == XCUT_OK &&
             xcut_device_create(where.name, &options, &device_, &error) == XCUT_OK &&
             xcut_session_create(&function, device_, &load.allocator, &session_, &error) == XCUT_OK;
  }
  ~EmptyCall() {
    xcut_session_destroy(session_);
    xcut_device_destroy(device_);
    xcut_module_unload(module_);
  }
  EmptyCall(const EmptyCall &) = delete;
  EmptyCall &operator=(const EmptyCall &) = delete;

  bool invoke() {
    if (!ready_) return false;
    xcut_value in = {numbers_, sizeof numbers_, XCUT_TYPE_I32, 1, {2}};
    xcut_value out = {&made_, sizeof made_, XCUT_TYPE_I32, 1, {1}};
    made_ = 0;
    if (xcut_invoke(session_, &in, 1, &out, 1, &error) != XCUT_OK) return false;
    if (made_ == kDispatches) return true;
    std::snprintf(error.message, sizeof error.message, "%d dispatches instead of %d", made_, kDispatches);
    return false;
  }

  xcut_error error = {};

 private:
  int32_t numbers_[2], made_ = 0;
  bool ready_ = false;
  xcut_module *module_ = nullptr;
  xcut_device *device_ = nullptr;
  xcut_session *session_ = nullptr;
};

bool failed = false;

void skip(benchmark::State &state, const char *message) {
  failed = true;
  state.SkipWithError(message);
}

void timeDispatches(benchmark::State &state, const char *file, const Device &device, int32_t items) {
  EmptyCall call(file, device, items);
  if (!call.invoke()) return skip(state, call.error.message);
  for (auto _ : state)
    if (!call.invoke()) return skip(state, call.error.message);
  state.counters["dispatch"] =
      benchmark::Counter(kDispatches, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void timeLoad(benchmark::State &state, const char *file) {
  for (auto _ : state) {
    xcut_load_options options = {};
    options.allocator = xcut_allocator_system();
    xcut_module *module = nullptr;
    xcut_error error = {};
    if (xcut_module_load_file(file, &options, &module, &error) != XCUT_OK) return skip(state, error.message);
    xcut_module_unload(module);
  }
}

void addAll(const char *module, const char *model) {
  for (Device device : {Device{"local-sync", 1}, Device{"local-task", 1}, Device{"local-task", 2}}) {
    for (int32_t items : {1, 2, 64}) {
      std::string name = std::string("dispatch/") + device.name + "/threads:" + std::to_string(device.threads) +
                         "/items:" + std::to_string(items);
      benchmark::RegisterBenchmark(name.c_str(),
                                   [=](benchmark::State &state) { timeDispatches(state, module, device, items); })
          ->UseRealTime()
          ->Unit(benchmark::kMicrosecond);
    }
  }
  for (const char *file : {module, model}) {
    if (!file) continue;
    const char *slash = std::strrchr(file, '/');
    benchmark::RegisterBenchmark((std::string("load/") + (slash ? slash + 1 : file)).c_str(),
                                 [=](benchmark::State &state) { timeLoad(state, file); })
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace

int main(int argc, char **argv) {
  for (int i = 1; i < argc; ++i)
    if (std::strcmp(argv[i], "--help") == 0 || std::strcmp(argv[i], "-h") == 0) std::fputs(kUsage, stdout);
  benchmark::Initialize(&argc, argv);
  const char *module = nullptr, *model = nullptr;
  for (int i = 1; i < argc; ++i) {
    if (tool_flag(argv[i], "module", &module) || tool_flag(argv[i], "model", &model)) continue;
    std::fprintf(stderr, "crosscut-dispatch-bench: %s: not understood, see --help\n", argv[i]);
    return 1;
  }
  if (!module) return std::fputs("crosscut-dispatch-bench: no --module, see --help\n", stderr), 1;
  addAll(module, model);
  size_t ran = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return ran == 0 || failed ? 1 : 0;
}
