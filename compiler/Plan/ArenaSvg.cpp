// The arena as a picture: steps across, places upwards, and below it how much is alive. See ArenaReport.h.
#include "compiler/Plan/ArenaReport.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

#include <algorithm>

namespace crosscut {
namespace {

constexpr double left = 90, plotWidth = 1050, right = 20, head = 64, plotHeight = 420, gap = 26, aliveHeight = 90,
                 labels = 165;
constexpr double functionHeight = head + plotHeight + gap + aliveHeight + labels;
constexpr int mostLabels = 80;
const char *const colours[] = {"#7aa6d6", "#e0a458", "#86b87f", "#d58a94", "#a99ad0", "#6fb7b1", "#c9b458", "#b58f76"};

std::string escaped(llvm::StringRef text) {
  std::string result;
  for (char c : text) {
    if (c == '<') result += "&lt;";
    else if (c == '>') result += "&gt;";
    else if (c == '&') result += "&amp;";
    else if (c == '"') result += "&quot;";
    else result += c;
  }
  return result;
}

std::string grouped(uint64_t number) {
  std::string text = std::to_string(number);
  for (int at = int(text.size()) - 3; at > 0; at -= 3) text.insert(at, ",");
  return text;
}

class Drawing {
 public:
  Drawing(const ArenaReport &report, double top, llvm::raw_ostream &out) : report(report), top(top), out(out) {}
  void draw();

 private:
  double x(double step) const { return left + plotWidth * step / std::max<size_t>(1, report.steps.size()); }
  double y(double bytes) const { return top + head + plotHeight * (1 - bytes / double(highest)); }
  double aliveBottom() const { return top + head + plotHeight + gap + aliveHeight; }
  static std::string at(double value) { return llvm::formatv("{0:F1}", value).str(); }
  void text(double x, double y, llvm::StringRef content, llvm::StringRef attributes = "") {
    out << "<text x=\"" << at(x) << "\" y=\"" << at(y) << "\" " << attributes << ">" << escaped(content) << "</text>\n";
  }
  void box(double x, double y, double width, double height, llvm::StringRef attributes, llvm::StringRef title) {
    out << "<rect x=\"" << at(x) << "\" y=\"" << at(y) << "\" width=\"" << at(width) << "\" height=\"" << at(height)
        << "\" " << attributes << "><title>" << escaped(title) << "</title></rect>\n";
  }
  void drawAxes();
  void drawTensors();
  void drawAlive();
  void drawSteps();

