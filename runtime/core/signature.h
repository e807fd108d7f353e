// Checks of a caller's tensors against a function's signature.
#ifndef CROSSCUT_CORE_SIGNATURE_H
#define CROSSCUT_CORE_SIGNATURE_H

#include "core/internal.h"

xcut_status xcut_check_counts(const xcut_session *session, const xcut_value *inputs, uint32_t input_count,
                              const xcut_value *outputs, uint32_t output_count, xcut_error *error);

// Type, rank and dimensions of input `index`.
xcut_status xcut_check_input(const xcut_function_info *info, uint32_t index, const xcut_value *value,
                             xcut_error *error);

// Room and alignment of the data of tensor `index`, whose shape is known and right.
xcut_status xcut_check_data(const xcut_function_info *info, uint32_t index, const xcut_value *value, xcut_error *error);

// Turns an entry point's XCUT_RUN_* and error fields into a status and a message.
xcut_status xcut_explain(const xcut_session *session, int32_t result, xcut_error *error);

#endif  // CROSSCUT_CORE_SIGNATURE_H
