// Calling a function of a module.
//
// A session is the memory for calls of one function on one device: the call's record, the arena and the state tensors.
// It runs one call at a time; sessions over the same module and device run concurrently.
#ifndef CROSSCUT_SESSION_H
#define CROSSCUT_SESSION_H

#include "crosscut/device.h"
#include "crosscut/module.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct xcut_session xcut_session;

// A tensor of the caller: row-major, no padding.
typedef struct xcut_value {
  void *data;    // aligned to its element type; may be null when there are no elements. Inputs are only read.
  size_t bytes;  // room at `data`
  uint8_t type;  // XCUT_TYPE_*
  uint8_t rank;
  int64_t dims[XCUT_MAX_RANK];
} xcut_value;

// Bytes that the elements of `value` take; SIZE_MAX when a dimension is negative, the type is none or the size
// does not fit.
size_t xcut_value_bytes(const xcut_value *value);

// Prepares calls of `function` on `device`.
//
// function   of a module that was loaded to be called; the module must outlive the session.
// device     must outlive the session.
// allocator  for the session's record, its state and its arena; copied.
// out        caller destroys with xcut_session_destroy(); null on error.
//
// Threads: safe. Errors: XCUT_E_ARGUMENT, XCUT_E_MEMORY, XCUT_E_UNSUPPORTED (loaded for inspection only).
XCUT_NODISCARD xcut_status xcut_session_create(const xcut_function *function, xcut_device *device,
                                               const xcut_allocator *allocator, xcut_session **out, xcut_error *error);

// Waits for a call that still runs, then releases the session; null is ignored.
void xcut_session_destroy(xcut_session *session);

// Lends the session an arena instead of letting it allocate one.
//
// arena  XCUT_ALIGNMENT-aligned, borrowed until the next call of this function or the session's end; null gives the
//        choice back to the session.
//
// Threads: one at a time a session. Errors: XCUT_E_ARGUMENT misaligned, XCUT_E_BUSY a call runs.
XCUT_NODISCARD xcut_status xcut_session_set_arena(xcut_session *session, void *arena, size_t bytes, xcut_error *error);

// Sets every state tensor to zero, as before the first call. Errors: XCUT_E_BUSY.
XCUT_NODISCARD xcut_status xcut_session_reset(xcut_session *session, xcut_error *error);

// Works out what a call with these inputs would need, without running it.
//
// inputs       their type, rank and dims; data too where the function's shapes depend on it (else it may be null).
// outputs      type, rank and dims are written; data and bytes are left alone. A dimension that only the data tells
//              is -1.
// arena_bytes  may be null.
//
// Threads: one at a time a session. Allocates nothing.
// Errors:  XCUT_E_COUNT, XCUT_E_TYPE, XCUT_E_SHAPE, XCUT_E_DATA, XCUT_E_ARGUMENT, XCUT_E_BUSY
XCUT_NODISCARD xcut_status xcut_plan(xcut_session *session, const xcut_value *inputs, uint32_t input_count,
                                     xcut_value *outputs, uint32_t output_count, uint64_t *arena_bytes,
                                     xcut_error *error);

// Runs the function and returns when its outputs are written.
//
// inputs   must not overlap outputs.
// outputs  data and bytes as set by the caller; type, rank and dims are written. An output whose size only the data
//          tells may have null data: it is then allocated through the session's allocator and the caller's to release.
//
// The calling thread takes part in the work. Kernels run in the default floating-point environment; the caller's is
// restored.
//
// Threads: one at a time a session. Allocates: the arena, when none was lent and the one from the last call is too
// small.
// Errors:  as xcut_plan(), and XCUT_E_ARENA the lent arena is too small, XCUT_E_MEMORY, XCUT_E_PLUGIN a plugin failed
XCUT_NODISCARD xcut_status xcut_invoke(xcut_session *session, const xcut_value *inputs, uint32_t input_count,
                                       xcut_value *outputs, uint32_t output_count, xcut_error *error);

// Starts the function. After XCUT_OK, `outputs` and all data must stay valid until xcut_wait() returns something else
// than XCUT_E_TIMEOUT; `inputs` itself is copied. Otherwise like xcut_invoke().
XCUT_NODISCARD xcut_status xcut_invoke_async(xcut_session *session, const xcut_value *inputs, uint32_t input_count,
                                             xcut_value *outputs, uint32_t output_count, xcut_error *error);

// Waits for the call that xcut_invoke_async() started, helping with its kernels meanwhile.
//
// timeout_ns  0 only looks, XCUT_FOREVER waits without end. A helping thread looks at the clock between chunks of
//             work, so that it may return later by the time that one chunk takes.
//
// Returns the call's result; XCUT_E_TIMEOUT when it is not done yet (wait again); XCUT_E_ARGUMENT when none runs.
XCUT_NODISCARD xcut_status xcut_wait(xcut_session *session, uint64_t timeout_ns, xcut_error *error);

// ---- Statistics -----------------------------------------------------------------------------------------------------

typedef struct xcut_kernel_time {
  uint64_t calls;
  uint64_t nanoseconds;
} xcut_kernel_time;

// Makes a local-sync session measure its kernels.
//
// times  [count], added to by each call, in the order of xcut_module_kernel(); borrowed; null stops it.
// count  kernel_count of the module's chosen variant.
//
// Errors: XCUT_E_UNSUPPORTED another device, or a platform without clock; XCUT_E_COUNT; XCUT_E_BUSY
XCUT_NODISCARD xcut_status xcut_session_measure(xcut_session *session, xcut_kernel_time *times, uint32_t count,
                                                xcut_error *error);

#ifdef __cplusplus
}
#endif
#endif  // CROSSCUT_SESSION_H
