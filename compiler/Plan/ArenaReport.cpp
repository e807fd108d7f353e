// See ArenaReport.h.
#include "compiler/Plan/ArenaReport.h"

#include "compiler/Plan/Plan.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ConvertUTF.h"

namespace crosscut {

// Names come from the model's file and may hold any bytes.
static std::string printable(std::string text) {
  auto *begin = reinterpret_cast<const llvm::UTF8 *>(text.data());
  bool legal = llvm::isLegalUTF8String(&begin, begin + text.size());
  for (char &c : text)
    if ((static_cast<unsigned char>(c) < 0x20) || c == 0x7f || (!legal && (c & 0x80))) c = '?';
  return text;
}

ArenaReport reportArena(const FunctionPlan &plan) {
  ArenaReport report;
  report.function = plan.info.name;
  report.isDynamic = plan.dynamicArena;
  if (plan.dynamicArena) return report;
  for (const Step &step : plan.steps) report.steps.push_back(printable(step.name));
  report.arenaBytes = plan.arenaBytes;
  report.alive.resize(plan.steps.size());
  for (const auto &buffer : plan.buffers) {
    if (buffer->kind != BufferKind::Arena || buffer->firstStep < 0) continue;
    uint64_t bytes = uint64_t(std::max<int64_t>(0, *constantOf(buffer->elements))) * elementBytes(buffer->elementType);
    report.tensors.push_back({printable(llvm::join(buffer->names, " = ")), buffer->isScratch, bytes,
                              buffer->arenaOffset, buffer->firstStep, buffer->lastStep});
    for (int step = buffer->firstStep; step <= buffer->lastStep; ++step) report.alive[step] += bytes;
  }
  llvm::stable_sort(report.tensors, [](const ArenaTensor &a, const ArenaTensor &b) {
    return std::tie(a.firstStep, a.lastStep) < std::tie(b.firstStep, b.lastStep);
  });
  if (!report.alive.empty()) {
    auto peak = llvm::max_element(report.alive);
    report.peakStep = peak - report.alive.begin();
    report.boundBytes = *peak;
  }
  return report;
}

// Longer names differ at their ends.
std::string shortened(llvm::StringRef text, unsigned width) {
  auto isInside = [](char c) { return (c & 0xc0) == 0x80; };  // of a character
  if (text.size() - llvm::count_if(text, isInside) <= width) return text.str();
  size_t begin = 0, end = text.size();
  for (unsigned i = 0; i < (width - 1) / 3; ++i) do
      ++begin;
    while (isInside(text[begin]));
  for (unsigned i = (width - 1) / 3; i < width - 1; ++i) do
      --end;
    while (isInside(text[end]));
  return (text.take_front(begin) + "…" + text.drop_front(end)).str();
}

uint64_t ArenaReport::scratchAtPeak() const {
  uint64_t bytes = 0;
  for (const ArenaTensor &tensor : tensors)
    if (tensor.isScratch && tensor.isAliveIn(peakStep)) bytes += tensor.bytes;
  return bytes;
}

std::string describePeak(const ArenaReport &report) {
  std::vector<const ArenaTensor *> alive;
  for (const ArenaTensor &tensor : report.tensors)
    if (tensor.isAliveIn(report.peakStep)) alive.push_back(&tensor);
  llvm::stable_sort(alive, [](const ArenaTensor *a, const ArenaTensor *b) { return a->bytes > b->bytes; });
  std::string text;
  llvm::raw_string_ostream out(text);
  out << report.boundBytes << " bytes are alive at the peak, while '" << report.steps[report.peakStep] << "' runs: ";
  llvm::interleaveComma(alive, out, [&](const ArenaTensor *tensor) { out << tensor->name << " " << tensor->bytes; });
  return text;
}

}  // namespace crosscut
