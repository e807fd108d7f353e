// The plugin as a shared library for crosscut-run and crosscut-bench: --plugin=libsensor.so.
#include "linearize.h"

static const xcut_plugin plugins[] = {{"sensor.Linearize", plugin_sensor_Linearize, NULL}};
XCUT_EXPORT_PLUGINS(plugins)
