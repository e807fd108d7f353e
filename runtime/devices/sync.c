// local-sync: every kernel runs at once in the thread that invokes. Exact instruction counts are taken on this device,
// so that a dispatch costs a call and nothing else.
#include "core/internal.h"

static xcut_token run_kernel(xcut_env *env, xcut_kernel_fn kernel, const void *args, uint32_t count,
                             const xcut_token *after, uint32_t after_count) {
  (void)after;  // earlier work is done
  (void)after_count;
  xcut_session *session = ((xcut_run *)env)->session;
  if (!session->times) {
    kernel(args, 0, count);
    return 0;
  }
  const xcut_platform *platform = session->device->platform;
  uint64_t start = platform->clock_ns(platform->self);
  kernel(args, 0, count);
  uint64_t end = platform->clock_ns(platform->self);
  uint32_t index = xcut_session_kernel_index(session, kernel);
  if (index < session->module->variant->kernel_count) {
    session->times[index].calls += 1;
    session->times[index].nanoseconds += end - start;
  }
  return 0;
}

static void wait_token(xcut_env *env, xcut_token token) {
  (void)env;
  (void)token;
}

static void sync_run_begin(xcut_run *run) {
  run->env.dispatch = run_kernel;
  run->env.wait = wait_token;
}

static void sync_execute(xcut_run *run) { xcut_session_execute(run->session); }

static bool sync_wait(xcut_run *run, uint64_t timeout_ns) {
  (void)run;
  (void)timeout_ns;
  return true;
}

static void sync_destroy(xcut_device *device) { device->allocator.release(device->allocator.self, device); }

static size_t sync_run_bytes(const xcut_device *device) {
  (void)device;
  return sizeof(xcut_run);
}

static const xcut_device_ops kSyncOps = {
    .run_bytes = sync_run_bytes,
    .run_begin = sync_run_begin,
    .invoke = sync_execute,
    .start = sync_execute,
    .wait = sync_wait,
    .destroy = sync_destroy,
};

xcut_status xcut_device_create_sync(const xcut_device_options *options, xcut_device **out, xcut_error *error) {
  xcut_device *device = options->allocator.allocate(options->allocator.self, sizeof *device, _Alignof(xcut_device));
  if (!device) return xcut_fail(error, XCUT_E_MEMORY, "no memory for a device");
  *device = (xcut_device){&kSyncOps, "local-sync", options->allocator, options->platform, 1};
  *out = device;
  return XCUT_OK;
}
