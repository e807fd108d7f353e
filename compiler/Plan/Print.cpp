// The plan as text, for --dump-phases.
#include "compiler/Plan/Plan.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

namespace crosscut {

void printPlan(const FunctionPlan &plan, llvm::raw_ostream &out) {
  auto printRef = [&](const TensorRef &ref, llvm::ArrayRef<Size> strides, Size offset) {
    if (ref.isSplat()) {
      out << "splat " << ref.splat;
      return;
    }
    static const char *kinds[] = {"arena", "input", "output", "constant"};
    out << kinds[int(ref.buffer->kind)];
    if (ref.buffer->kind == BufferKind::Arena)
      out << "@" << (plan.dynamicArena ? ref.buffer->slot : ref.buffer->arenaOffset);
    else out << ref.buffer->index;
    out << "+" << offset << " [";
    llvm::interleaveComma(strides, out);
    out << "]";
  };
  out << "function " << plan.info.name << ", arena ";
  if (plan.dynamicArena) out << plan.slots.size() << " slots\n";
  else out << plan.arenaBytes << " bytes\n";
  auto printStep = [&](const Step &step) {
    if (step.kind == StepKind::FillBorder) {
      out << "    border of ";
      printRef(step.outer, step.outer.strides, step.outer.offset);
      out << "\n";
      return;
    }
    if (step.kind == StepKind::Plugin) out << "    plugin " << step.plugin->name;
    else out << "    loops";
    for (auto [extent, reduction] : llvm::zip(step.nest.extents, step.nest.isReduction))
      out << " " << extent << (reduction ? "r" : "");
    out << "\n";
    if (const auto &w = step.winograd) {
      out << "    winograd F(" << w->outputs << "x" << w->outputs << ",3x3)";
      if (w->stride > 1) out << ", stride " << w->stride;
      if (step.kind == StepKind::WinogradInput) out << ", input's transform\n";
      else
        out << ", " << w->tilesAtOnce << " tiles at once in register tiles of " << w->tileRows << "x" << w->tileVectors
            << ", " << w->blocks << "x" << w->ranges << " items\n";
    }
    for (const Access &a : step.nest.inputs) out << "    in  ", printRef(a.ref, a.strides, a.offset), out << "\n";
    for (const Epilogue &e : step.epilogues)
      for (auto [access, chained] : llvm::zip(e.inputs, e.chained)) {
        if (chained) continue;
        out << "    epilogue ", printRef(access.ref, access.strides, access.offset), out << "\n";
      }
    for (const Access &a : step.outputs) out << "    out ", printRef(a.ref, a.strides, a.offset), out << "\n";
  };
  for (auto [i, step] : llvm::enumerate(plan.steps)) {
    out << i << " " << step.name << "\n";
    if (step.kind != StepKind::Chain) {
      printStep(step);
      continue;
    }
    const Chain &chain = *step.chain;
    out << "  chain of " << chain.outer << " x " << chain.rows << " rows, " << chain.bands << " bands, " << chain.items
        << " items, scratch " << chain.slotBytes << " bytes an item\n";
    for (const Stage &stage : chain.stages) {
      out << "   " << stage.step.name << ": rows " << stage.scale << "a+" << stage.first << " to " << stage.scale
          << "b+" << stage.last << "\n";
      printStep(stage.step);
    }
  }
}

}  // namespace crosscut
