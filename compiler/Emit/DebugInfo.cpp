// DWARF has no notion of a model's node. The nearest thing that every tool shows is an inlined function, so each node
// becomes one.
#include "compiler/Emit/DebugInfo.h"

#include "llvm/BinaryFormat/Dwarf.h"

using namespace mlir;

namespace crosscut {

namespace {
class NodeLocations {
 public:
  explicit NodeLocations(Program &program) : module(*program.code), context(module.getContext()) {
    for (const KernelInfo &kernel : program.kernels) nodeOfKernel[kernel.symbol] = kernel.name;
    file = LLVM::DIFileAttr::get(context, program.sourceName, "");
    unit = LLVM::DICompileUnitAttr::get(DistinctAttr::create(UnitAttr::get(context)), llvm::dwarf::DW_LANG_C, file,
                                        StringAttr::get(context, "crosscut " CROSSCUT_VERSION), /*isOptimized=*/true,
                                        LLVM::DIEmissionKind::LineTablesOnly, LLVM::DINameTableKind::None);
    type = LLVM::DISubroutineTypeAttr::get(context, ArrayRef<LLVM::DITypeAttr>());
  }

  void run() {
    module.walk([&](LLVM::LLVMFuncOp function) {
      if (function.isExternal()) return;
      auto kernel = nodeOfKernel.find(function.getName().str());
      std::string node = kernel == nodeOfKernel.end() ? nameOf(function.getLoc()) : kernel->second;
      LLVM::DISubprogramAttr own = subprogram(function.getName(), lineOf(node));
      Location at = FileLineColLoc::get(file.getName(), lineOf(node), 0);
      Location functionLoc = FusedLoc::get(context, {at}, own);
      function.getBody().walk([&](Operation *op) {
        std::string name = nameOf(op->getLoc());
        if (name.empty()) name = node;
        op->setLoc(name.empty() ? functionLoc : Location(CallSiteLoc::get(inlinedNode(name), functionLoc)));
      });
      function->setLoc(functionLoc);
    });
  }

 private:
  // The name of the node that a location was made from: the first one that the location carries.
  static std::string nameOf(Location location) {
    std::string name;
    location->walk([&](Location part) {
      auto named = dyn_cast<NameLoc>(part);
      if (!named) return WalkResult::advance();
      name = named.getName().str();
      return WalkResult::interrupt();
    });
    return name;
  }

  unsigned lineOf(const std::string &node) {
    if (node.empty()) return 0;
    return lines.try_emplace(node, lines.size() + 1).first->second;
  }

  LLVM::DISubprogramAttr subprogram(StringRef name, unsigned line) {
    return LLVM::DISubprogramAttr::get(context, DistinctAttr::create(UnitAttr::get(context)), unit, file,
                                       StringAttr::get(context, name), StringAttr::get(context, name), file, line, line,
                                       LLVM::DISubprogramFlags::Definition | LLVM::DISubprogramFlags::Optimized, type,
                                       {}, {});
  }

  Location inlinedNode(const std::string &name) {
    auto found = inlined.find(name);
    if (found != inlined.end()) return found->second;
    Location at = FileLineColLoc::get(file.getName(), lineOf(name), 0);
    Location location = FusedLoc::get(context, {at}, subprogram(name, lineOf(name)));
    inlined.insert({name, location});
    return location;
  }

  ModuleOp module;
  MLIRContext *context;
  LLVM::DIFileAttr file;
  LLVM::DICompileUnitAttr unit;
  LLVM::DISubroutineTypeAttr type;
  std::map<std::string, std::string> nodeOfKernel;
  std::map<std::string, unsigned> lines;
  std::map<std::string, Location> inlined;
};
}  // namespace

void addDebugInfo(Program &program) { NodeLocations(program).run(); }

}  // namespace crosscut
