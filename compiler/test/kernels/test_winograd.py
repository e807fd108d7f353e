"""Winograd's algorithm: when it is chosen, and how large its rounding error is beside a plain sum's."""

from __future__ import annotations

import numpy as np
import pytest
from builder import Function
from operations import clip, conv, pad

pytestmark = pytest.mark.usefixtures("native_only")


@pytest.fixture(scope="session")
def native_only(pytestconfig):
    if pytestconfig.getoption("--platform") != "x86_64-linux":
        pytest.skip("the same on every platform")


def layer(c: int, oc: int, size: int, kernel: int = 3, stride: int = 1, dynamic: tuple[int, ...] = ()) -> Function:
    f = Function("layer")
    x = pad(f, f.arg([1, c, size, size], dynamic=dynamic), [0, 0, 1, 1], [0, 0, 1, 1])
    f.output(conv(f, x, f.const([oc, c, kernel, kernel]), f.const([oc]), stride))
    return f


def forms(tools, folder, f: Function, *flags: str) -> list[str]:
    """The steps that have the form, as the dump of the plan says."""
    model = folder / "layer.mlir"
    model.write_text(f.text())
    done = tools.compile(model, folder / "layer.xcm", f"--dump-phases={folder}", *flags)
    assert done.returncode == 0, done.stderr
    plan = (folder / "4-plan.txt").read_text()
    return [line.split(",3x3)")[0].split()[-1] for line in plan.splitlines() if "tiles at once" in line]


@pytest.mark.parametrize("target", ["x86_64-linux", "aarch64-linux", "armv7-linux", "riscv64-v128-linux", "wasm32"])
def test_early_layers_take_the_larger_tile(target, tools, tmp_path):
    assert forms(tools, tmp_path, layer(64, 64, 28), f"--target={target}") == ["F(4x4"]
    assert forms(tools, tmp_path, layer(32, 32, 28, dynamic=(2, 3)), f"--target={target}") == ["F(4x4"]


@pytest.mark.parametrize("target", ["x86_64-linux", "aarch64-linux", "armv7-linux", "riscv64-v128-linux"])
def test_late_layers_and_strides_take_the_smaller_tile(target, tools, tmp_path):
    assert forms(tools, tmp_path, layer(256, 256, 14), f"--target={target}") == ["F(2x2"]
    assert forms(tools, tmp_path, layer(128, 128, 56, stride=2), f"--target={target}") == ["F(2x2"]


@pytest.mark.parametrize(
    ("name", "build", "flags"),
    [
        ("too few channels", lambda: layer(3, 8, 28), ()),
        ("more weights than outputs", lambda: layer(512, 128, 3), ()),
        ("too little work", lambda: layer(32, 32, 10), ("--target=aarch64-linux",)),
        ("stride", lambda: layer(64, 64, 28, stride=3), ("--winograd=always",)),
        ("few outputs with stride", lambda: layer(512, 512, 14, stride=2), ()),
        ("another kernel", lambda: layer(64, 64, 28, kernel=5), ("--winograd=always",)),
        ("off", lambda: layer(64, 64, 28), ("--winograd=off",)),
        ("memory", lambda: layer(64, 64, 28), ("--favor=min-peak-memory",)),
        ("microcontroller", lambda: layer(32, 32, 12), ("--target=thumbv7em-none-eabihf", "--cpu=cortex-m4")),
    ],
)
def test_others_stay_plain_sums(name, build, flags, tools, tmp_path):
    flags = flags if any("--target" in flag for flag in flags) else ("--target=x86_64-linux", *flags)
    assert forms(tools, tmp_path, build(), *flags) == []


def test_always_takes_every_shape_that_is_possible(tools, tmp_path):
    flags = ("--winograd=always", "--target=thumbv7em-none-eabihf", "--cpu=cortex-m4")
    assert len(forms(tools, tmp_path, layer(3, 2, 2), *flags)) == 1


@pytest.mark.parametrize("outliers", [0.0, 0.02])
def test_error_is_about_twice_that_of_a_plain_sum(outliers, tools, platform, tmp_path):
    """Root mean squares, for both tiles and strides: of normal values, and of some that are 1,000 times larger in between."""
    rng = np.random.default_rng(7)
    for c, oc, size, tile, stride in ((64, 16, 24, "F(4x4", 1), (256, 128, 6, "F(2x2", 1), (64, 64, 28, "F(2x2", 2)):
        f = Function("layer")
        data = rng.standard_normal([1, c, size, size]) * np.where(rng.random([1, c, size, size]) < outliers, 1000, 1)
        x = pad(f, f.arg([1, c, size, size], data=data.astype(np.float32)), [0, 0, 1, 1], [0, 0, 1, 1])
        f.output(clip(f, conv(f, x, f.const([oc, c, 3, 3]), stride=stride), -1e6, 1e6))
        np.save(tmp_path / "in.npy", f.inputs[0].ref.astype(np.float32))
        rms = {}
        for mode in ("off", "always"):
            found = forms(tools, tmp_path, f, f"--winograd={mode}", *platform.target)
            if mode == "always" and found != [tile]:
                continue  # this machine's CPU takes the other one
            done = platform.run_module(f"--module={tmp_path / 'layer.xcm'}", f"--input=@{tmp_path / 'in.npy'}",
                                       f"--output=@{tmp_path / 'out.npy'}")  # fmt: skip
            assert done.returncode == 0, done.stderr
            ref = f.outputs[0].value.ref
            rms[mode] = float(np.sqrt(np.mean((np.load(tmp_path / "out.npy") - ref) ** 2) / np.mean(ref**2)))
        print(f"{tile}, stride {stride}, {c} channels: {rms}")
        assert rms.get("always", 0) <= 2.5 * rms["off"]
