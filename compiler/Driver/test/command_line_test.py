"""What crosscut-compile accepts, refuses and leaves behind.

Run: command_line_test.py <crosscut-compile> [<model.onnx>]. Needs nothing but Python; the tests that need the model are
skipped when it is not there.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOL = Path()
MODEL = Path()

SMALL = """
func.func @main(%a: tensor<4x8xf32>, %b: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %sum = arith.addf %a, %b : tensor<4x8xf32>
  return %sum : tensor<4x8xf32>
}
"""


class CommandLine(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.model = self.folder / "small.mlir"
        self.model.write_text(SMALL)

    def run_tool(self, *arguments, **options):
        return subprocess.run(
            [TOOL, *map(str, arguments)], capture_output=True, text=True, cwd=self.folder, timeout=300, **options
        )

    def compiled(self, *arguments, **options):
        done = self.run_tool(*arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def refused(self, *arguments, **options):
        """Runs a command that has to fail: status 1, one line on stderr, no new file. Returns the line."""
        before = {path: path.stat().st_mtime_ns for path in self.folder.iterdir()}
        done = self.run_tool(*arguments, **options)
        self.assertEqual(done.returncode, 1, f"{done.stdout}{done.stderr}")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertTrue(done.stderr.startswith("crosscut-compile: error: "), done.stderr)
        self.assertEqual({path: path.stat().st_mtime_ns for path in self.folder.iterdir()}, before)
        return done.stderr

    def test_it_says_what_it_resolved_and_made(self):
        text = self.compiled(self.model, "--target=aarch64-linux-gnu")
        first, last = text.splitlines()
        self.assertEqual(first, "target aarch64-unknown-linux-gnu, cpu cortex-a76, features of that CPU, O2")
        self.assertRegex(last, r"^small\.xcm: .*weights .*arena .* kernels, [0-9.]+ s$")
        self.assertTrue((self.folder / "small.xcm").is_file())

    def test_a_native_module_is_never_generic(self):
        self.assertNotIn("cpu generic,", self.compiled(self.model))
        self.assertIn("cpu generic,", self.compiled(self.model, "--cpu=generic"))

    def test_the_same_command_writes_the_same_bytes_on_any_number_of_cores(self):
        modules = []
        for cores in (os.sched_getaffinity(0), {min(os.sched_getaffinity(0))}):
            output = self.folder / f"m{len(modules)}.xcm"
            model = MODEL if MODEL.is_file() else self.model
            self.compiled(
                model, "--target=x86_64-linux", "--cpu=x86-64-v3", "-o", output,
                preexec_fn=lambda cores=cores: os.sched_setaffinity(0, cores),
            )  # fmt: skip
            modules.append(output.read_bytes())
        self.assertEqual(*modules)

    def test_every_level_of_optimisation_compiles(self):
        for level in range(4):
            self.assertIn(f", O{level}\n", self.compiled(self.model, f"--opt={level}"))

    def test_help_shows_our_options_only(self):
        text = self.compiled("--help")
        for option in ("--target", "--cpu", "--features", "--input-shape", "--opt", "--favor", "--max-arena", "-o ",
                       "--winograd", "--debug-symbols", "--dump-phases", "--time-phases", "--list-targets", "--list-cpus",
                       "--check", "--print-arena", "--explain"):  # fmt: skip
            self.assertIn(option, text)
        self.assertLess(len(text.splitlines()), 60)

    def test_phases_are_dumped_and_timed(self):
        text = self.compiled(self.model, "--dump-phases=phases", "--time-phases")
        names = {path.name for path in (self.folder / "phases").iterdir()}
        for name in ("1-import.mlir", "6-llvm.mlir", "7-llvm.ll", "8-llvm.opt.ll", "9-code.s", "9-code.o"):
            self.assertIn(name, names)
        for phase in ("import", "generate code", "optimise and compile", "link", "total"):
            self.assertRegex(text, rf"(?m)^  {phase} +[0-9.]+ ms")

    def test_mistakes_on_the_command_line_are_one_line(self):
        model = self.model
        for arguments, part in (
            (["--no-such-option"], "no-such-option"),
            ([model, "--debug-only=isel"], "debug-only"),
            ([], "no model"),
            ([model, "--target=x87"], "unknown target 'x87'"),
            ([model, "--target=aarch64-linux", "--cpu=cortex-a77x"], "unknown CPU 'cortex-a77x'"),
            ([model, "--features=+no-such-feature"], "unknown feature 'no-such-feature'"),
            ([model, "--target=x86_64-linux", "--cpu=pentium4"], "64-bit"),
            ([model, "--opt=4"], "--opt=4"),
            ([model, "--opt=-1"], "--opt=-1"),
            ([model, "--favor=speed"], "--favor=speed"),
            ([model, "--max-arena=lots"], "--max-arena=lots"),
            ([model, "--print-arena=no/such/folder/a.svg"], "no/such/folder/a.svg"),
            ([model, "--print-arena=m.xcm", "-o", "m.xcm"], "--print-arena=m.xcm: that is the module's file"),
            ([model, "--winograd=on"], "--winograd=on"),
            ([model, "--input-shape=3x4"], "--input-shape=3x4"),
            ([model, "--input-shape=a=3xx4"], "--input-shape=a=3xx4"),
            ([model, "--input-shape=nobody=3x4"], "--input-shape"),
            ([model, "-o", "no/such/folder/m.xcm"], "no/such/folder/m.xcm"),
            ([model, "-o", "."], "."),
            (["--list-cpus", "--target=nowhere"], "unknown target 'nowhere'"),
            ([model, "--format=coff"], "--format=coff: expected elf or static"),
            ([model, "--abi=soft"], "--abi is for --format=static"),
            ([model, "--name=m"], "--name is for --format=static"),
            ([model, "--weights-section=.flash"], "--weights-section is for --format=static"),
            (
                [model, "--format=static", "-o", "m.xcm"],
                "-o m.xcm: --format=static writes a file that ends in .o or .a",
            ),
            ([model, "--format=static", "--weights-section=a b"], "--weights-section=a b: expected a section's name"),
            (
                [model, "--format=static", "--target=wasm32"],
                "writes ELF objects, which target 'wasm32-unknown-unknown'",
            ),
            ([model, "--format=static", "--target=x86_64-linux", "--abi=soft"], "--abi=soft: target 'x86_64"),
            ([model, "--format=static", "--target=cortex-m4", "--abi=mixed"], "knows soft, softfp, hard"),
            ([model, "--format=static", "--target=cortex-m4", "--abi=soft"], "asks for hard float"),
            ([model, "--format=static", "--target=thumbv6m-none-eabi", "--abi=hard"], "has no floating-point unit"),
            ([model, "--format=static", "--target=riscv64-linux", "--abi=ilp32"], "knows lp64, lp64f, lp64d"),
            (
                [model, "--format=static", "--target=riscv32-unknown-elf", "--abi=ilp32d"],
                "no such floating-point registers",
            ),
        ):
            with self.subTest(arguments=arguments):
                self.assertIn(part, self.refused(*arguments))

    def test_a_static_header_states_sizes(self):
        dynamic = self.folder / "dynamic.mlir"
        dynamic.write_text(SMALL.replace("4x8", "?x8"))
        self.compiled(dynamic, "--format=static")
        header = (self.folder / "dynamic.h").read_text()
        self.assertIn("#define DYNAMIC_ARG0_SHAPE {-1, 8}\n", header)
        self.assertIn("int64_t dynamic_plan(const int64_t arg0_dims[DYNAMIC_ARG0_RANK], ", header)
        self.compiled(self.model, "--format=static")
        header = (self.folder / "small.h").read_text()
        self.assertIn("#define SMALL_ARG0_SHAPE {4, 8}\n", header)
        self.assertNotIn("_plan(", header)

    def test_object_and_header_appear_together_or_not_at_all(self):
        text = self.compiled(self.model, "--format=static", "-o", "libthing.a")
        self.assertRegex(text, r"(?m)^libthing\.a, libthing\.h: .*weights .*arena .* kernels, [0-9.]+ s$")
        self.assertIn("int thing_run(", (self.folder / "libthing.h").read_text())
        (self.folder / "m.h").mkdir()
        self.assertIn("m.h: Is a directory", self.refused(self.model, "--format=static", "-o", "m.o"))
        self.assertFalse((self.folder / "m.o").exists())
        (self.folder / "own.h").write_text("int own(void);")
        line = self.refused(self.model, "--format=static", "-o", "own.o")
        self.assertIn("own.h: exists and was not written by crosscut", line)
        self.compiled(self.model, "--format=static", "-o", "libthing.a", "--opt=0")  # its own is replaced
        (self.folder / "n.o").write_text("old")

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))

        self.refused(self.model, "--format=static", "-o", "n.o", preexec_fn=limit)
        self.assertEqual((self.folder / "n.o").read_text(), "old")

    def test_models_that_are_none_are_named(self):
        for name, content in (
            ("empty.onnx", b""),
            ("noise.onnx", bytes(range(256)) * 8),
            ("text.onnx", b"this is not a model\n"),
            ("empty.mlir", b""),
            ("noise.mlir", bytes(range(256))),
            ("wrong.mlir", b"func.func @main() { this is not IR }"),
            ("untyped.mlir", b"func.func @main(%a: tensor<4xf32>) -> tensor<8xf32> { return %a : tensor<4xf32> }"),
            ("model.txt", b"?"),
            ("deep.mlir", b"func.func private @f(" + b"tuple<" * 1000000 + b"\n"),
        ):
            with self.subTest(name=name):
                path = self.folder / name
                path.write_bytes(content)
                self.assertIn(name, self.refused(path, "-o", "m.xcm"))
        self.assertIn("missing.onnx", self.refused("missing.onnx"))
        self.assertIn(str(self.folder), self.refused(self.folder))

    @unittest.skipUnless(Path("/dev/full").exists(), "needs /dev/full")
    def test_a_full_disk_is_an_error(self):
        self.assertIn("/dev/full: No space left on device", self.refused(self.model, "-o", "/dev/full"))
        self.assertFalse(Path("/dev/full").is_file())

    def test_a_limit_of_file_sizes_leaves_the_old_module(self):
        old = self.folder / "m.xcm"
        old.write_bytes(b"old")

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))

        self.refused(self.model, "-o", old, preexec_fn=limit)
        self.assertEqual(old.read_bytes(), b"old")

    def test_an_output_that_is_a_device_stays_one(self):
        self.compiled(self.model, "-o", "/dev/null")
        self.assertTrue(Path("/dev/null").is_char_device())

    def test_lists_name_platforms_and_cpus(self):
        targets = self.compiled("--list-targets")
        self.assertRegex(targets, r"(?m)^aarch64-linux +tested ")
        self.assertRegex(targets, r"(?m)^s390x-linux +compile-only ")
        self.assertIn("cortex-a76", self.compiled("--list-cpus", "--target=aarch64-linux").split())

    @unittest.skipUnless(len(sys.argv) > 2 and Path(sys.argv[2]).is_file(), "needs the model")
    def test_truncated_and_corrupt_models_are_refused_or_compiled_whole(self):
        content = MODEL.read_bytes()
        model = self.folder / "broken.onnx"
        for length in (1, 100, 1000, len(content) // 2, len(content) - 1):
            model.write_bytes(content[:length])
            with self.subTest(length=length):
                self.assertIn("broken.onnx", self.refused(model, "-o", "m.xcm"))
        for at in range(0, 4000, 97):
            broken = bytearray(content)
            broken[at] ^= 0x55
            model.write_bytes(broken)
            done = self.run_tool(model, "--check")
            with self.subTest(at=at):
                self.assertIn(done.returncode, (0, 1), done.stderr)
                self.assertNotIn("internal error", done.stderr)


if __name__ == "__main__":
    TOOL = Path(sys.argv[1]).resolve()
    MODEL = Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else MODEL
    unittest.main(argv=sys.argv[:1])
