// Sessions: checks a call, plans it, and hands its entry point to the device.
#include "core/signature.h"

static uint32_t tensor_count(const xcut_function_info *info) {
  return info->input_count + info->output_count + info->state_count;
}

static size_t round_up(size_t value, size_t to) { return (value + to - 1) / to * to; }

// ---- Life ------------------------------------------------------------------------------------------------------------

static const xcut_tensor_info *tensors_of(const xcut_function_info *info) { return xcut_at(&info->tensors); }

// Copies a tensor's dimensions out of the table, the open ones as -1.
static void copy_dims(int64_t *to, const xcut_tensor_info *tensor) {
  const int64_t *dims = xcut_at(&tensor->dims);
  for (unsigned d = 0; d < tensor->rank; ++d) to[d] = dims[d];
}

// Points every tensor at its dims, and state tensors at their place in `state`, each at a multiple of XCUT_ALIGNMENT.
// Returns the bytes of all state; SIZE_MAX when that does not fit. Without `session` that is all it does.
static size_t lay_out(xcut_session *session, const xcut_function_info *info, uint8_t *state) {
  size_t state_bytes = 0;
  for (uint32_t i = 0; i < tensor_count(info); ++i) {
    const xcut_tensor_info *tensor = tensors_of(info) + i;
    xcut_value value = {.type = tensor->type, .rank = tensor->rank};
    copy_dims(value.dims, tensor);
    if (session) {
      session->tensors[i].dims = session->dims[i];
      copy_dims(session->dims[i], tensor);
    }
    if (i < info->input_count + info->output_count) continue;
    if (session) session->tensors[i].data = state + state_bytes;
    size_t one = xcut_value_bytes(&value);
    if (one > SIZE_MAX / 2 - state_bytes) return SIZE_MAX;
    state_bytes = round_up(state_bytes + one, XCUT_ALIGNMENT);
  }
  return state_bytes;
}

xcut_status xcut_session_create(const xcut_function *function, xcut_device *device, const xcut_allocator *allocator,
                                xcut_session **out, xcut_error *error) {
  if (!out) return xcut_fail(error, XCUT_E_ARGUMENT, "session: out is null");
  *out = NULL;
  if (!function || !function->module || !function->info || !device || !allocator || !allocator->allocate) {
    return xcut_fail(error, XCUT_E_ARGUMENT, "session: function, device or allocator is null");
  }
  const xcut_module *module = function->module;
  if (!module->variant) {
    return xcut_fail(error, XCUT_E_UNSUPPORTED, "the module was loaded for inspection only");
  }
  uint64_t tensors = (uint64_t)function->info->input_count + function->info->output_count + function->info->state_count;
  size_t state_bytes = tensors > SIZE_MAX / 512 ? SIZE_MAX : lay_out(NULL, function->info, NULL);
  if (state_bytes == SIZE_MAX) {
    return xcut_fail(error, XCUT_E_MEMORY, "the session does not fit into memory");
  }
  size_t count = (size_t)tensors;
  size_t tensors_at = round_up(sizeof(xcut_session), 16);
  size_t dims_at = tensors_at + round_up(count * sizeof(xcut_tensor), 16);
  size_t allocated_at = dims_at + count * sizeof(int64_t[XCUT_MAX_RANK]);
  size_t run_at = round_up(allocated_at + count, 64);
  size_t bytes = run_at + device->ops->run_bytes(device);
  uint8_t *memory = allocator->allocate(allocator->self, bytes, 64);
  if (!memory) return xcut_fail(error, XCUT_E_MEMORY, "no memory for a session of %zu bytes", bytes);
  memset(memory, 0, bytes);

  xcut_session *session = (xcut_session *)(void *)memory;
  session->allocator = *allocator;
  session->module = module;
  session->info = function->info;
  session->device = device;
  session->entry = (const xcut_entry *)xcut_at(&module->variant->entries) + function->index;
  session->tensors = (xcut_tensor *)(void *)(memory + tensors_at);
  session->dims = (int64_t (*)[XCUT_MAX_RANK])(void *)(memory + dims_at);
  session->allocated = (bool *)(memory + allocated_at);
  session->run = (xcut_run *)(void *)(memory + run_at);
  session->state_bytes = state_bytes;
  if (state_bytes) {
    session->state = allocator->allocate(allocator->self, state_bytes, XCUT_ALIGNMENT);
    if (!session->state) {
      allocator->release(allocator->self, memory);
      return xcut_fail(error, XCUT_E_MEMORY, "no memory for %zu bytes of state", state_bytes);
    }
    memset(session->state, 0, state_bytes);
  }
  lay_out(session, function->info, session->state);
  session->run->session = session;
  session->run->device = device;
  session->run->env.allocate_output = xcut_session_allocate_output;
#if XCUT_WITH_PLUGINS
  session->run->env.call_plugin = xcut_plugins_call;
#endif
  device->ops->run_begin(session->run);
  *out = session;
  return XCUT_OK;
}

// Takes the session for a call, or says that it is taken.
static bool take(xcut_session *session, unsigned phase) { return xcut_phase_take(&session->phase, phase); }

