// The plan of a compiled function: which kernels run, over which buffers, in which order.
//
// Planning turns the tensor IR, whose values are abstract, into steps over memory. A tensor value becomes a TensorRef:
// strides and an offset into a buffer. Reshapes, transposes, slices, broadcasts and paddings are only other TensorRefs
// of the same buffer wherever that is possible. A linalg operation becomes a Nest: loop extents, and for every operand
// a stride for each loop. In this form layout, padding halos and broadcasting are nothing but numbers, and the kernel
// generator needs to know of none of them.
#pragma once

#include "compiler/Codegen/Program.h"
#include "compiler/Plan/Size.h"
#include "compiler/Target/Target.h"

#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Operation.h"

#include <memory>
#include <optional>

namespace crosscut {

enum class BufferKind { Arena, Input, Output, Constant };

// One block of memory that tensors live in.
struct Buffer {
  BufferKind kind = BufferKind::Arena;
  unsigned index = 0;      // Input, Output: which argument or result
  mlir::Type elementType;  // as computed with: f32, i1, i64 ...
  Size elements;           // how many
  // Constant: the elements in host byte order, row-major, one byte for i1. Code generation lays them out as the kernel
  // that reads them wants.
  llvm::ArrayRef<char> data;
  std::vector<char> ownedData;
  // Arena: what it holds, as the model calls it; when a result is written over an input, both, in that order.
  std::vector<std::string> names;
  bool isScratch = false;  // what a kernel needs besides tensors of the model
  // The steps between which it is alive, and its place.
  int firstStep = -1, lastStep = -1;
  uint64_t arenaOffset = 0;  // bytes, when the arena is static
  unsigned slot = 0;         // else: the slot whose offset the entry point computes
};

// A tensor as memory: element (i, j, ...) lies at offset + i * strides[0] + j * strides[1] ...
// A splat has no buffer: every element is `splat`.
struct TensorRef {
  Buffer *buffer = nullptr;
  mlir::TypedAttr splat;
  mlir::Type elementType;
  Sizes dims, strides;
  Size offset;

  bool isSplat() const { return static_cast<bool>(splat); }
};

// How a nest touches one operand: `strides` has one entry a loop.
struct Access {
  TensorRef ref;
  Sizes strides;
  Size offset;
};

// One linalg operation over memory. Loops are in the operation's own order.
struct Nest {
  mlir::Operation *op = nullptr;  // the linalg.generic, for its body; null: the body yields the only input
  Sizes extents;
  llvm::SmallVector<bool> isReduction;
  std::vector<Access> inputs;
  // What the outs operands start from. Unused where the body does not read them.
  std::vector<Access> inits;
  // Tensors that the body reads by tensor.extract.
  std::vector<std::pair<mlir::Value, TensorRef>> captured;
  // In a chain: the loop whose range each run of the nest is given. It stays a loop of its own. Most runs have this
  // many turns of it.
  std::optional<unsigned> rowLoop;
  int64_t usualRows = 0;
};

// An elementwise operation applied to a kernel's result while it is in registers. Accesses have strides for the loops
// of the kernel's nest.
struct Epilogue {
  mlir::Operation *op = nullptr;
  std::vector<Access> inputs;          // unused where `chained`
  llvm::SmallVector<bool> chained;     // the input is the result of what came before
  llvm::SmallVector<unsigned> loopOf;  // loop of `op` → loop of the kernel's nest, for linalg.index
  std::vector<std::pair<mlir::Value, TensorRef>> captured;
};

// A 3x3 convolution by Winograd's minimal filtering F(m x m, 3x3): every tile of m x m outputs comes from points²
// products of matrices [tiles][input channels] x [input channels][columns], between a transformed input and transformed
// weights (Winograd.h).
struct WinogradForm {
  unsigned outputs = 4;  // m
  unsigned stride = 1;   // of the convolution: 1, or 2 with m = 2
  unsigned points() const { return (outputs - 1) * stride + 3; }

  // Loops of the nest; without batch -1.
  int batch = -1;
  unsigned y = 0, x = 0, ky = 0, kx = 0, channels = 0, columns = 0;

