#ifndef LINEARIZE_H
#define LINEARIZE_H

#include <crosscut/plugin.h>

int32_t plugin_sensor_Linearize(xcut_plugin_call *call);

// What both programs measure, and the degrees Fahrenheit that come of it. The second reading is out of range, and taken
// for the largest, 1023. All results are exact.
static const int32_t readings[4] = {256, 2000, 384, 0};
static const float expected[4] = {32.0F, 241.58984375F, 53.875F, -38.0F};

#endif  // LINEARIZE_H
