// Which ONNX operators the importer lowers, and with what. Every other operator that ONNX defines as a function of
// these is inlined; the rest is refused by name.
#pragma once

#include "compiler/Import/Op.h"

namespace crosscut::onnxir {

using Lowering = LogicalResult (*)(Op &op);

// Null when the operator is not in the table. `domain` is "" for ONNX's own.
Lowering findLowering(StringRef domain, StringRef op);

}  // namespace crosscut::onnxir