  unsigned tileRows = 1, tileVectors = 1;  // register tile of the products: tiles, vectors of columns
  int64_t tilesAtOnce = 0;                 // a group: its products stay in the cache until they are transformed back
  // Whether a step of its own transforms the whole input; else each work item transforms its groups' part.
  bool separate = false;
  // A work item computes one of `blocks` blocks of `panelsPerItem` panels of columns for one of `ranges` equal parts of
  // the groups.
  int64_t panelsPerItem = 1, blocks = 1, ranges = 1;
  int64_t items() const { return blocks * ranges; }

  // Scratch memory. [points²][tiles / interleaved][channels][interleaved], of all tiles when `separate`, else of one
  // group and once an item: what a product reads is in one piece, and the values that a row of a register tile reads
  // lie side by side on targets that multiply by them one after the other. [tiles of a group][points²][columns of a
  // panel], once an item. Items that run one after the other in one call of the kernel use the first one's. Strides
  // from one outermost index to the next, and sizes of an item, in elements.
  TensorRef transformed, products;
  int64_t interleaved = 1;
  int64_t transformedStride = 0, productsStride = 0;
  // Behind an item's products: vectors of the factors of the transforms (WinogradTransform.h); 0: not there.
  static constexpr unsigned factorVectors = 7;
  int64_t factors = 0;
  int64_t transformedPerItem = 0, productsPerItem = 0;
};

enum class StepKind { Kernel, FillBorder, Chain, WinogradInput, Plugin };

struct Chain;

// A call of a function of the user's program (crosscut/plugin.h). Its tensors are the step's nest.inputs and outputs,
// each dense and row-major in the model's order of dimensions.
struct PluginCall {
  struct Attribute {
    std::string name;
    uint8_t type = 0;  // XCUT_TYPE_*
    unsigned elementBytes = 1;
    std::vector<int64_t> dims;
    std::vector<char> data;  // in host byte order; one element more than dims say where it is a string
  };
  std::string name;                              // the plugin's
  std::vector<uint8_t> inputTypes, outputTypes;  // XCUT_TYPE_*
  std::vector<Attribute> attributes;             // sorted by name
};

// One dispatch, or a plugin's call.
struct Step {
  StepKind kind = StepKind::Kernel;
  std::string name;  // of the model node
  Nest nest;
  std::vector<Epilogue> epilogues;
  std::vector<Access> outputs;  // of the last epilogue, or of the nest; strides for the nest's loops
  // WinogradInput writes the transformed input; a kernel that has this form, too, computes the convolution with it.
  std::optional<WinogradForm> winograd;

  std::shared_ptr<Chain> chain;        // Chain: its stages; the rest is unused
  std::shared_ptr<PluginCall> plugin;  // Plugin

