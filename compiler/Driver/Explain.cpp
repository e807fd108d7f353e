// See Explain.h.
#include "compiler/Driver/Explain.h"

#include "compiler/Codegen/Cost.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

using namespace llvm;

namespace crosscut {

static double peakFlops(const TargetDescription &target) { return 2 * multiplyAddsPerCycle(target); }

static std::string number(double value, const char *pattern) {
  std::string text;
  raw_string_ostream(text) << format(pattern, value);
  return text;
}
static std::string orDash(double value, double unit, const char *pattern) {
  return value > 0 ? number(value / unit, pattern) : "-";
}

static std::string textOf(const KernelChoice &choice) {
  std::string text = choice.algorithm;
  if (choice.panelColumns)
    text += formatv(", tile {0}x{1}, panels of {2}", choice.tileRows, choice.tileVectors, choice.panelColumns).str();
  else if (choice.tileRows) text += formatv(", {0} at once", choice.tileRows).str();
  if (!choice.panelColumns && choice.lanes > 1) text += formatv(", vectors of {0}", choice.lanes).str();
  else if (!choice.panelColumns) text += ", scalars";
  return text;
}

static std::string textOf(const StepReport &step) {
  if (step.choices.size() == 1 && !step.bands) return textOf(step.choices.front());
  return formatv("chain of {0}, {1} bands of up to {2} rows", step.choices.size(), step.bands, step.bandRows).str();
}

// Columns as wide as their widest cell; numbers to the right.
static void printTable(ArrayRef<std::vector<std::string>> rows, ArrayRef<bool> isNumber, raw_ostream &out) {
  std::vector<size_t> widths(isNumber.size());
  for (const auto &row : rows)
    for (auto [width, cell] : zip(widths, row)) width = std::max(width, cell.size());
  for (const auto &row : rows) {
    std::string line;
    for (auto [i, cell] : enumerate(row)) {
      std::string space(widths[i] - cell.size(), ' ');
      line += (i ? "  " : "") + (isNumber[i] ? space + cell : cell + space);
    }
    out << StringRef(line).rtrim() << "\n";
  }
}

void printExplanation(const Program &program, const TargetDescription &target, raw_ostream &out) {
  out << "vectors of " << target.lanes() << ", peak " << number(peakFlops(target), "%.0f") << " FLOPs a cycle, caches "
      << target.l1Bytes / 1024 << " and " << target.l2Bytes / 1024 << " KB\n";
  std::vector<std::vector<std::string>> rows = {
      {"step", "kernel", "items", "MFLOP", "KB read", "written", "kcycles", "share", "bound by", "how", "node"}};
  double cycles = 0, flops = 0;
  bool known = true;
  for (auto [i, step] : enumerate(program.steps)) {
    rows.push_back({utostr(i), utostr(step.kernel), step.items ? itostr(*step.items) : "-",
                    orDash(step.flops, 1e6, "%.2f"), orDash(step.readBytes, 1024, "%.1f"),
                    orDash(step.writtenBytes, 1024, "%.1f"), orDash(step.cycles, 1e3, "%.1f"),
                    orDash(step.peakShare, 0.01, "%.0f%%"), *step.bound ? step.bound : "-", textOf(step), step.name});
    cycles += step.cycles;
    flops += step.flops;
    known &= step.cycles > 0;
    if (!step.bands) continue;
    for (const KernelChoice &stage : step.choices)
      rows.push_back(
          {"", "", "", "", "", "", orDash(stage.cycles, 1e3, "%.1f"), "", "", "  " + textOf(stage), "  " + stage.name});
  }
  rows.push_back({"", "", "", orDash(flops, 1e6, "%.2f"), "", "", known ? orDash(cycles, 1e3, "%.1f") : "-",
                  known ? orDash(flops / peakFlops(target), 0.01 * std::max(1.0, cycles), "%.0f%%") : "-", "", "all",
                  ""});
  printTable(rows, {true, true, true, true, true, true, true, true, false, false, false}, out);
}

static void writeChoice(json::OStream &json, const KernelChoice &choice) {
  json.object([&] {
    json.attribute("name", choice.name);
    json.attribute("algorithm", choice.algorithm);
    json.attribute("tile_rows", choice.tileRows);
    json.attribute("tile_vectors", choice.tileVectors);
    json.attribute("panel_columns", choice.panelColumns);
    json.attribute("lanes", choice.lanes);
    json.attribute("cycles", choice.cycles);
  });
}

void writeExplanation(const Program &program, const TargetSpec &spec, const TargetDescription &target,
                      raw_ostream &out) {
  json::OStream json(out, 1);
  json.object([&] {
    json.attribute("model", program.sourceName);
    json.attribute("source_sha256", toHex(program.sourceSha256, /*LowerCase=*/true));
    json.attributeObject("target", [&] {
      json.attribute("triple", spec.triple.str());
      json.attribute("cpu", spec.cpu);
      json.attribute("features", spec.features);
      json.attribute("lanes", target.lanes());
      json.attribute("flops_per_cycle", peakFlops(target));
      json.attribute("l1_bytes", int64_t(target.l1Bytes));
      json.attribute("l2_bytes", int64_t(target.l2Bytes));
    });
    json.attributeArray("steps", [&] {
      for (const StepReport &step : program.steps)
        json.object([&] {
          json.attribute("function", step.function);
          json.attribute("kernel", step.kernel);
          json.attribute("name", step.name);
          if (step.items) json.attribute("items", *step.items);
          else json.attribute("items", nullptr);
          json.attribute("flops", int64_t(step.flops));
          json.attribute("read_bytes", int64_t(step.readBytes));
          json.attribute("written_bytes", int64_t(step.writtenBytes));
          json.attribute("cycles", step.cycles);
          json.attribute("peak_share", step.peakShare);
          json.attribute("bound", step.bound);
          json.attribute("bands", step.bands);
          json.attribute("band_rows", step.bandRows);
          json.attributeArray("choices", [&] {
            for (const KernelChoice &choice : step.choices) writeChoice(json, choice);
          });
        });
    });
  });
  out << "\n";
}

}  // namespace crosscut
