// The constants of a module, laid out as kernels read them. Equal ones are stored once.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/DenseMap.h"

#include <cstdint>
#include <vector>

namespace crosscut {

class WeightBlob {
 public:
  explicit WeightBlob(bool littleEndian) : littleEndian(littleEndian) {}
  // Appends elements of `elementBytes` each, given in host byte order; returns their offset in bytes.
  uint64_t add(llvm::ArrayRef<char> data, unsigned elementBytes);
  std::vector<uint8_t> take() { return std::move(bytes); }

 private:
  bool littleEndian;
  std::vector<uint8_t> bytes;
  llvm::DenseMap<uint64_t, std::vector<std::pair<uint64_t, uint64_t>>> byHash;  // offset, size
};

}  // namespace crosscut