  // FillBorder: sets to `value` what lies between `outer` and the box `inner` inside it.
  TensorRef outer;
  Sizes low, innerDims;
  mlir::TypedAttr value;
};

// A tensor that exists only within a chain, a window of its rows at a time. A row is `rowElements` neighbouring
// elements; for the chain's rows a up to b - 1 its rows scale * a + first up to scale * (b - 1) + last are needed.
struct ChainBuffer {
  Buffer *buffer = nullptr;  // what it would be otherwise
  int64_t rowElements = 0, scale = 1, first = 0, last = 0;
  // Rows that its stage computes; the others are border, as is what a row has beside them.
  int64_t interiorFrom = 0, interiorTo = 0;
  mlir::TypedAttr border;      // null: none
  uint64_t scratchOffset = 0;  // bytes
  // Rows of the window for this many rows of the chain, and rows that the next window has in common with it.
  int64_t windowRows(int64_t rows) const { return scale * (rows - 1) + last - first + 1; }
  int64_t sharedRows() const { return std::max<int64_t>(0, last - first + 1 - scale); }
};

// A kernel of a chain. For the chain's rows a up to b - 1 it computes its rows scale * a + first up to
// scale * (b - 1) + last, as far as it has them.
struct Stage {
  Step step;
  unsigned rowLoop = 0;
  std::optional<unsigned> outerLoop;
  int64_t scale = 1, first = 0, last = 0;
  int output = -1;  // which ChainBuffer; -1: the chain's result
};

// Kernels that run together, band by band of rows of the last one's result, so that what they hand to each other stays
// in the cache (Chains.cpp). The whole is repeated for every turn of the outer loop, if there is one. Bands differ by a
// row at most. An item is some consecutive bands, and items differ by a band at most; a run of items computes the rows
// at the seam of two bands once.
struct Chain {
  std::vector<Stage> stages;
  std::vector<ChainBuffer> buffers;
  int64_t outer = 1, rows = 0;
  int64_t bands = 1, items = 1;  // in a turn of the outer loop
  // One slot an item. A run of items uses the slot of its first, so that no two threads share one.
  Buffer *scratch = nullptr;
  uint64_t slotBytes = 0;
  int64_t bandStart(int64_t band) const { return band * rows / bands; }
  int64_t itemStart(int64_t item) const { return item * bands / items; }  // its first band
  int64_t mostRows() const { return (rows + bands - 1) / bands; }         // of a band
  int64_t leastRows() const { return rows / bands; }
};

// Two sizes that must be equal when the function runs.
struct Constraint {
  Size a, b;
};

struct FunctionPlan {
  FunctionInfo info;
  mlir::Operation *function = nullptr;  // func.func of the tensor IR; holds the scalar operations of the entry point
  std::unique_ptr<Symbols> symbols;
  std::vector<Step> steps;
  std::vector<std::unique_ptr<Buffer>> buffers;
  llvm::SmallVector<Sizes> inputDims, outputDims;
  llvm::SmallVector<Constraint> constraints;
  // Arena: `arenaBytes` when it is static. Else every slot is as large as the largest of its candidates (bytes), and
  // slots lie one after the other.
  bool dynamicArena = false;
  uint64_t arenaBytes = 0;
  std::vector<Sizes> slots;
};

enum class WinogradMode { Auto, Off, Always };  // where it pays; nowhere; wherever it is possible

struct PlanOptions {
  bool favorMinPeakMemory = false;  // choose for a small arena, not for speed
  WinogradMode winograd = WinogradMode::Auto;
  TargetDescription target;  // what costs are estimated for
};

inline bool isArena(const TensorRef &ref) { return ref.buffer && ref.buffer->kind == BufferKind::Arena; }

// Bytes of one element in memory: i1 takes one.
unsigned elementBytes(mlir::Type type);

// Rewrites the module's functions so that only linalg.generic, tensor views and scalar operations remain, with
// elementwise operations fused.
llvm::Error normalizeTensorIR(mlir::ModuleOp module, llvm::StringRef dumpDir);

// Plans one function of a normalised module.
llvm::Expected<FunctionPlan> planFunction(mlir::Operation *function, const PlanOptions &options);

// Calls `visit` with every reference to memory that the step has.
void forEachRef(Step &step, llvm::function_ref<void(TensorRef &)> visit);

// Every access of a kernel's nest and epilogues, the results last.
llvm::SmallVector<const Access *> accessesOf(const Step &step);

// The arena buffers that the step needs, each once; not what exists within a chain alone.
llvm::SmallVector<Buffer *> arenaBuffersOf(Step &step);

// The size of a static arena buffer there.
uint64_t bytesInArena(const Buffer &buffer);

// Whether the size of every arena buffer is known.
bool hasStaticArena(const FunctionPlan &plan);

// Says of every arena buffer in which steps it is alive.
void computeLifetimes(FunctionPlan &plan);

// Joins kernels whose intermediate results are too large for the cache into chains (Chains.cpp).
void formChains(FunctionPlan &plan, const PlanOptions &options);

// The arena buffer that the step's only result is written to, if that is what it has; and buffers that the result may
// be written over when no other step needs them any more (InPlace.cpp).
Buffer *resultBuffer(Step &step);
llvm::SmallVector<Buffer *> reusableInputs(Step &step);

// Writes results over inputs that are not needed any more, where that is safe (InPlace.cpp).
void reuseInputs(FunctionPlan &plan);

// Puts the steps into the order that needs least memory (Order.cpp). Static plans only, others stay.
void orderForMemory(FunctionPlan &plan);

// Gives every arena buffer its place (see Arena.cpp).
void planArena(FunctionPlan &plan, const PlanOptions &options);

void printPlan(const FunctionPlan &plan, llvm::raw_ostream &out);

}  // namespace crosscut
