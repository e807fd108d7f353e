// What golden models call. `user`, if any, points at an int that counts the calls.
#ifndef GOLDEN_PLUGIN_H
#define GOLDEN_PLUGIN_H

#include "crosscut/plugin.h"

// The plugin golden.Lookup, which modules call from abi1-3 on: each index becomes the entry that it points at.
static int32_t golden_lookup(xcut_plugin_call *call) {
  const xcut_plugin_tensor *entries = xcut_plugin_find_attribute(call, "entries");
  if (!entries || entries->type != XCUT_TYPE_I64 || entries->rank != 1) return xcut_plugin_fail(call, "no entries");
  if (call->input_count != 1 || call->output_count != 1) return xcut_plugin_fail(call, "takes one tensor");
  const xcut_plugin_tensor *from = &call->inputs[0], *to = &call->outputs[0];
  if (from->type != XCUT_TYPE_I64 || to->type != XCUT_TYPE_I64 || from->elements != to->elements)
    return xcut_plugin_fail(call, "takes integers, and returns as many");
  for (uint64_t i = 0; i < from->elements; ++i) {
    const int64_t at = ((const int64_t *)from->data)[i];
    if (at < 0 || (uint64_t)at >= entries->elements) return xcut_plugin_fail(call, "there is no such entry");
    ((int64_t *)to->data)[i] = ((const int64_t *)entries->data)[at];
  }
  if (call->user) ++*(int *)call->user;
  return 0;
}

#endif  // GOLDEN_PLUGIN_H
