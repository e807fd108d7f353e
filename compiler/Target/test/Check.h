// The checks of the compiler's C++ tests: each prints what it expected, and the program fails at the end.
#pragma once

#include <string>

#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

namespace crosscut::test {

inline int failures = 0;

inline void expect(bool holds, const llvm::Twine &statement) {
  if (holds) return;
  ++failures;
  llvm::errs() << "FAILED: " << statement << "\n";
}

inline void expectEqual(const llvm::Twine &what, const llvm::Twine &actual, const llvm::Twine &expected) {
  expect(actual.str() == expected.str(), what + ": expected '" + expected.str() + "', got '" + actual.str() + "'");
}

inline void expectContains(const llvm::Twine &what, llvm::StringRef text, llvm::StringRef part) {
  expect(text.contains(part), what + ": expected '" + part + "' in '" + text + "'");
}

// The message of a failed Expected, or "(no error)".
template <typename T>
std::string messageOf(llvm::Expected<T> value) {
  return value ? "(no error)" : llvm::toString(value.takeError());
}
inline std::string messageOf(llvm::Error error) { return error ? llvm::toString(std::move(error)) : "(no error)"; }

inline int result(const char *name) {
  llvm::outs() << name << ": " << (failures ? "FAILED" : "passed") << "\n";
  return failures != 0;
}

}  // namespace crosscut::test
