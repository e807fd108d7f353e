// How kernels are run: by the calling thread alone (local-sync), or by a pool of threads (local-task).
#ifndef CROSSCUT_DEVICE_H
#define CROSSCUT_DEVICE_H

#include "crosscut/memory.h"
#include "crosscut/platform.h"
#include "crosscut/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct xcut_device xcut_device;

typedef struct xcut_device_options {
  xcut_allocator allocator;       // for the device's record; required
  const xcut_platform *platform;  // null: xcut_platform_default(); must outlive the device
  uint32_t threads;               // local-task: threads that run kernels, the caller's included; 0: one a CPU
  const uint32_t *cpus;           // local-task: started thread i runs on CPU cpus[i % cpu_count] only; null: anywhere
  uint32_t cpu_count;
} xcut_device_options;

#define XCUT_MAX_THREADS 256

// Creates a device.
//
// name     "local-sync": kernels run in the thread that invokes; needs no threads; xcut_invoke_async() runs the call
//          at once.
//          "local-task": a pool of options->threads - 1 threads (one at least, for asynchronous calls) and the threads
//          that invoke or wait. Idle threads spin for at most 50 microseconds, then sleep.
// options  see there; copied.
// out      caller destroys with xcut_device_destroy(); null on error.
//
// Threads: safe; a device may be shared by any number of threads and sessions.
// Allocates: through options->allocator. Threads take their stacks from the platform.
// Errors:  XCUT_E_NOT_FOUND    no such device
//          XCUT_E_ARGUMENT     no allocator, or more than XCUT_MAX_THREADS threads
//          XCUT_E_UNSUPPORTED  the platform has no threads
//          XCUT_E_MEMORY       allocator refused, or a thread could not be started
XCUT_NODISCARD xcut_status xcut_device_create(const char *name, const xcut_device_options *options, xcut_device **out,
                                              xcut_error *error);

// Stops the threads and releases the device; null is ignored. No session of it may be left.
void xcut_device_destroy(xcut_device *device);

// The device's name, and the number of threads that run kernels.
const char *xcut_device_name(const xcut_device *device);
uint32_t xcut_device_threads(const xcut_device *device);

// Names of the devices that this runtime was built with: index 0, 1, ...; null past the last. Static storage.
const char *xcut_device_available(uint32_t index);

#ifdef __cplusplus
}
#endif
#endif  // CROSSCUT_DEVICE_H
