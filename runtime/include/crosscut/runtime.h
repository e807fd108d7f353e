// The whole public interface of the Crosscut runtime.
//
//   xcut_load_options options = {.allocator = xcut_allocator_system()};
//   xcut_module *module;
//   xcut_module_load_file("model.xcm", &options, &module, &error);
//   xcut_function main;
//   xcut_module_find_function(module, "main", &main, &error);
//   xcut_device_create("local-task", &(xcut_device_options){.allocator = options.allocator}, &device, &error);
//   xcut_session_create(&main, device, &options.allocator, &session, &error);
//   xcut_invoke(session, &input, 1, &output, 1, &error);
#ifndef CROSSCUT_RUNTIME_H
#define CROSSCUT_RUNTIME_H

#include "crosscut/abi.h"
#include "crosscut/cpu.h"
#include "crosscut/device.h"
#include "crosscut/memory.h"
#include "crosscut/module.h"
#include "crosscut/platform.h"
#include "crosscut/plugin.h"
#include "crosscut/session.h"
#include "crosscut/status.h"

#endif  // CROSSCUT_RUNTIME_H
