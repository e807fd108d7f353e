// Whether a caller's tensors fit a function's signature, and what to say when they do not.
#include "core/signature.h"

static const char *role_of(const xcut_function_info *info, uint32_t index) {
  if (index < info->input_count) return "input";
  return index < info->input_count + info->output_count ? "output" : "state";
}

static const xcut_tensor_info *tensor_of(const xcut_function_info *info, uint32_t index) {
  return (const xcut_tensor_info *)xcut_at(&info->tensors) + index;
}

xcut_status xcut_check_counts(const xcut_session *session, const xcut_value *inputs, uint32_t input_count,
                              const xcut_value *outputs, uint32_t output_count, xcut_error *error) {
  const xcut_function_info *info = session->info;
  const char *name = xcut_text_at(&info->name);
  if (input_count != info->input_count) {
    return xcut_fail(error, XCUT_E_COUNT, "%u input%s given, function '%s' takes %u", input_count,
                     input_count == 1 ? "" : "s", name, info->input_count);
  }
  if (output_count != info->output_count) {
    return xcut_fail(error, XCUT_E_COUNT, "%u output%s given, function '%s' has %u", output_count,
                     output_count == 1 ? "" : "s", name, info->output_count);
  }
  if ((input_count && !inputs) || (output_count && !outputs)) {
    return xcut_fail(error, XCUT_E_ARGUMENT, "the inputs or outputs are null");
  }
  return XCUT_OK;
}

xcut_status xcut_check_input(const xcut_function_info *info, uint32_t index, const xcut_value *value,
                             xcut_error *error) {
  const xcut_tensor_info *tensor = tensor_of(info, index);
  const char *name = xcut_text_at(&tensor->name);
  if (value->type != tensor->type) {
    return xcut_fail(error, XCUT_E_TYPE, "input '%s': type is %s, must be %s", name, xcut_type_name(value->type),
                     xcut_type_name(tensor->type));
  }
  if (value->rank != tensor->rank) {
    return xcut_fail(error, XCUT_E_SHAPE, "input '%s': rank is %u, must be %u", name, value->rank, tensor->rank);
  }
  const int64_t *dims = xcut_at(&tensor->dims);
  // Sizes that the module computes from these must not wrap around, not even those of a tensor that has no elements
  // because another dimension is 0.
  size_t span = 1;
  for (unsigned i = 0; i < tensor->rank; ++i) {
    uint64_t dim = value->dims[i] > 0 ? (uint64_t)value->dims[i] : 1;
    if (dim > SIZE_MAX >> 4 || (size_t)dim > (SIZE_MAX >> 4) / span) {
      return xcut_fail(error, XCUT_E_SHAPE, "input '%s': its shape is larger than memory", name);
    }
    span *= (size_t)dim;
    if (value->dims[i] >= 0 && (dims[i] == -1 || value->dims[i] == dims[i])) continue;
    if (dims[i] == -1) {
      return xcut_fail(error, XCUT_E_SHAPE, "input '%s': dimension %u is %lld", name, i, (long long)value->dims[i]);
    }
    return xcut_fail(error, XCUT_E_SHAPE, "input '%s': dimension %u is %lld, must be %lld", name, i,
                     (long long)value->dims[i], (long long)dims[i]);
  }
  if (xcut_value_bytes(value) == SIZE_MAX) {
    return xcut_fail(error, XCUT_E_SHAPE, "input '%s': its shape is larger than memory", name);
  }
  return XCUT_OK;
}

xcut_status xcut_check_data(const xcut_function_info *info, uint32_t index, const xcut_value *value,
                            xcut_error *error) {
  const char *name = xcut_text_at(&tensor_of(info, index)->name);
  size_t needed = xcut_value_bytes(value);
  if (needed && !value->data) {
    return xcut_fail(error, XCUT_E_ARGUMENT, "%s '%s': no data given", role_of(info, index), name);
  }
  if (value->bytes < needed) {
    return xcut_fail(error, XCUT_E_ARGUMENT, "%s '%s': its data has %zu bytes, its shape needs %zu",
                     role_of(info, index), name, value->bytes, needed);
  }
  if ((uintptr_t)value->data % xcut_type_bytes(value->type) != 0) {
    return xcut_fail(error, XCUT_E_ARGUMENT, "%s '%s': its data is not aligned to its type", role_of(info, index),
                     name);
  }
  return XCUT_OK;
}

xcut_status xcut_explain(const xcut_session *session, int32_t result, xcut_error *error) {
  const xcut_call *call = &session->call;
  const xcut_function_info *info = session->info;
  const char *role = "tensor", *name = "?";
  if (call->error_tensor < info->input_count + info->output_count + info->state_count) {
    role = role_of(info, call->error_tensor);
    name = xcut_text_at(&tensor_of(info, call->error_tensor)->name);
  }
  long long expected = call->error_expected, actual = call->error_actual;
  switch (result) {
    case XCUT_RUN_OK: return XCUT_OK;
    case XCUT_RUN_SHAPE:
      return xcut_fail(error, XCUT_E_SHAPE, "%s '%s': dimension %u is %lld, must be %lld", role, name, call->error_dim,
                       actual, expected);
    case XCUT_RUN_ARENA:
      return xcut_fail(error, XCUT_E_ARENA, "the arena has %lld bytes, the call needs %lld", actual, expected);
    case XCUT_RUN_DATA: return xcut_fail(error, XCUT_E_DATA, "%s '%s': value %lld is out of range", role, name, actual);
    case XCUT_RUN_MEMORY: return xcut_fail(error, XCUT_E_MEMORY, "no memory for an output");
#if XCUT_WITH_PLUGINS
    case XCUT_RUN_PLUGIN: return xcut_plugins_explain(session, error);
#endif
    default: return xcut_fail(error, XCUT_E_IMAGE, "the module returned the unknown result %d", (int)result);
  }
}
