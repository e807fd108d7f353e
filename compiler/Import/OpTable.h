// Which ONNX operators the importer lowers, and with what. Every other operator that ONNX defines as a function of
// these is inlined; the rest is refused by name. Operators of other domains than ONNX's become calls of plugins.
#pragma once

#include "compiler/Import/Op.h"

namespace crosscut::onnxir {

using Lowering = LogicalResult (*)(Op &op);

// Whether ONNX itself defines operators of this domain.
bool isStandardDomain(StringRef domain);

// Null when the operator is not in the table. `domain` is "" for ONNX's own.
Lowering findLowering(StringRef domain, StringRef op);

}  // namespace crosscut::onnxir