static void give_back(xcut_session *session) { xcut_phase_set(&session->phase, XCUT_PHASE_IDLE); }

static xcut_status busy(xcut_error *error) { return xcut_fail(error, XCUT_E_BUSY, "the session runs another call"); }

static void drop_arena(xcut_session *session) {
  if (session->arena && !session->arena_lent) session->allocator.release(session->allocator.self, session->arena);
  session->arena = NULL;
  session->arena_bytes = 0;
  session->arena_lent = false;
}

void xcut_session_destroy(xcut_session *session) {
  if (!session) return;
  if (xcut_phase_get(&session->phase) == XCUT_PHASE_ASYNC) {
    // The result is of no interest; outputs that the call allocated were not asked for.
    xcut_status ignored = xcut_wait(session, XCUT_FOREVER, NULL);
    (void)ignored;
  }
  drop_arena(session);
  xcut_allocator allocator = session->allocator;
  if (session->state) allocator.release(allocator.self, session->state);
  allocator.release(allocator.self, session);
}

xcut_status xcut_session_set_arena(xcut_session *session, void *arena, size_t bytes, xcut_error *error) {
  if ((uintptr_t)arena % XCUT_ALIGNMENT != 0) {
    return xcut_fail(error, XCUT_E_ARGUMENT, "the arena is not %d-byte aligned", XCUT_ALIGNMENT);
  }
  if (!take(session, XCUT_PHASE_CALL)) return busy(error);
  drop_arena(session);
  session->arena = arena;
  session->arena_bytes = arena ? bytes : 0;
  session->arena_lent = arena != NULL;
  give_back(session);
  return XCUT_OK;
}

xcut_status xcut_session_reset(xcut_session *session, xcut_error *error) {
  if (!take(session, XCUT_PHASE_CALL)) return busy(error);
  if (session->state) memset(session->state, 0, session->state_bytes);
  give_back(session);
  return XCUT_OK;
}

// ---- One call --------------------------------------------------------------------------------------------------------

static xcut_run_fn code_at(const xcut_offset *field) { return (xcut_run_fn)(uintptr_t)xcut_at(field); }

// Checks the inputs, and works out the shapes of the outputs and the arena.
static xcut_status plan(xcut_session *session, const xcut_value *inputs, uint32_t input_count, xcut_value *outputs,
                        uint32_t output_count, xcut_error *error) {
  xcut_status status = xcut_check_counts(session, inputs, input_count, outputs, output_count, error);
  if (status) return status;
  const xcut_function_info *info = session->info;
  const xcut_tensor_info *tensors = tensors_of(info);
  for (uint32_t i = 0; i < input_count; ++i) {
    status = xcut_check_input(info, i, &inputs[i], error);
    if (status == XCUT_OK && inputs[i].data) status = xcut_check_data(info, i, &inputs[i], error);
    if (status) return status;
    session->tensors[i].data = inputs[i].data;
    for (unsigned d = 0; d < inputs[i].rank; ++d) session->dims[i][d] = inputs[i].dims[d];
  }
  for (uint32_t o = 0; o < output_count; ++o) {
    uint32_t i = input_count + o;
    session->tensors[i].data = NULL;
    copy_dims(session->dims[i], &tensors[i]);
  }
  xcut_call *call = &session->call;
  memset(call, 0, sizeof *call);
  call->tensors = session->tensors;
  call->arena_bytes = info->arena_bytes;
  if (session->entry->plan) {
    status = xcut_explain(session, code_at(&session->entry->plan)(call), error);
    if (status) return status;
  }
  for (uint32_t o = 0; o < output_count; ++o) {
    uint32_t i = input_count + o;
    outputs[o].type = tensors[i].type;
    outputs[o].rank = tensors[i].rank;
    for (unsigned d = 0; d < tensors[i].rank; ++d) outputs[o].dims[d] = session->dims[i][d];
  }
  return XCUT_OK;
}

xcut_status xcut_plan(xcut_session *session, const xcut_value *inputs, uint32_t input_count, xcut_value *outputs,
                      uint32_t output_count, uint64_t *arena_bytes, xcut_error *error) {
  if (!take(session, XCUT_PHASE_CALL)) return busy(error);
  xcut_status status = plan(session, inputs, input_count, outputs, output_count, error);
  if (status == XCUT_OK && arena_bytes) *arena_bytes = session->call.arena_bytes;
  give_back(session);
  return status;
}

// Finds the arena for a planned call.
static xcut_status provide_arena(xcut_session *session, xcut_error *error) {
  uint64_t needed = session->call.arena_bytes;
  if (needed > session->arena_bytes) {
    if (session->arena_lent) {
      return xcut_fail(error, XCUT_E_ARENA, "the arena has %zu bytes, the call needs %llu", session->arena_bytes,
                       (unsigned long long)needed);
    }
    drop_arena(session);
    xcut_allocator *allocator = &session->allocator;
    if (needed <= SIZE_MAX / 2) {
      session->arena = allocator->allocate(allocator->self, (size_t)needed, XCUT_ALIGNMENT);
    }
    if (!session->arena) {
      return xcut_fail(error, XCUT_E_MEMORY, "no memory for an arena of %llu bytes", (unsigned long long)needed);
    }
    session->arena_bytes = (size_t)needed;
  }
  session->call.arena = session->arena;
  session->call.arena_bytes = session->arena_bytes;
  return XCUT_OK;
}

