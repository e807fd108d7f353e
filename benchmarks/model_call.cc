// See model_call.h.
#include "model_call.h"

#include <chrono>
#include <cstdio>

#include "marks.h"

bool ModelCall::load(const CallOptions &options, xcut_error *error) {
  xcut_load_options load_options = {};
  load_options.allocator = xcut_allocator_system();
  if (!tool_load_plugins(options.plugins.data(), static_cast<uint32_t>(options.plugins.size()), &plugins_,
                         &plugin_count_, error))
    return false;
  load_options.plugins = plugins_;
  load_options.plugin_count = plugin_count_;
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

bool ModelCall::readTensors(const CallOptions &options, xcut_error *error) {
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

// The session would allocate it in the first call, which then would not cost what the others do.
bool ModelCall::lendArena(xcut_error *error) {
  if (arena_bytes_ == 0) return true;
  arena_.type = XCUT_TYPE_U8;
  arena_.rank = 1;
  arena_.dims[0] = static_cast<int64_t>(arena_bytes_);
  return tool_value_allocate(&arena_, error) &&
         xcut_session_set_arena(session_, arena_.data, arena_.bytes, error) == XCUT_OK;
}

bool ModelCall::invokeAnew(const CallOptions &options, xcut_error *error) {
  xcut_load_options load_options = {};
  load_options.allocator = xcut_allocator_system();
  load_options.plugins = plugins_;
  load_options.plugin_count = plugin_count_;
  xcut_device_options device_options = {};
  device_options.allocator = load_options.allocator;
  device_options.threads = static_cast<uint32_t>(options.threads);
  xcut_module *module = nullptr;
  xcut_device *device = nullptr;
  xcut_session *session = nullptr;
  xcut_function function = {};
  bool done = xcut_module_load_file(options.module, &load_options, &module, error) == XCUT_OK &&
              xcut_module_find_function(module, options.function, &function, error) == XCUT_OK &&
              xcut_device_create(options.device, &device_options, &device, error) == XCUT_OK &&
              xcut_session_create(&function, device, &load_options.allocator, &session, error) == XCUT_OK &&
              xcut_invoke(session, inputs_.data(), static_cast<uint32_t>(inputs_.size()), outputs_.data(),
                          static_cast<uint32_t>(outputs_.size()), error) == XCUT_OK;
  xcut_session_destroy(session);
  xcut_device_destroy(device);
  xcut_module_unload(module);
  return done;
}

std::string ModelCall::prepare(const CallOptions &options) {
  xcut_error error = {};
  if (load(options, &error) && readTensors(options, &error) && lendArena(&error)) return "";
  return error.message;
}

bool ModelCall::writeOutputs(const CallOptions &options, xcut_error *error) const {
  if (options.outputs.size() > outputs_.size())
    return tool_fail(error, "--output given %zu times, the function has %zu outputs", options.outputs.size(),
                     outputs_.size());
  for (size_t i = 0; i < options.outputs.size(); ++i)
    if (!tool_write_npy(options.outputs[i], &outputs_[i], error)) return false;
  return true;
}

std::string ModelCall::verify(const CallOptions &options, bool marked) {
  atol_ = options.atol;
  rtol_ = options.rtol;
  xcut_error error = {};
  if (marked) xcut_mark_begin(0);
  bool done = invoke(&error);
  if (marked) xcut_mark_end(0);
  if (!done || !writeOutputs(options, &error)) return error.message;
  return compare();
}

std::string ModelCall::compare() const {
  for (size_t i = 0; i < outputs_.size(); ++i) {
    if (!has_expected_[i]) continue;
    tool_comparison result = tool_compare(&outputs_[i], &expected_[i], atol_, rtol_);
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

CallFacts ModelCall::facts() const {
  xcut_module_description module;
  xcut_variant_description variant;
  xcut_module_describe(module_, &module);
  CallFacts facts;
  facts.load_us = load_us_;
  facts.arena_bytes = arena_bytes_;
  facts.weight_bytes = module.weights_bytes;
  if (xcut_module_variant(module_, module.chosen_variant, &variant) == XCUT_OK) facts.code_bytes = variant.code_bytes;
  return facts;
}

bool ModelCall::measureKernels(std::vector<xcut_kernel_time> *times, xcut_error *error) {
  xcut_module_description module;
  xcut_variant_description variant;
  xcut_module_describe(module_, &module);
  if (xcut_module_variant(module_, module.chosen_variant, &variant) != XCUT_OK) return false;
  times->assign(variant.kernel_count, xcut_kernel_time{});
  return xcut_session_measure(session_, times->data(), variant.kernel_count, error) == XCUT_OK;
}

bool ModelCall::kernel(uint32_t index, xcut_kernel_description *out) const {
  xcut_module_description module;
  xcut_module_describe(module_, &module);
  return xcut_module_kernel(module_, module.chosen_variant, index, out) == XCUT_OK;
}

uint64_t ModelCall::requiredFeatures() const {
  xcut_module_description module;
  xcut_variant_description variant;
  xcut_module_describe(module_, &module);
  if (xcut_module_variant(module_, module.chosen_variant, &variant) != XCUT_OK) return 0;
  return variant.required_features;
}
