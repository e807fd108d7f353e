// The plugin "sensor.Linearize": straight lines between the points of a curve that lie `step` readings apart.
#include "linearize.h"

int32_t plugin_sensor_Linearize(xcut_plugin_call *call) {
  const xcut_plugin_tensor *points = xcut_plugin_find_attribute(call, "points");
  const xcut_plugin_tensor *step = xcut_plugin_find_attribute(call, "step");
  if (!points || points->type != XCUT_TYPE_I32 || !step || step->type != XCUT_TYPE_I64)
    return xcut_plugin_fail(call, "the attributes points (i32) and step (i64) are missing");
  if (call->input_count != 1 || call->inputs[0].type != XCUT_TYPE_I32 || call->output_count != 1 ||
      call->outputs[0].type != XCUT_TYPE_I32 || call->outputs[0].elements != call->inputs[0].elements)
    return xcut_plugin_fail(call, "takes integers, and returns as many");

  const int32_t *curve = points->data, *readings = call->inputs[0].data;
  int32_t *values = call->outputs[0].data;
  int32_t distance = (int32_t)*(const int64_t *)step->data, last = (int32_t)points->elements - 1;
  if (distance <= 0) return xcut_plugin_fail(call, "step is not positive");
  for (uint64_t i = 0; i < call->inputs[0].elements; ++i) {
    int32_t at = readings[i] / distance, beyond = readings[i] % distance;
    if (readings[i] < 0 || at >= last) return xcut_plugin_fail(call, "a reading is outside of the curve");
    values[i] = curve[at] + (curve[at + 1] - curve[at]) * beyond / distance;
  }
  if (call->user) ++*(int *)call->user;
  return 0;
}
