// See StaticHeader.h. Names come from the model's file: nothing but printable ASCII is ever copied into the header.
#include "compiler/Emit/StaticHeader.h"

#include "crosscut/abi.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace crosscut {

namespace {
struct CType {
  const char *c, *shown;
};
}  // namespace

static CType cType(uint8_t type) {
  switch (type) {
    case XCUT_TYPE_F32: return {"float", "f32"};
    case XCUT_TYPE_F64: return {"double", "f64"};
    case XCUT_TYPE_F16: return {"uint16_t", "f16"};
    case XCUT_TYPE_BF16: return {"uint16_t", "bf16"};
    case XCUT_TYPE_I8: return {"int8_t", "i8"};
    case XCUT_TYPE_I16: return {"int16_t", "i16"};
    case XCUT_TYPE_I32: return {"int32_t", "i32"};
    case XCUT_TYPE_I64: return {"int64_t", "i64"};
    case XCUT_TYPE_U8: return {"uint8_t", "u8"};
    case XCUT_TYPE_U16: return {"uint16_t", "u16"};
    case XCUT_TYPE_U32: return {"uint32_t", "u32"};
    case XCUT_TYPE_U64: return {"uint64_t", "u64"};
    default: return {"bool", "bool"};
  }
}

// A C string without its quotes. Question marks are escaped as well, so that no trigraph arises; a backslash never ends
// the result, so that it may end a comment.
static std::string escaped(StringRef text) {
  std::string result;
  raw_string_ostream out(result);
  for (unsigned char c : text)
    if (isPrint(c) && c != '"' && c != '\\' && c != '?') out << c;
    else out << '\\' << char('0' + (c >> 6)) << char('0' + (c >> 3 & 7)) << char('0' + (c & 7));
  return result;
}

static std::string join(ArrayRef<int64_t> dims, StringRef separator) {
  std::string text;
  for (int64_t dim : dims) text += (text.empty() ? "" : separator.str()) + itostr(dim);
  return text;
}

// Of a tensor whose sizes are all known.
static int64_t elements(const TensorInfo &tensor) {
  int64_t count = 1;
  for (int64_t dim : tensor.dims) count *= dim;
  return count;
}

// "2x?x8": what the caller chooses is '?'.
static std::string shapeText(const TensorInfo &tensor) {
  std::string text = join(tensor.dims, "x");
  for (size_t at; (at = text.find("-1")) != std::string::npos;) text.replace(at, 2, "?");
  return text;
}

static void writeTensor(raw_ostream &out, const char *what, const StaticTensor &tensor) {
  const TensorInfo &info = *tensor.info;
  out << "\n// " << what << " \"" << escaped(info.name) << "\": " << cType(info.type).shown;
  out << (info.dims.empty() ? ", one value" : " " + shapeText(info)) << "\n";
  out << "#define " << tensor.macro << "_NAME \"" << escaped(info.name) << "\"\n";
  if (tensor.dims.empty()) out << "#define " << tensor.macro << "_ELEMENTS " << elements(info) << "\n";
  out << "#define " << tensor.macro << "_RANK " << info.dims.size() << "\n";
  if (!info.dims.empty()) out << "#define " << tensor.macro << "_SHAPE {" << join(info.dims, ", ") << "}\n";
}

// An array of a stated size lets compilers check what is passed; C has none without elements.
static std::string dataParameter(const char *qualifier, const StaticTensor &tensor) {
  bool isSized = tensor.dims.empty() && elements(*tensor.info) > 0;
  return std::string(qualifier) + cType(tensor.info->type).c + (isSized ? " " : " *") + tensor.parameter +
         (isSized ? "[" + tensor.macro + "_ELEMENTS], " : ", ");
}

static std::string dimsParameter(const char *qualifier, const StaticTensor &tensor) {
  return tensor.dims.empty() ? "" : qualifier + ("int64_t " + tensor.dims) + "[" + tensor.macro + "_RANK], ";
}

static void writePlan(raw_ostream &out, const StaticFunction &function, const FunctionInfo &info) {
  std::string parameters;
  for (auto [i, tensor] : enumerate(function.inputs)) {
    if (is_contained(info.planReads, i)) parameters += dataParameter("const ", tensor);
    parameters += dimsParameter("const ", tensor);
  }
  for (const StaticTensor &tensor : function.outputs) parameters += dimsParameter("", tensor);
  StringRef list = parameters;
  list.consume_back(", ");
  out << "\n// Bytes of arena for inputs of these sizes, and the sizes of the outputs; negative when they do not fit "
         "together.\n"
      << "int64_t " << function.plan << "(" << (list.empty() ? "void" : list) << ");\n"
      << "// With the sizes that plan was given and wrote, and an arena of at least the bytes that it returned.";
}

