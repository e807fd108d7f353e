// local-sync: every kernel runs at once in the thread that invokes. Exact instruction counts are taken on this device,
// so that a dispatch costs a call and nothing else.
#include "core/internal.h"

static xcut_token run_kernel(xcut_env *env, xcut_kernel_fn kernel, const void *args, uint32_t count,
                             const xcut_token *after, uint32_t after_count) {
  (void)env;
  (void)after;  // earlier work is done
  (void)after_count;
  kernel(args, 0, count);
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

// ---- Times of kernels: in no image whose program does not ask for them -----------------------------------------------

// Index of a kernel of the session's variant, or the number of kernels when it is none.
static uint32_t kernel_index(const xcut_variant *variant, xcut_kernel_fn kernel) {
  const xcut_kernel_info *kernels = xcut_at(&variant->kernels);
  uint32_t i = 0;
  while (i < variant->kernel_count && (uintptr_t)xcut_at(&kernels[i].function) != (uintptr_t)kernel) ++i;
  return i;
}

static xcut_token time_kernel(xcut_env *env, xcut_kernel_fn kernel, const void *args, uint32_t count,
                              const xcut_token *after, uint32_t after_count) {
  (void)after;
  (void)after_count;
  xcut_session *session = ((xcut_run *)env)->session;
  const xcut_platform *platform = session->device->platform;
  uint64_t start = platform->clock_ns(platform->self);
  kernel(args, 0, count);
  uint64_t end = platform->clock_ns(platform->self);
  uint32_t index = kernel_index(session->module->variant, kernel);
  if (index < session->module->variant->kernel_count) {
    session->times[index].calls += 1;
    session->times[index].nanoseconds += end - start;
  }
  return 0;
}

xcut_status xcut_session_measure(xcut_session *session, xcut_kernel_time *times, uint32_t count, xcut_error *error) {
  if (session->device->ops != &kSyncOps || !session->device->platform->clock_ns) {
    return xcut_fail(error, XCUT_E_UNSUPPORTED, "kernels are measured on local-sync, with a clock");
  }
  if (times && count != session->module->variant->kernel_count) {
    return xcut_fail(error, XCUT_E_COUNT, "the module has %u kernels, not %u", session->module->variant->kernel_count,
                     count);
  }
  if (!xcut_phase_take(&session->phase, XCUT_PHASE_CALL)) {
    return xcut_fail(error, XCUT_E_BUSY, "the session runs another call");
  }
  session->times = times;
  session->run->env.dispatch = times ? time_kernel : run_kernel;
  xcut_phase_set(&session->phase, XCUT_PHASE_IDLE);
  return XCUT_OK;
}
