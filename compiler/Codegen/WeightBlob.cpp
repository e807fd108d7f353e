// See WeightBlob.h.
#include "compiler/Codegen/WeightBlob.h"

#include "crosscut/abi.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/SwapByteOrder.h"
#include "llvm/Support/xxhash.h"

#include <cstring>

namespace crosscut {

uint64_t WeightBlob::add(llvm::ArrayRef<char> data, unsigned elementBytes) {
  std::vector<uint8_t> swapped;
  llvm::ArrayRef<uint8_t> content(reinterpret_cast<const uint8_t *>(data.data()), data.size());
  if (littleEndian != llvm::sys::IsLittleEndianHost && elementBytes > 1) {
    swapped.assign(content.begin(), content.end());
    for (uint64_t at = 0; at + elementBytes <= swapped.size(); at += elementBytes)
      std::reverse(swapped.begin() + at, swapped.begin() + at + elementBytes);
    content = swapped;
  }
  auto &candidates = byHash[llvm::xxh3_64bits(content) >> 1];  // the map reserves its highest keys
  for (auto [offset, size] : candidates)
    if (size == content.size() && std::memcmp(bytes.data() + offset, content.data(), size) == 0) return offset;
  uint64_t offset = llvm::alignTo(bytes.size(), XCUT_ALIGNMENT);
  bytes.resize(offset);
  bytes.insert(bytes.end(), content.begin(), content.end());
  candidates.push_back({offset, content.size()});
  return offset;
}

}  // namespace crosscut
