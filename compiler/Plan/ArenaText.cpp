// Lifetimes as text. See ArenaReport.h.
#include "compiler/Plan/ArenaReport.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

#include <algorithm>

namespace crosscut {
namespace {

constexpr size_t mostLines = 40;
constexpr unsigned leastColumns = 72, leastChart = 12;

// A line for a tensor, or for all small ones.
struct Line {
  std::string name;
  uint64_t bytes;
  std::vector<const ArenaTensor *> tensors;
};

unsigned widthOf(llvm::StringRef text) {
  return llvm::count_if(text, [](char c) { return (c & 0xc0) != 0x80; });
}

std::vector<Line> linesOf(const ArenaReport &report) {
  std::vector<const ArenaTensor *> largest;
  for (const ArenaTensor &tensor : report.tensors) largest.push_back(&tensor);
  llvm::stable_sort(largest, [](const ArenaTensor *a, const ArenaTensor *b) { return a->bytes > b->bytes; });
  size_t shown = largest.size() <= mostLines ? largest.size() : mostLines - 1;
  llvm::ArrayRef<const ArenaTensor *> own = llvm::ArrayRef(largest).take_front(shown);
  std::vector<Line> lines;
  Line rest;
  std::vector<uint64_t> restAlive(report.steps.size());
  for (const ArenaTensor &tensor : report.tensors) {
    if (llvm::is_contained(own, &tensor)) {
      lines.push_back({tensor.name, tensor.bytes, {&tensor}});
      continue;
    }
    rest.tensors.push_back(&tensor);
    for (int step = tensor.firstStep; step <= tensor.lastStep; ++step) restAlive[step] += tensor.bytes;
  }
  if (rest.tensors.empty()) return lines;
  rest.name = ("and " + llvm::Twine(rest.tensors.size()) + " smaller ones").str();  // together at most so many bytes
  rest.bytes = *llvm::max_element(restAlive);
  lines.push_back(std::move(rest));
  return lines;
}

std::string stepsText(const Line &line) {
  if (line.tensors.size() != 1) return "";
  const ArenaTensor &tensor = *line.tensors.front();
  return (llvm::Twine(tensor.firstStep) + ".." + llvm::Twine(tensor.lastStep)).str();
}

}  // namespace

void printArena(const ArenaReport &report, unsigned columns, llvm::raw_ostream &out) {
  out << "arena of " << report.function << ": ";
  if (report.isDynamic) {
    out << "as large as the inputs ask; --input-shape fixes them\n";
    return;
  }
  out << report.arenaBytes << " bytes";
  if (report.tensors.empty()) {
    out << "\n";
    return;
  }
  out << ", " << llvm::format("%.3f", double(report.arenaBytes) / std::max<uint64_t>(1, report.boundBytes))
      << " x the bound: " << report.boundBytes << " bytes alive at once in step " << report.peakStep << " of 0.."
      << report.steps.size() - 1 << "\n  (" << report.steps[report.peakStep] << ")";
  if (uint64_t scratch = report.scratchAtPeak()) out << ", of which " << scratch << " are scratch memory";
  out << "\n\n";

  std::vector<Line> lines = linesOf(report);
  columns = std::max(columns, leastColumns);
  constexpr llvm::StringLiteral nameTitle = "tensor (*: at the peak)";
  unsigned bytesWidth = 5, stepsWidth = 5, nameWidth = nameTitle.size();
  for (const Line &line : lines) {
    bytesWidth = std::max<unsigned>(bytesWidth, std::to_string(line.bytes).size());
    stepsWidth = std::max<unsigned>(stepsWidth, stepsText(line).size());
    nameWidth = std::max(nameWidth, widthOf(line.name));
  }
  unsigned besides = bytesWidth + stepsWidth + 7;  // and the spaces and the mark
  unsigned most = columns - besides - leastChart;
  unsigned count = report.steps.size();
  // Names get what the steps leave, half of the line at least.
  nameWidth = std::min({nameWidth, most, std::max((columns - besides) / 2, columns - besides - std::min(count, most))});
  unsigned chart = std::min(count, columns - besides - nameWidth);
  // Step i is drawn in column i * chart / count.
  auto columnOf = [&](int step) { return unsigned(uint64_t(step) * chart / count); };
  auto row = [&](llvm::StringRef bytes, llvm::StringRef steps, llvm::StringRef name, bool atPeak,
                 llvm::StringRef cells) {
    out << llvm::right_justify(bytes, bytesWidth) << "  " << llvm::left_justify(steps, stepsWidth)
        << (atPeak ? " * " : "   ") << name << std::string(nameWidth - widthOf(name), ' ') << "  " << cells << "\n";
  };
  std::string title = count > chart ? llvm::formatv("{0:F1} steps a column", double(count) / chart).str() : "";
  row("bytes", "steps", shortened(nameTitle, nameWidth), false, title);
  for (const Line &line : lines) {
    std::vector<const char *> cells(chart, "·");
    bool atPeak = false;
    for (const ArenaTensor *tensor : line.tensors) {
      atPeak |= tensor->isAliveIn(report.peakStep);
      for (unsigned c = columnOf(tensor->firstStep); c <= columnOf(tensor->lastStep); ++c)
        cells[c] = tensor->isScratch ? "▒" : "█";
    }
    row(std::to_string(line.bytes), stepsText(line), shortened(line.name, nameWidth), atPeak, llvm::join(cells, ""));
  }
  static const char *const eighths[] = {"·", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::vector<uint64_t> highest(chart);
  for (unsigned step = 0; step < count; ++step)
    highest[columnOf(step)] = std::max(highest[columnOf(step)], report.alive[step]);
  std::string level;
  for (uint64_t bytes : highest)
    level += eighths[bytes == report.boundBytes ? 8 : bytes ? 1 + bytes * 7 / report.boundBytes : 0];
  row(std::to_string(report.boundBytes), "", shortened("alive at once", nameWidth), false, level);
  out << "\n";
}

}  // namespace crosscut
