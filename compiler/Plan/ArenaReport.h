// What lies in a function's arena, when and where: for --print-arena, and for the error of --max-arena.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdint>
#include <string>
#include <vector>

namespace crosscut {

struct FunctionPlan;

struct ArenaTensor {
  std::string name;        // as in the model, but valid UTF-8 on one line; "a = b" where b is written over a
  bool isScratch = false;  // working memory of a kernel, and no tensor of the model
  uint64_t bytes = 0, offset = 0;
  int firstStep = 0, lastStep = 0;

  bool isAliveIn(int step) const { return firstStep <= step && step <= lastStep; }
};

struct ArenaReport {
  std::string function;
  bool isDynamic = false;  // its size depends on the call's shapes; the rest is empty
  std::vector<std::string> steps;
  std::vector<ArenaTensor> tensors;  // in the order in which they come to life
  uint64_t arenaBytes = 0;
  std::vector<uint64_t> alive;  // bytes, by step
  // The step in which most is alive, and how much that is: no placement takes less.
  int peakStep = 0;
  uint64_t boundBytes = 0;
  // Part of the bound that is scratch.
  uint64_t scratchAtPeak() const;
};

ArenaReport reportArena(const FunctionPlan &plan);

// `text` without its middle, if it has more than `width` characters; UTF-8.
std::string shortened(llvm::StringRef text, unsigned width);

// One line: the tensors that are alive at the peak, largest first.
std::string describePeak(const ArenaReport &report);

// Draws lifetimes as text, at most `columns` wide: small tensors share a line and steps a column where there are many.
void printArena(const ArenaReport &report, unsigned columns, llvm::raw_ostream &out);

// Draws steps across and places in the arena upwards, one function below the other.
void drawArena(llvm::ArrayRef<ArenaReport> reports, llvm::raw_ostream &out);

}  // namespace crosscut