static void writeFunction(raw_ostream &out, const StaticFunction &function, const FunctionInfo &info, uint32_t stack,
                          bool plugins) {
  out << "\n// ---- " << function.symbol << " ----\n";
  for (const StaticTensor &tensor : function.inputs) writeTensor(out, "Input", tensor);
  for (const StaticTensor &tensor : function.outputs) writeTensor(out, "Output", tensor);
  out << "\n";
  if (info.arenaBytes != XCUT_ARENA_DYNAMIC)
    out << "#define " << function.macro << "_ARENA_BYTES " << info.arenaBytes << "\n";
  out << "#define " << function.macro << "_STACK_BYTES " << stack
      << (!stack    ? "  // not known\n"
          : plugins ? "  // at most, beside memcpy, memset and plugins\n"
                    : "  // at most, beside memcpy and memset\n");

  std::string parameters;
  for (const StaticTensor &tensor : function.inputs)
    parameters += dataParameter("const ", tensor) + dimsParameter("const ", tensor);
  for (const StaticTensor &tensor : function.outputs)
    parameters += dataParameter("", tensor) + dimsParameter("const ", tensor);
  if (!function.plan.empty()) writePlan(out, function, info);
  out << "\nint " << function.symbol << "(" << parameters << "void *arena"
      << (function.plan.empty() ? "" : ", int64_t arena_bytes") << ");\n";
}

std::string staticHeader(const StaticInterface &interface, const Program &program, const TargetSpec &spec,
                         ArrayRef<uint32_t> stackBytes, StringRef objectName) {
  std::string text;
  raw_string_ostream out(text);
  const std::string &macro = interface.macro;
  bool isPlanned = !interface.functions[0].plan.empty();
  out << "// The model \"" << escaped(program.sourceName) << "\" as C functions: declares what \""
      << escaped(objectName) << "\" defines.\n"
      << headerMark << CROSSCUT_VERSION " (LLVM " LLVM_VERSION_STRING "); a new compilation replaces both "
      << "files.\n//\n"
      << "// Target: " << spec.triple.str() << ", CPU " << spec.cpu
      << (spec.objectAbi.empty() ? "" : ", ABI " + spec.objectAbi) << "\n"
      << "// Source: SHA-256 " << toHex(program.sourceSha256, /*LowerCase=*/true) << "\n//\n"
      << "// Tensors are row-major without padding, and aligned to their elements. Inputs are only read, and overlap "
         "no\n"
      << "// output. `arena` is working memory, aligned to " << macro
      << "_ALIGNMENT bytes, of the function's ARENA_BYTES" << (isPlanned ? " or what its plan returns" : "") << ";\n"
      << "// null where that is 0. Nothing is kept between calls. Calls at the same time need arenas of their own.\n"
      << "// The CPU has to be what the target names, and floating point as C starts it: nothing is checked or set "
         "here.\n"
      << "// Functions return 0, or another value when sizes, as given or as the inputs' values ask for, do not fit "
         "the "
         "model"
      << (interface.plugins.empty() ? "" : ", or\n// when a plugin failed") << ".\n//\n"
      << (isPlanned ? "//   int64_t bytes = " + interface.functions[0].plan + "(...);\n"
                    : "//   static " + macro + "_ALIGNED unsigned char arena[" + interface.functions[0].macro +
                          "_ARENA_BYTES];\n")
      << "#ifndef CROSSCUT_" << macro << "_H\n#define CROSSCUT_" << macro << "_H\n\n"
      << "#include <stdbool.h>\n#include <stdint.h>\n\n"
      << "#define " << macro << "_ALIGNMENT " << XCUT_ALIGNMENT << "\n"
      << "#define " << macro << "_ALIGNED __attribute__((aligned(" << XCUT_ALIGNMENT << ")))\n"
      << "#define " << macro << "_WEIGHTS_BYTES " << program.weights.size() << "\n\n"
      << "#ifdef __cplusplus\nextern \"C\" {\n#endif\n";
  if (!interface.plugins.empty()) {
    out << "\n// ---- Plugins: what the program defines for the model to call. crosscut/plugin.h explains them.\n"
        << "struct xcut_plugin_call;\n";
    for (const StaticPlugin &plugin : interface.plugins)
      out << "int32_t " << plugin.symbol << "(struct xcut_plugin_call *call);  // \"" << escaped(plugin.info->name)
          << "\"\n";
  }
  for (auto [i, function] : enumerate(interface.functions))
    writeFunction(out, function, program.functions[i], stackBytes[i], !interface.plugins.empty());
  out << "\n#ifdef __cplusplus\n}\n#endif\n#endif\n";
  return text;
}

}  // namespace crosscut
