// The C interface of a statically linked model: which functions it has, and how names that are not C identifiers are
// written.
#pragma once

#include "compiler/Codegen/Program.h"

#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace crosscut {

struct StaticTensor {
  const TensorInfo *info;
  std::string parameter;  // "x"
  std::string macro;      // "KEYWORD_X"
  std::string dims;       // parameter of the dimensions, "x_dims"; empty when all are known
};

struct StaticFunction {
  std::string symbol;  // "keyword_run"
  std::string plan;    // "keyword_plan"; empty when every size is known
  std::string macro;   // "KEYWORD"; of further functions "KEYWORD_<FUNCTION>"
  std::vector<StaticTensor> inputs, outputs;
};

struct StaticPlugin {
  const PluginInfo *info;
  std::string symbol;  // "plugin_acme_Scale"
};

struct StaticInterface {
  std::string name, macro;                // "keyword", "KEYWORD"
  std::vector<StaticFunction> functions;  // in the program's order
  std::vector<StaticPlugin> plugins;      // likewise
};

// The interface of `program` under the model's name `name`: each run of characters that C identifiers lack becomes one
// '_'; a leading digit gets 'm' (models) or 't' (tensors) before it, a word of C or C++ '_' behind it; a name that was
// taken, in capitals too, gets a number. A plugin's function is "plugin_" and its name, in which each character that C
// identifiers lack becomes '_'. An error when two plugins'
// functions would have one name.
llvm::Expected<StaticInterface> staticInterface(const Program &program, llvm::StringRef name);

}  // namespace crosscut
