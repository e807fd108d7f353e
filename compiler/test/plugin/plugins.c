// The plugins of the tests' models: straightforward loops, each strict about what it is given.
#include "plugins.h"

#include <string.h>

// y[n][c][...] = x[n][c][...] * scale + shift[c]: reads the channels where the model has them, whatever kernels prefer.
int32_t plugin_acme_Affine(xcut_plugin_call *call) {
  if (call->input_count != 1 || call->output_count != 1) return xcut_plugin_fail(call, "takes one tensor");
  const xcut_plugin_tensor *x = &call->inputs[0], *y = &call->outputs[0];
  const xcut_plugin_tensor *scale = xcut_plugin_find_attribute(call, "scale");
  const xcut_plugin_tensor *shift = xcut_plugin_find_attribute(call, "shift");
  if (x->type != XCUT_TYPE_F32 || y->type != XCUT_TYPE_F32) return xcut_plugin_fail(call, "types differ from float");
  if (x->rank < 2 || x->rank != y->rank) return xcut_plugin_fail(call, "ranks differ");
  for (unsigned d = 0; d < x->rank; ++d)
    if (x->dims[d] != y->dims[d]) return xcut_plugin_fail(call, "would make another shape than the model states");
  if (!scale || scale->type != XCUT_TYPE_F32 || scale->rank != 0 || scale->elements != 1)
    return xcut_plugin_fail(call, "scale is no float");
  if (!shift || shift->type != XCUT_TYPE_F32 || shift->rank != 1 || shift->dims[0] != x->dims[1])
    return xcut_plugin_fail(call, "shift is no float for each channel");
  uint64_t channels = (uint64_t)x->dims[1], inner = 1;
  for (unsigned d = 2; d < x->rank; ++d) inner *= (uint64_t)x->dims[d];
  const float *from = x->data, *shifts = shift->data;
  for (uint64_t i = 0; i < x->elements; ++i)
    ((float *)y->data)[i] = from[i] * *(const float *)scale->data + shifts[i / inner % channels];
  return 0;
}

// a > b for each element as bool, and how many there are as int64.
int32_t plugin_acme_Compare(xcut_plugin_call *call) {
  if (call->input_count != 2 || call->output_count != 2) return xcut_plugin_fail(call, "takes two tensors");
  const xcut_plugin_tensor *a = &call->inputs[0], *b = &call->inputs[1];
  const xcut_plugin_tensor *greater = &call->outputs[0], *count = &call->outputs[1];
  if (a->type != XCUT_TYPE_U8 || b->type != XCUT_TYPE_U8 || greater->type != XCUT_TYPE_BOOL ||
      count->type != XCUT_TYPE_I64 || count->rank != 0 || a->elements != b->elements)
    return xcut_plugin_fail(call, "wrong types");
  int64_t found = 0;
  for (uint64_t i = 0; i < a->elements; ++i)
    found += ((uint8_t *)greater->data)[i] = ((const uint8_t *)a->data)[i] > ((const uint8_t *)b->data)[i];
  *(int64_t *)count->data = found;
  return 0;
}

static int is_text(const xcut_plugin_tensor *value, const char *text) {
  return value && value->type == XCUT_TYPE_U8 && value->rank == 1 && (size_t)value->dims[0] == strlen(text) &&
         strcmp(value->data, text) == 0;
}

// Checks one attribute of every kind, and passes its input on.
int32_t plugin_acme_Describe(xcut_plugin_call *call) {
  const xcut_plugin_tensor *axis = xcut_plugin_find_attribute(call, "axis");
  if (!axis || axis->type != XCUT_TYPE_I64 || axis->rank != 0 || *(const int64_t *)axis->data != -3)
    return xcut_plugin_fail(call, "axis");
  const xcut_plugin_tensor *list = xcut_plugin_find_attribute(call, "list");
  static const int64_t numbers[] = {1, -2, INT64_MAX};
  if (!list || list->type != XCUT_TYPE_I64 || list->rank != 1 || list->dims[0] != 3 ||
      memcmp(list->data, numbers, sizeof numbers) != 0)
    return xcut_plugin_fail(call, "list");
  const xcut_plugin_tensor *none = xcut_plugin_find_attribute(call, "none");
  if (!is_text(none, "")) return xcut_plugin_fail(call, "none");
  if (!is_text(xcut_plugin_find_attribute(call, "mode"),
               "gr\xc3\xb6\xc3\x9f"
               "er"))
    return xcut_plugin_fail(call, "mode");
  const xcut_plugin_tensor *table = xcut_plugin_find_attribute(call, "table");
  static const uint16_t entries[] = {1, 65535, 3, 4, 5, 6};
  if (!table || table->type != XCUT_TYPE_U16 || table->rank != 2 || table->dims[0] != 2 || table->dims[1] != 3 ||
      memcmp(table->data, entries, sizeof entries) != 0)
    return xcut_plugin_fail(call, "table");
  const xcut_plugin_tensor *mask = xcut_plugin_find_attribute(call, "mask");
  static const uint8_t bits[] = {1, 0, 1};
  if (!mask || mask->type != XCUT_TYPE_BOOL || mask->elements != 3 || memcmp(mask->data, bits, 3) != 0)
    return xcut_plugin_fail(call, "mask");
  if (call->attribute_count != 6) return xcut_plugin_fail(call, "attribute_count");
  for (uint32_t i = 1; i < call->attribute_count; ++i)
    if (strcmp(call->attributes[i - 1].name, call->attributes[i].name) >= 0) return xcut_plugin_fail(call, "order");
  if (strcmp(call->node, "Describe:all of them") != 0) return xcut_plugin_fail(call, call->node);
  memcpy(call->outputs[0].data, call->inputs[0].data, (size_t)call->inputs[0].elements * 4);
  return 0;
}

int32_t plugin_acme_Fail(xcut_plugin_call *call) {
  memset(call->outputs[0].data, 0xff, (size_t)call->outputs[0].elements * 4);
  call->message = "there is no such sensor";
  return 17;
}

// y[r] = sum of x[r][...], whatever the sizes.
int32_t plugin_acme_Rows(xcut_plugin_call *call) {
  const xcut_plugin_tensor *x = &call->inputs[0], *y = &call->outputs[0];
  if (x->rank != 2 || y->rank != 1 || y->dims[0] != x->dims[0] || (int64_t)x->elements != x->dims[0] * x->dims[1] ||
      (int64_t)y->elements != y->dims[0])
    return xcut_plugin_fail(call, "would make another shape than the model states");
  for (int64_t r = 0; r < x->dims[0]; ++r) {
    float sum = 0;
    for (int64_t i = 0; i < x->dims[1]; ++i) sum += ((const float *)x->data)[r * x->dims[1] + i];
    ((float *)y->data)[r] = sum;
  }
  return 0;
}
