// Control flow with a number of steps that is known at compile time, written out. Only OnnxLoad.cpp includes this:
// it needs protobuf, exceptions and RTTI.
#pragma once

#include <onnx/onnx_pb.h>

namespace crosscut::onnxir {

// Replaces every Scan and Loop whose trip count is known, and every If whose condition is, by copies of their bodies.
// Returns whether anything changed; types of the new values are not inferred.
bool unrollControlFlow(onnx::ModelProto &model);

}  // namespace crosscut::onnxir
