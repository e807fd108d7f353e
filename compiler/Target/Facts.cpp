// See Facts.h.
#include "compiler/Target/Facts.h"

#include "llvm/Support/FormatVariadic.h"

using namespace llvm;

namespace crosscut {
namespace {

struct KnownFact {
  const char *name;
  double least, most;
  void (*set)(TargetDescription &description, double value);
};

const KnownFact knownFacts[] = {
    {"streamed-bytes", 0.01, 1000, [](TargetDescription &d, double value) { d.streamedBytes = value; }},
    {"instruction-weight", 0, 10, [](TargetDescription &d, double value) { d.instructionWeight = value; }},
    {"max-tile-rows", 1, 64, [](TargetDescription &d, double value) { d.maxTileRows = static_cast<unsigned>(value); }},
    {"spare-registers", 0, 3,
     [](TargetDescription &d, double value) { d.spareRegisters = static_cast<unsigned>(value); }},
};

struct TunedFact {
  const char *architecture, *cpu, *name;
  double value;
};

const TunedFact tunedFacts[] = {
#define TUNED(architecture, cpu, name, value) {architecture, cpu, name, value},
#include "compiler/Target/TunedFacts.inc"
#undef TUNED
    {"", "", "", 0},  // the table may be empty
};

}  // namespace

Expected<Fact> parseFact(StringRef text) {
  auto [name, number] = text.split('=');
  for (const KnownFact &known : knownFacts) {
    if (name != known.name) continue;
    double value;
    if (number.getAsDouble(value) || !(value >= known.least && value <= known.most))
      return createStringError(
          formatv("--assume={0}: expected a number from {1} to {2}", text, known.least, known.most));
    return Fact{name.str(), value};
  }
  std::string names;
  for (const KnownFact &known : knownFacts) names += (names.empty() ? "" : ", ") + std::string(known.name);
  return createStringError("--assume=" + text + ": expected FACT=NUMBER, of " + names);
}

void assume(TargetDescription &description, const Fact &fact) {
  for (const KnownFact &known : knownFacts)
    if (fact.name == known.name) known.set(description, fact.value);
}

void assumeTunedFacts(const TargetSpec &spec, TargetDescription &description) {
  StringRef architecture = spec.triple.getArchName();
  for (const TunedFact &tuned : tunedFacts)
    if (architecture == tuned.architecture && spec.cpu == tuned.cpu) assume(description, {tuned.name, tuned.value});
}

}  // namespace crosscut
