// See StaticInterface.h.
#include "compiler/Emit/StaticInterface.h"

#include "crosscut/abi.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;

namespace crosscut {

// Words of C11 and C++20, and lower-case macros that compilers and system headers define.
static const char *const takenWords[] = {
    "alignas",   "alignof",   "and",       "arena",     "asm",      "assert",   "auto",     "bitand",  "bitor",
    "bool",      "break",     "case",      "catch",     "char",     "class",    "compl",    "complex", "concept",
    "const",     "constexpr", "consteval", "constinit", "continue", "decltype", "default",  "delete",  "do",
    "double",    "else",      "enum",      "errno",     "explicit", "export",   "extern",   "false",   "float",
    "for",       "friend",    "goto",      "if",        "inline",   "int",      "linux",    "long",    "mutable",
    "namespace", "new",       "noexcept",  "not",       "null",     "nullptr",  "operator", "or",      "private",
    "protected", "public",    "register",  "requires",  "restrict", "return",   "short",    "signed",  "sizeof",
    "static",    "stderr",    "stdin",     "stdout",    "struct",   "switch",   "template", "this",    "throw",
    "true",      "try",       "typedef",   "typeid",    "typename", "typeof",   "union",    "unix",    "unsigned",
    "using",     "virtual",   "void",      "volatile",  "while",    "xor",      "i"};

static std::string identifier(StringRef text, char beforeDigit, StringRef whenEmpty) {
  std::string result;
  for (char c : text)
    if (isAlnum(c)) result += c;
    else if (!result.empty() && result.back() != '_') result += '_';
  while (!result.empty() && result.back() == '_') result.pop_back();
  if (result.empty()) return whenEmpty.str();
  if (isDigit(result[0])) result.insert(result.begin(), beforeDigit);
  return result;
}

// `name`, or with the first number behind it that makes it new in `used`, whatever the case.
static std::string unique(std::string name, StringSet<> &used) {
  std::string candidate = name;
  for (unsigned number = 2; !used.insert(StringRef(candidate).lower()).second; ++number)
    candidate = name + (name.back() == '_' ? "" : "_") + utostr(number);
  return candidate;
}

Expected<StaticInterface> staticInterface(const Program &program, StringRef name) {
  StaticInterface interface;
  interface.name = identifier(name, 'm', "model");
  interface.macro = StringRef(interface.name).upper();
  StringSet<> symbols, macros;
  for (const PluginInfo &plugin : program.plugins) {
    std::string symbol = "plugin_";
    for (char c : plugin.name) symbol += isAlnum(c) ? c : '_';
    for (const StaticPlugin &other : interface.plugins)
      if (other.symbol == symbol)
        return createStringError("--format=static: the plugins '" + other.info->name + "' and '" + plugin.name +
                                 "' would both be " + symbol + "()");
    symbols.insert(StringRef(symbol).lower());
    interface.plugins.push_back({&plugin, symbol});
  }
  for (const FunctionInfo &function : program.functions) {
    bool isMain = function.name == "main" || program.functions.size() == 1;
    std::string own = isMain ? "run" : identifier(function.name, 'f', "function");
    StaticFunction result;
    result.symbol = unique(interface.name + "_" + own, symbols);
    if (!function.planSymbol.empty())
      result.plan = unique(isMain ? interface.name + "_plan" : result.symbol + "_plan", symbols);
    result.macro = isMain ? interface.macro : StringRef(result.symbol).upper();
    StringSet<> parameters;
    for (const char *word : takenWords) parameters.insert(word);
    parameters.insert("arena_bytes");
    for (auto [from, to] : {std::pair(&function.inputs, &result.inputs), std::pair(&function.outputs, &result.outputs)})
      for (const TensorInfo &tensor : *from) {
        std::string own = identifier(tensor.name, 't', "tensor");
        bool isWord = is_contained(takenWords, StringRef(own).lower());
        std::string parameter = unique(isWord ? own + "_" : own, parameters);
        std::string macro = unique(result.macro + "_" + identifier(parameter, 't', "tensor"), macros);
        bool isOpen = is_contained(tensor.dims, -1);
        std::string dims = isOpen ? unique(parameter + (parameter.back() == '_' ? "dims" : "_dims"), parameters) : "";
        to->push_back({&tensor, parameter, StringRef(macro).upper(), dims});
      }
    interface.functions.push_back(std::move(result));
  }
  return interface;
}

}  // namespace crosscut
