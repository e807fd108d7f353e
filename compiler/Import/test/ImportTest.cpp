// The form of the tensor IR that models become, and what is refused with which message. The values that operators
// compute are checked by scripts/conformance, against ONNX's own cases.
#include "compiler/Import/Import.h"

#include <fstream>

#include "compiler/Import/test/OnnxText.h"
#include "compiler/Target/test/Check.h"
#include "llvm/Support/FileSystem.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/MLIRContext.h"

using namespace crosscut;
using namespace crosscut::test;
using namespace llvm;

namespace {

std::string folder;

std::string writeFile(StringRef name, StringRef bytes) {
  std::string path = folder + "/" + name.str();
  std::ofstream(path, std::ios::binary).write(bytes.data(), bytes.size());
  return path;
}

std::string writeModel(const std::string &text, StringRef name = "model.onnx") {
  std::string error, bytes = onnxBytes(text, error);
  expect(error.empty(), "the test's model can be parsed: " + error);
  return writeFile(name, bytes);
}

// Imports and prints; errors are the text.
struct Imported {
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  std::string text, error;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<UnsupportedNode> unsupported;

  explicit Imported(const std::string &path, const ImportOptions &options = {}, bool check = false) {
    auto model = importModel(context, path, options, check ? &unsupported : nullptr);
    if (!model) {
      error = toString(model.takeError());
      return;
    }
    module = std::move(model->module);
    if (!module) return;
    raw_string_ostream out(text);
    module->print(out);
  }
  template <typename Op>
  int count() {
    int n = 0;
    if (module) module->walk([&](Op) { ++n; });
    return n;
  }
};

std::string graph(const std::string &body, const std::string &opset = "17") {
  return "<ir_version: 8, opset_import: [\"\" : " + opset + "]>\n" + body;
}

void dynamic_reshape_chain_becomes_a_collapse() {
  Imported m(writeModel(graph(R"(g (float[n, 2, 3] x) => (float[n, 6] y)
      <int64 zero = {0}, int64[1] axis = {0}, int64[1] rest = {-1}> {
        shape = Shape(x)
        n = Gather(shape, zero)
        n1 = Unsqueeze(n, axis)
        target = Concat<axis = 0>(n1, rest)
        y = Reshape(x, target)
      })")));
  expectEqual("error", m.error, "");
  expectContains("reshape", m.text, "tensor.collapse_shape %arg0 [[0], [1, 2]]");
  expectEqual("kernels", Twine(m.count<mlir::linalg::GenericOp>()), "0");
}

void batch_norm_folds_into_the_convolution() {
  std::string text = graph(R"(g (float[1, 1, 4, 4] x) => (float[1, 2, 4, 4] y)
      <float[2, 1, 1, 1] w = {1, 2}, float[2] scale = {3, 4}, float[2] shift = {5, 6}, float[2] mean = {1, 1},
       float[2] var = {1, 4}> {
        c = Conv(x, w)
        b = BatchNormalization<epsilon = 0.0>(c, scale, shift, mean, var)
        y = Relu(b)
      })");
  Imported m(writeModel(text));
  expectEqual("error", m.error, "");
  // 3 / sqrt(1) * 1 and 4 / sqrt(4) * 2; 5 - 3 * 1 and 6 - 2 * 1.
  expectContains("weights", m.text, "dense<[[[[3.000000e+00]]], [[[4.000000e+00]]]]>");
  expectContains("bias", m.text, "dense<[2.000000e+00, 4.000000e+00]>");
  expectEqual("convolution and activation", Twine(m.count<mlir::linalg::GenericOp>()), "2");

  ImportOptions options;
  options.exposeIntermediates = true;
  Imported exposed(writeModel(text), options);
  for (const char *name : {"y", "c", "b"})
    expectContains("exposed result", exposed.text, ("xcut.name = \"" + Twine(name) + "\"").str());
}

void convolutions_have_the_stated_loops() {
  auto conv = [](const std::string &weights, const std::string &attributes) {
    return graph("g (float[1, 4, 8, 8] x, float[" + weights + "] w) => (float[1, 4, 8, 8] y) { y = Conv<" + attributes +
                 ">(x, w) }");
  };
  Imported dense(writeModel(conv("4, 4, 3, 3", "pads = [1, 1, 1, 1]")));
  expectContains("dense", dense.text, "affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d4, d2 + d5, d3 + d6)>");
  expectEqual("padding", Twine(dense.count<mlir::tensor::PadOp>()), "1");
  Imported grouped(writeModel(conv("4, 2, 1, 1", "group = 2")));
  expectContains("grouped", grouped.text,
                 "affine_map<(d0, d1, d2, d3, d4, d5, d6, d7) -> (d0, d1, d5, d3 + d6, d4 + d7)>");
  Imported depthwise(writeModel(conv("4, 1, 3, 3", "group = 4, pads = [1, 1, 1, 1]")));
  expectContains("depthwise", depthwise.text, "affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2 + d4, d3 + d5)>");
}

void transposed_operand_of_gemm_is_a_map() {
  Imported m(writeModel(graph(R"(g (float[n, 8] x, float[4, 8] w, float[4] b) => (float[n, 4] y) {
      y = Gemm<transB = 1>(x, w, b) })")));
  expectEqual("error", m.error, "");
  expectContains("map", m.text, "affine_map<(d0, d1, d2) -> (d1, d2)>");
  expectEqual("transposes", Twine(m.count<mlir::linalg::TransposeOp>()), "0");
  expectEqual("bias as init", Twine(m.count<mlir::linalg::BroadcastOp>()), "1");
}

void functions_and_known_loops_are_written_out() {
  Imported m(writeModel(R"(<ir_version: 8, opset_import: ["" : 17, "mine" : 1]>
      g (float[4] x) => (float[4] y) { y = mine.twice(x) }
      <domain: "mine", opset_import: ["" : 17]> twice (a) => (b) { b = Add(a, a) })"));
  expectEqual("error", m.error, "");
  expectContains("body", m.text, "arith.addf");
}

void old_opsets_are_converted() {
  Imported m(
      writeModel(graph("g (float[2, 3] x, float[3] b) => (float[2, 3] y) { y = Add<broadcast = 1>(x, b) }", "6")));
  expectEqual("error", m.error, "");
  expectContains("body", m.text, "arith.addf");
}

void unsupported_nodes_are_named_all_at_once() {
  std::string text = graph(R"(g (float[4] x) => (float[4] y) {
      a = RandomUniformLike(x)
      b = Relu(a)
      c = Unique(b)
      y = Add(c, a) })");
  Imported one(writeModel(text, "two.onnx"));
  expectContains("first node", one.error,
                 "two.onnx: node 'a' (RandomUniformLike, opset 17): the operator is not supported");
  Imported all(writeModel(text), {}, true);
  expectEqual("both", Twine(all.unsupported.size()), "2");
  if (all.unsupported.size() == 2) {
    expectEqual("second", all.unsupported[1].op, "Unique");
    expectEqual("its node", all.unsupported[1].node, "c");
    expect(all.unsupported[1].opset == 17, "the opset is 17");
  }
  Imported type(writeModel(graph("g (double[4] x) => (double[4] y) { y = Relu(x) }")));
  expectContains("type", type.error, "input 'x': type float64 is not supported");
}

void input_shapes_are_checked() {
  std::string path = writeModel(graph("g (float[n, 8] x) => (float[n, 8] y) { y = Relu(x) }"));
  auto with = [&](const char *name, std::vector<int64_t> shape) {
    ImportOptions options;
    options.inputShapes[name] = std::move(shape);
    Imported m(path, options);
    return m.error.empty() ? m.text : m.error;
  };
  expectContains("fixed", with("x", {3, 8}), "tensor<3x8xf32>");
  expectContains("unknown name", with("z", {3, 8}), "the model has no input 'z'");
  expectContains("rank", with("x", {3}), "input 'x' has rank 2, not 1");
  expectContains("contradiction", with("x", {3, 9}), "dimension 1 of input 'x' is 8 in the model, not 9");
}

void damaged_files_are_refused_in_one_line() {
  std::string text = graph("g (float[1, 2] x) => (float[1, 2] y) <float[2] w = {1, 2}> { y = Add(x, w) }"), error;
  std::string bytes = onnxBytes(text, error);
  auto check = [&](const std::string &damaged, const Twine &what) {
    Imported m(writeFile("damaged.onnx", damaged));
    if (!m.module) expect(StringRef(m.error).contains("damaged.onnx: "), what + " names the file: " + m.error);
    expect(!StringRef(m.error).contains('\n'), what + " gives one line: " + m.error);
  };
  for (size_t n = 0; n < bytes.size(); ++n) check(bytes.substr(0, n), "truncation to " + Twine(n));
  for (size_t i = 0; i < bytes.size(); ++i)
    for (int flip : {0x01, 0x80, 0xff}) {
      std::string damaged = bytes;
      damaged[i] = char(damaged[i] ^ flip);
      check(damaged, "byte " + Twine(i) + " flipped");
    }
  Imported external(writeFile("external.onnx", onnxBytesWithExternalData(text, "w", error)));
  expectContains("external data", external.error, "tensor 'w' is stored in an external file");
  Imported missing(folder + "/missing.onnx");
  expectContains("missing", missing.error, "missing.onnx: can not be read");
  Imported kind(writeFile("model.txt", "x"));
  expectContains("kind", kind.error, "unknown kind of model");
}

void mlir_text_takes_the_same_form() {
  Imported m(writeFile("m.mlir", R"(func.func @main(%a: tensor<2x4xf32>, %b: tensor<2x4xf32>) -> tensor<2x4xf32> {
    %0 = tosa.add %a, %b : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
    return %0 : tensor<2x4xf32>
  })"));
  expectEqual("error", m.error, "");
  expectContains("argument", m.text, "xcut.name = \"arg1\", xcut.type = \"f32\"");
  expectContains("result", m.text, "xcut.name = \"result0\"");
  expect(m.count<mlir::linalg::GenericOp>() > 0, "tosa becomes linalg");
  Imported dialect(writeFile("d.mlir",
                             "func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {\n"
                             "  %0 = foo.bar %a : tensor<4xf32>\n  return %0 : tensor<4xf32>\n}"));
  expectContains("unknown dialect", dialect.error, "d.mlir: line 2: ");
  Imported type(
      writeFile("t.mlir", "func.func @main(%a: tensor<4xf64>) -> tensor<4xf64> { return %a : tensor<4xf64> }"));
  expectContains("type", type.error, "argument 0 of @main is not a tensor of a supported type");
  Imported op(writeFile("o.mlir",
                        "func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {\n"
                        "  %0 = \"tosa.custom\"(%a) {operator_name = \"x\", domain_name = \"y\", "
                        "implementation_attrs = \"\"} : (tensor<4xf32>) -> tensor<4xf32>\n"
                        "  return %0 : tensor<4xf32>\n}"));
  expectContains("operation", op.error, "tosa.custom");
}

}  // namespace

int main() {
  SmallString<128> path;
  if (sys::fs::createUniqueDirectory("crosscut-import-test", path)) return 1;
  folder = path.str().str();
  dynamic_reshape_chain_becomes_a_collapse();
  batch_norm_folds_into_the_convolution();
  convolutions_have_the_stated_loops();
  transposed_operand_of_gemm_is_a_map();
  functions_and_known_loops_are_written_out();
  old_opsets_are_converted();
  unsupported_nodes_are_named_all_at_once();
  input_shapes_are_checked();
  damaged_files_are_refused_in_one_line();
  mlir_text_takes_the_same_form();
  sys::fs::remove_directories(folder);
  return result("import-test");
}
