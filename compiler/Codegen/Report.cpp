// See Report.h.
#include "compiler/Codegen/Report.h"

#include "compiler/Codegen/Cost.h"
#include "compiler/Plan/Work.h"

namespace crosscut {

StepReport reportStep(const Step &step, const GeneratedKernel &kernel, const TargetDescription &target) {
  Work work = workOf(step);
  StepReport report;
  report.name = step.name;
  report.items = constantOf(kernel.items);
  report.choices = kernel.choices;
  report.flops = work.flops;
  report.readBytes = work.weightBytes + work.readBytes;
  report.writtenBytes = work.writtenBytes;
  if (step.kind == StepKind::Chain) {
    report.bands = step.chain->bands * step.chain->outer;
    report.bandRows = step.chain->mostRows();
  }

  double arithmetic = 0;
  for (const KernelChoice &choice : report.choices) {
    if (choice.cycles <= 0) return report;
    arithmetic += choice.cycles;
  }
  // The estimate for Winograd's algorithm has its weights in it.
  double weights = step.winograd ? 0 : weightCycles(target, work.weightBytes);
  double tensors = tensorCycles(target, work.largestTensor, work.readBytes + work.writtenBytes);
  report.cycles = std::max(arithmetic + weights, tensors);
  report.bound = tensors > arithmetic + weights ? "tensors" : weights > arithmetic ? "weights" : "arithmetic";
  if (work.flops) report.peakShare = work.flops / (2 * multiplyAddsPerCycle(target) * report.cycles);
  return report;
}

}  // namespace crosscut
