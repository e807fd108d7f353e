"""Whole models run on a Cortex-M4 without operating system, from flash, through the runtime."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest
from conftest import SOURCE, shape_options, write_case
from toolchain import must_run, run

HERE = SOURCE / "compiler" / "test" / "bare_metal"
TOOLCHAIN = HERE / "toolchain.cmake"
EMULATOR = "qemu-system-arm -M mps2-an386 -nographic -monitor none -serial none -semihosting-config enable=on,target=native -kernel"

pytestmark = pytest.mark.skipif(
    not shutil.which("arm-none-eabi-gcc") or not shutil.which("qemu-system-arm"), reason="no tools for Cortex-M"
)


def boot(firmware):
    # The emulator may not touch the terminal.
    return subprocess.run(
        [*shlex.split(EMULATOR), firmware], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope="module", params=[("ppocr_cls", "turned"), ("digits", "unclear")], ids=lambda p: p[0])
def data(tools, request):
    """FIRMWARE_DATA of the image."""
    name, sample = request.param
    folder = tools.work / f"{name}-cortex-m4"
    shutil.copytree(write_case(tools, name, sample), folder, dirs_exist_ok=True)
    command = [tools.compiler, folder / "model.onnx", "-o", folder / "module.xcm", "--target=thumbv7em-none-eabihf"]
    must_run([*command, "--cpu=cortex-m4", *shape_options(name)])
    return folder


def build(tools, data):
    folder = tools.work / f"firmware-{data.name}"
    must_run(["cmake", "-S", HERE, "-B", folder, "-G", "Ninja", f"-DCMAKE_TOOLCHAIN_FILE={TOOLCHAIN}",
              "-DCMAKE_BUILD_TYPE=Release", f"-DFIRMWARE_DATA={data.resolve()}"])  # fmt: skip
    must_run(["cmake", "--build", folder])
    return folder / "firmware.elf"


def test_a_model_is_right_from_flash(tools, data):
    done = boot(build(tools, data))
    assert (done.returncode, done.stdout + done.stderr) == (0, "right\n")


def test_a_wrong_value_is_found(tools, data):
    """The image above can fail."""
    expected = data / "expected.bin"
    kept = expected.read_bytes()
    expected.write_bytes(kept[:-1] + bytes([kept[-1] ^ 0x80]))  # the sign of the last element
    try:
        assert boot(build(tools, data)).returncode == 4
    finally:
        expected.write_bytes(kept)


def test_module_needs_nothing_but_its_caller(data):
    symbols = run(["llvm-nm-22", "--dynamic", "--undefined-only", data / "module.xcm"])
    assert "U " not in symbols.stdout
