// Times the compiler on whole models: the program as people start it, from the model's file to the module's.
#include <benchmark/benchmark.h>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "../runtime/tools/common/tools.h"

extern char **environ;

namespace {

const char kUsage[] =
    "usage: crosscut-compile-bench --compiler=FILE --model=FILE [--flag=FLAG]... [--model=...] [--benchmark_...]\n"
    "\n"
    "Times `compiler MODEL -o FILE FLAG...` for every model; each module is loaded for inspection, which checks it.\n"
    "--flag belongs to the model before it, or to all when it is before the first. Counters: code_bytes, "
    "weight_bytes.\n"
    "Exit status: 0 compiled and timed, 1 anything else.\n";

struct Model {
  std::string file;
  std::vector<std::string> flags;
};

// Runs the program without its output; its exit status, or -1.
int runQuietly(const std::vector<std::string> &command) {
  std::vector<char *> arguments;
  for (const std::string &part : command) arguments.push_back(const_cast<char *>(part.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child;
  int problem = posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (problem != 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

// Sizes of the module, after its checks; the reason when it is none.
std::string inspect(const char *file, benchmark::State &state) {
  xcut_load_options load = {};
  load.allocator = xcut_allocator_system();
  load.flags = XCUT_LOAD_INSPECT;
  xcut_module *module = nullptr;
  xcut_error error = {};
  if (xcut_module_load_file(file, &load, &module, &error) != XCUT_OK) return error.message;
  xcut_module_description description;
  xcut_variant_description variant;
  xcut_module_describe(module, &description);
  if (xcut_module_variant(module, 0, &variant) == XCUT_OK) state.counters["code_bytes"] = variant.code_bytes;
  state.counters["weight_bytes"] = static_cast<double>(description.weights_bytes);
  xcut_module_unload(module);
  return "";
}

bool timeCompiler(benchmark::State &state, const char *compiler, const Model &model) {
  char module[] = "/tmp/crosscut-compile-bench.XXXXXX";
  int file = mkstemp(module);
  if (file < 0) return state.SkipWithError("no temporary file"), false;
  close(file);
  std::vector<std::string> command = {compiler, model.file, "-o", module};
  command.insert(command.end(), model.flags.begin(), model.flags.end());
  std::string problem;
  for (auto _ : state) {
    int status = runQuietly(command);
    if (status == 0) continue;
    problem = "the compiler's exit status is " + std::to_string(status);
    break;
  }
  if (problem.empty()) problem = inspect(module, state);
  unlink(module);
  if (!problem.empty()) state.SkipWithError(problem.c_str());
  return problem.empty();
}

}  // namespace

int main(int argc, char **argv) {
  for (int i = 1; i < argc; ++i)
    if (std::strcmp(argv[i], "--help") == 0) return std::fputs(kUsage, stdout) < 0;
  benchmark::Initialize(&argc, argv);
  const char *compiler = nullptr, *value = nullptr;
  std::vector<Model> models;
  std::vector<std::string> common;
  for (int i = 1; i < argc; ++i) {
    if (tool_flag(argv[i], "compiler", &compiler)) continue;
    if (tool_flag(argv[i], "model", &value)) models.push_back({value, common});
    else if (tool_flag(argv[i], "flag", &value)) (models.empty() ? common : models.back().flags).push_back(value);
    else return std::fprintf(stderr, "crosscut-compile-bench: %s: not understood, see --help\n", argv[i]), 1;
  }
  if (!compiler || models.empty())
    return std::fputs("crosscut-compile-bench: --compiler or --model: missing, see --help\n", stderr), 1;
  bool failed = false;
  for (const Model &model : models) {
    size_t slash = model.file.rfind('/');
    std::string name = "compile/" + (slash == std::string::npos ? model.file : model.file.substr(slash + 1));
    benchmark::RegisterBenchmark(
        name.c_str(),
        [&failed, compiler, &model](benchmark::State &state) { failed |= !timeCompiler(state, compiler, model); })
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  }
  size_t ran = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return ran == 0 || failed ? 1 : 0;
}
