// A function of a compiled model with its inputs and expected outputs, ready to be called: what every way of measuring
// it starts from.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "../runtime/tools/common/tools.h"

// What the command line says of the model; strings are borrowed.
struct CallOptions {
  const char *module = nullptr;
  const char *function = nullptr;
  const char *device = "local-sync";
  std::vector<const char *> inputs, expected;
  std::vector<const char *> outputs;  // .npy files to write
  std::vector<const char *> plugins;  // shared libraries
  double atol = 1e-5, rtol = 1e-5;
  uint64_t threads = 0;
};

// Sizes of a module, for counters.
struct CallFacts {
  double load_us = 0;
  uint64_t arena_bytes = 0, code_bytes = 0, weight_bytes = 0;
};

// Everything that a call needs, made once.
class ModelCall {
 public:
  ~ModelCall() {
    xcut_session_destroy(session_);
    tool_value_free(&arena_);
    for (std::vector<xcut_value> *values : {&inputs_, &outputs_, &expected_})
      for (xcut_value &value : *values) tool_value_free(&value);
    xcut_device_destroy(device_);
    xcut_module_unload(module_);
    std::free(plugins_);
  }

  ModelCall() = default;
  ModelCall(const ModelCall &) = delete;
  ModelCall &operator=(const ModelCall &) = delete;

  // Loads the module and reads the tensors; the reason when that fails, else empty.
  std::string prepare(const CallOptions &options);

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

  // Loads the module into a new session, runs the function in it once, on the same inputs and outputs, and unloads it:
  // what a program's first inference costs. Nothing of the module but the system's cache of its file is kept.
  bool invokeAnew(const CallOptions &options, xcut_error *error);

  // Runs once, writes the outputs that were asked for and compares; the reason when that fails, else empty. `marked`
  // puts the marks of the counting plugin around the run.
  std::string verify(const CallOptions &options, bool marked);

  // Compares what the outputs hold with what verify() expected; the reason when they differ, else empty.
  std::string compare() const;

  // Back to the state before the first call.
  bool reset(xcut_error *error) { return xcut_session_reset(session_, error) == XCUT_OK; }

  CallFacts facts() const;

  // Adds to `times` from now on; local-sync only.
  bool measureKernels(std::vector<xcut_kernel_time> *times, xcut_error *error);
  // Of the kernel that times[index] belongs to.
  bool kernel(uint32_t index, xcut_kernel_description *out) const;

  // Bits XCUT_<ARCH>_* of the code that runs.
  uint64_t requiredFeatures() const;

  std::string name() const { return xcut_function_name(&function_); }
  uint32_t threads() const { return xcut_device_threads(device_); }

 private:
  bool load(const CallOptions &options, xcut_error *error);
  bool readTensors(const CallOptions &options, xcut_error *error);
  bool lendArena(xcut_error *error);
  bool writeOutputs(const CallOptions &options, xcut_error *error) const;

  xcut_plugin *plugins_ = nullptr;
  uint32_t plugin_count_ = 0;
  xcut_module *module_ = nullptr;
  xcut_device *device_ = nullptr;
  xcut_session *session_ = nullptr;
  xcut_function function_ = {};
  std::vector<xcut_value> inputs_, outputs_, expected_;
  xcut_value arena_ = {};
  std::unique_ptr<bool[]> has_expected_;
  std::vector<size_t> allocated_by_call_;
  double load_us_ = 0, atol_ = 0, rtol_ = 0;
  uint64_t arena_bytes_ = 0;
};