  const ArenaReport &report;
  double top;
  llvm::raw_ostream &out;
  uint64_t highest = 1;
};

// Lines at round numbers of bytes, some four to eight of them.
void Drawing::drawAxes() {
  uint64_t apart = 1;
  while (highest / apart > 8) apart *= 2;
  for (uint64_t bytes = 0; bytes <= highest; bytes += apart) {
    out << "<line class=\"grid\" x1=\"" << at(left) << "\" x2=\"" << at(left + plotWidth) << "\" y1=\"" << at(y(bytes))
        << "\" y2=\"" << at(y(bytes)) << "\"/>\n";
    std::string label = apart < 1024 ? std::to_string(bytes) : std::to_string(bytes / 1024) + " KiB";
    text(left - 6, y(bytes) + 4, label, "class=\"right\"");
  }
  box(x(report.peakStep), top + head, x(1) - x(0), aliveBottom() - top - head, "class=\"peak\"",
      "the peak: " + report.steps[report.peakStep]);
}

void Drawing::drawTensors() {
  for (auto [i, tensor] : llvm::enumerate(report.tensors)) {
    double from = x(tensor.firstStep), to = x(tensor.lastStep + 1);
    double upper = y(tensor.offset + tensor.bytes), lower = y(tensor.offset);
    std::string title = llvm::formatv("{0}\n{1} bytes at {2}, steps {3} to {4}", tensor.name, grouped(tensor.bytes),
                                      grouped(tensor.offset), tensor.firstStep, tensor.lastStep);
    if (tensor.isScratch) title += "\nscratch memory";
    std::string fill = tensor.isScratch ? "url(#scratch)" : colours[i % std::size(colours)];
    box(from, upper, to - from, lower - upper, "class=\"tensor\" fill=\"" + fill + "\"", title);
    // Some 6.5 pixels a character; less than 8 characters say nothing.
    unsigned room = std::max(0.0, (to - from - 8) / 6.5);
    if (lower - upper < 12 || (room < 8 && room < tensor.name.size())) continue;
    text(from + 4, (upper + lower) / 2 + 4, shortened(tensor.name, room), "class=\"name\"");
  }
  out << "<line class=\"bound\" x1=\"" << at(left) << "\" x2=\"" << at(left + plotWidth) << "\" y1=\""
      << at(y(report.boundBytes)) << "\" y2=\"" << at(y(report.boundBytes)) << "\"/>\n";
}

void Drawing::drawAlive() {
  text(left - 6, aliveBottom() - aliveHeight + 10, "alive", "class=\"right\"");
  for (auto [step, bytes] : llvm::enumerate(report.alive)) {
    double height = aliveHeight * double(bytes) / double(highest);
    bool isPeak = int(step) == report.peakStep;
    box(x(step), aliveBottom() - height, x(step + 1) - x(step), height,
        isPeak ? "class=\"highest\"" : "class=\"alive\"",
        llvm::formatv("step {0}: {1}\n{2} bytes alive", step, report.steps[step], grouped(bytes)).str());
  }
}

void Drawing::drawSteps() {
  int count = report.steps.size(), every = (count + mostLabels - 1) / mostLabels;
  for (int step = 0; step < count; step += every) {
    double middle = (x(step) + x(step + 1)) / 2 + 4;
    text(middle, aliveBottom() + 10, std::to_string(step) + " " + shortened(report.steps[step], 22),
         llvm::formatv("class=\"step\" transform=\"rotate(-90 {0:F1} {1:F1})\"", middle, aliveBottom() + 10).str());
  }
}

void Drawing::draw() {
  text(left, top + 24, "Arena of " + report.function, "class=\"title\"");
  if (report.isDynamic || report.tensors.empty()) {
    text(left, top + 46, report.isDynamic ? "as large as the inputs ask" : "empty");
    return;
  }
  highest = std::max(report.arenaBytes, report.boundBytes);
  std::string facts = llvm::formatv(
      "{0} bytes, {1:F3} × the bound (dashed): {2} bytes alive at once, in step {3} ({4})", grouped(report.arenaBytes),
      double(report.arenaBytes) / double(std::max<uint64_t>(1, report.boundBytes)), grouped(report.boundBytes),
      report.peakStep, report.steps[report.peakStep]);
  if (uint64_t scratch = report.scratchAtPeak()) facts += ", " + grouped(scratch) + " of them scratch memory (hatched)";
  text(left, top + 46, facts);
  drawAxes();
  drawTensors();
  drawAlive();
  drawSteps();
}

}  // namespace

void drawArena(llvm::ArrayRef<ArenaReport> reports, llvm::raw_ostream &out) {
  double width = left + plotWidth + right, height = functionHeight * std::max<size_t>(1, reports.size());
  out << llvm::formatv(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:F0}\" height=\"{1:F0}\" viewBox=\"0 0 {0:F0} "
      "{1:F0}\">\n",
      width, height);
  out << R"svg(<style>
text { font: 11px sans-serif; fill: #222 }
.title { font-size: 16px; font-weight: bold }
.right { text-anchor: end; fill: #666 }
.step { text-anchor: end; font-size: 10px; fill: #444 }
.name { pointer-events: none }
.grid { stroke: #e4e4e4 }
.bound { stroke: #c0392b; stroke-dasharray: 6 4 }
.tensor { stroke: #fff; stroke-width: 0.7 }
.peak { fill: #c0392b; fill-opacity: 0.08 }
.alive { fill: #b9c4cf }
.highest { fill: #c0392b }
</style>
<defs><pattern id="scratch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect width="6" height="6" fill="#dcdcdc"/><line x1="0" y1="0" x2="0" y2="6" stroke="#9a9a9a" stroke-width="2"/></pattern></defs>
<rect width="100%" height="100%" fill="#fff"/>
)svg";
  for (auto [i, report] : llvm::enumerate(reports)) Drawing(report, functionHeight * i, out).draw();
  out << "</svg>\n";
}

}  // namespace crosscut