static bool is_open(const xcut_value *value) {
  for (unsigned d = 0; d < value->rank; ++d) {
    if (value->dims[d] < 0) return true;
  }
  return false;
}

// Everything that a call needs before its entry point may run.
static xcut_status prepare(xcut_session *session, const xcut_value *inputs, uint32_t input_count, xcut_value *outputs,
                           uint32_t output_count, xcut_error *error) {
  xcut_status status = plan(session, inputs, input_count, outputs, output_count, error);
  if (status) return status;
  const xcut_function_info *info = session->info;
  for (uint32_t i = 0; i < input_count; ++i) {
    status = xcut_check_data(info, i, &inputs[i], error);
    if (status) return status;
  }
  for (uint32_t o = 0; o < output_count; ++o) {
    session->allocated[o] = false;
    if (is_open(&outputs[o])) continue;  // the module asks allocate_output
    if (xcut_value_bytes(&outputs[o]) == SIZE_MAX) {
      return xcut_fail(error, XCUT_E_SHAPE, "output %u is larger than memory", o);
    }
    status = xcut_check_data(info, input_count + o, &outputs[o], error);
    if (status) return status;
    session->tensors[input_count + o].data = outputs[o].data;
  }
  status = provide_arena(session, error);
  if (status) return status;
  session->outputs = outputs;
#if XCUT_WITH_PLUGINS
  session->plugin_node = session->plugin_message = NULL;
#endif
  session->call.weights = session->module->weights;
  session->call.env = &session->run->env;
  return XCUT_OK;
}

// Hands a finished call's results to the caller.
static xcut_status finish(xcut_session *session, xcut_error *error) {
  xcut_status status = xcut_explain(session, session->result, error);
  const xcut_function_info *info = session->info;
  for (uint32_t o = 0; o < info->output_count; ++o) {
    xcut_value *value = &session->outputs[o];
    for (unsigned d = 0; d < value->rank; ++d) value->dims[d] = session->dims[info->input_count + o][d];
    if (session->allocated[o] && status) {
      session->allocator.release(session->allocator.self, value->data);
      value->data = NULL;
      value->bytes = 0;
    }
  }
  session->outputs = NULL;
  return status;
}

xcut_status xcut_invoke(xcut_session *session, const xcut_value *inputs, uint32_t input_count, xcut_value *outputs,
                        uint32_t output_count, xcut_error *error) {
  if (!take(session, XCUT_PHASE_CALL)) return busy(error);
  xcut_status status = prepare(session, inputs, input_count, outputs, output_count, error);
  if (status == XCUT_OK) {
    session->device->ops->invoke(session->run);
    status = finish(session, error);
  }
  give_back(session);
  return status;
}

xcut_status xcut_invoke_async(xcut_session *session, const xcut_value *inputs, uint32_t input_count,
                              xcut_value *outputs, uint32_t output_count, xcut_error *error) {
  if (!take(session, XCUT_PHASE_CALL)) return busy(error);
  xcut_status status = prepare(session, inputs, input_count, outputs, output_count, error);
  if (status) {
    give_back(session);
    return status;
  }
  xcut_phase_set(&session->phase, XCUT_PHASE_ASYNC);
  session->device->ops->start(session->run);
  return XCUT_OK;
}

xcut_status xcut_wait(xcut_session *session, uint64_t timeout_ns, xcut_error *error) {
  if (xcut_phase_get(&session->phase) != XCUT_PHASE_ASYNC) {
    return xcut_fail(error, XCUT_E_ARGUMENT, "the session has no call to wait for");
  }
  if (!session->device->ops->wait(session->run, timeout_ns)) {
    return xcut_fail(error, XCUT_E_TIMEOUT, "the call is not done yet");
  }
  xcut_status status = finish(session, error);
  give_back(session);
  return status;
}

// ---- For devices -----------------------------------------------------------------------------------------------------

void xcut_session_execute(xcut_session *session) {
  uint64_t saved = xcut_float_enter();
  session->result = code_at(&session->entry->run)(&session->call);
  xcut_float_leave(saved);
}

void *xcut_session_allocate_output(xcut_env *env, uint32_t output, uint64_t bytes) {
  xcut_session *session = ((xcut_run *)env)->session;
  if (output >= session->info->output_count || bytes > SIZE_MAX / 2) return NULL;
  xcut_value *value = &session->outputs[output];
  if (value->data) return bytes <= value->bytes ? value->data : NULL;
  value->data = session->allocator.allocate(session->allocator.self, bytes ? (size_t)bytes : 1, XCUT_ALIGNMENT);
  value->bytes = value->data ? (size_t)bytes : 0;
  session->allocated[output] = value->data != NULL;
  return value->data;
}
