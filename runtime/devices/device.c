// The list of devices, and what all of them share.
#include "core/internal.h"

static const struct {
  const char *name;
  xcut_status (*create)(const xcut_device_options *, xcut_device **, xcut_error *);
} kDevices[] = {
    {"local-sync", xcut_device_create_sync},
#if XCUT_WITH_THREADS
    {"local-task", xcut_device_create_task},
#endif
};

const char *xcut_device_available(uint32_t index) {
  return index < XCUT_COUNT_OF(kDevices) ? kDevices[index].name : NULL;
}

xcut_status xcut_device_create(const char *name, const xcut_device_options *options, xcut_device **out,
                               xcut_error *error) {
  if (!out) return xcut_fail(error, XCUT_E_ARGUMENT, "device: out is null");
  *out = NULL;
  if (!name || !options || !options->allocator.allocate || !options->allocator.release) {
    return xcut_fail(error, XCUT_E_ARGUMENT, "device: no name or no allocator");
  }
  for (unsigned i = 0; i < XCUT_COUNT_OF(kDevices); ++i) {
    if (!xcut_same_text(kDevices[i].name, name)) continue;
    xcut_device_options resolved = *options;
    if (!resolved.platform) resolved.platform = xcut_platform_default();
    return kDevices[i].create(&resolved, out, error);
  }
  char names[80] = "";
  xcut_text text = xcut_text_begin(names, sizeof names);
  for (unsigned i = 0; i < XCUT_COUNT_OF(kDevices); ++i) {
    xcut_text_add(&text, "%s%s", i ? ", " : "", kDevices[i].name);
  }
  return xcut_fail(error, XCUT_E_NOT_FOUND, "no device '%s'; there is %s", name, names);
}

void xcut_device_destroy(xcut_device *device) {
  if (device) device->ops->destroy(device);
}

const char *xcut_device_name(const xcut_device *device) { return device->name; }

uint32_t xcut_device_threads(const xcut_device *device) { return device->threads; }
