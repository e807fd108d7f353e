"""Instruction counts under QEMU, with a stand-in for it; and how the engines for other CPUs are fetched."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from pathlib import Path

import pytest

from crosscut import matrix, models, paths, records
from crosscut.peers import __main__ as command
from crosscut.peers import contenders, emulated, engines, packages, report
from crosscut.peers.engines import Case, Given
from crosscut.peers.process import ContenderError

FAKE = Path(__file__).with_name("fake_worker.py")

# Starts the stand-in for a worker, which writes the counts when it is asked to count; anything else goes to conftest's.
_QEMU = f"""
import os, sys
if not any(a.endswith("worker.py") for a in sys.argv):
    os.execv(__file__ + ".plain", sys.argv)
os.environ["CROSSCUT_FAKE_COUNTS"] = sys.argv[sys.argv.index("-plugin") + 1].split(",out=")[1]
os.environ["FAKE_ROOT"] = sys.argv[sys.argv.index("-L") + 1]
os.execv(sys.executable, [sys.executable, {str(FAKE)!r}, sys.argv[-1]])
"""


@pytest.fixture
def fakes(fake_aarch64, monkeypatch):
    qemu = fake_aarch64 / "qemu" / "qemu-aarch64"
    qemu.rename(qemu.with_name("qemu-aarch64.plain"))
    qemu.write_text(f"#!{sys.executable}\n{_QEMU}")
    qemu.chmod(0o755)
    monkeypatch.setattr(packages, "install_root", lambda a: packages.Root(a, fake_aarch64 / "root"))
    monkeypatch.setattr(packages, "install_venv", lambda: None)
    monkeypatch.setattr(engines, "prepare", lambda name, case: Given([case.fixed], case.sample.inputs))
    return lambda **fates: monkeypatch.setenv("FAKE_PEERS", json.dumps(fates))


def _case(platform="aarch64-linux"):
    model = models.get("simple")
    return Case(model, model.samples()[0], matrix.load().platform(platform), 1)


def test_calling_from_python_is_taken_off_an_engine_s_count(fakes):
    outcomes = {o.contender: o for o in emulated.compare(_case(), lambda text: None)}
    assert outcomes["crosscut"].cost == [12_345_678] and outcomes["crosscut"].exact
    assert outcomes["ncnn"].cost == [20_000_000] and not outcomes["ncnn"].exact
    assert all(o.ok for o in outcomes.values())


def test_engines_without_a_build_for_the_cpu_are_rows(fakes, monkeypatch):
    monkeypatch.setitem(packages.ARCHITECTURES, "aarch64", packages.ARCHITECTURES["riscv64"])
    results = [(_case(), emulated.compare(_case(), lambda text: None))]
    shown = report.text(results)
    assert re.search(r"openvino +no wheel", shown) and "neither a wheel on PyPI nor a package in Debian" in shown
    record = records.start("peers", ["scripts/compare-peers"])
    record["rows"] = report.record_rows(results)
    record["finished"] = records.now()
    records.validate(record)
    assert {row["contender"].split()[0]: row["status"] for row in record["rows"]} == {
        "crosscut": "pass", "onnxruntime": "pass", "openvino": "excluded", "litert": "excluded", "iree": "excluded",
        "ncnn": "pass",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fate", "phase"),
    [("segfaults", "prepare"), ("wrong", "check"), ("raises", "prepare"), ("counts nothing", "measure")],
)
def test_an_engine_that_fails_under_qemu_is_a_row(fakes, fate, phase):
    fakes(ncnn=fate)
    outcomes = {o.contender: o for o in emulated.compare(_case(), lambda text: None)}
    assert outcomes.pop("ncnn").failure.phase == phase
    assert all(o.ok for o in outcomes.values())


def test_crosscut_under_qemu_may_fail_like_any_other(fakes, monkeypatch):
    monkeypatch.setenv("FAKE_CRASH", "run")
    outcomes = emulated.compare(_case(), lambda text: None)
    assert outcomes[0].failure.reason == "ended by SIGILL" and outcomes[1].ok


def test_the_engines_see_their_own_root_and_the_platform_s_cpu(tmp_path):
    root = packages.Root(packages.ARCHITECTURES["riscv64"], tmp_path)
    platform = matrix.load().platform("riscv64-v128-linux")
    line = [str(part) for part in emulated._command(platform, root, tmp_path / "counts.json")]
    assert line[0] == "qemu-riscv64" and line.count("-L") == 1 and line[line.index("-L") + 1] == str(tmp_path)
    assert "vlen=128" in line[line.index("-cpu") + 1] and f"{tmp_path}/counts.json" in line[line.index("-plugin") + 1]
    assert line.index(str(root.python)) > line.index("-cpu") and Path(line[-1]).is_file()


@pytest.mark.parametrize("content", ["", "{", "{}", '{"regions": []}', '{"regions": [{"id": 0}]}'])
def test_a_broken_file_of_counts_is_an_error(tmp_path, content):
    path = tmp_path / "counts.json"
    path.write_text(content)
    with pytest.raises(ContenderError):
        emulated.read_counts(path, "again")


def test_the_command_compares_on_several_platforms(fakes, tmp_path, capsys):
    flags = ["--platform", "aarch64-linux", "--platform", "aarch64-linux", "--no-build", "--json", str(tmp_path / "r")]
    assert command.main(["simple", *flags]) == 0
    out, err = capsys.readouterr()
    assert "12.35 M" in out and "20.00 M" in out and "0.62" in out and "[6/6]" in err
    row = json.loads((tmp_path / "r").read_text())["rows"][1]
    assert row["reproduce"] == "scripts/compare-peers simple --platform aarch64-linux"
    assert row["metrics"][0]["unit"] == "instructions" and row["runner"][0] == "qemu-aarch64"


# --- Packages ---


def test_everything_that_is_fetched_is_pinned():
    for architecture in packages.ARCHITECTURES.values():
        locked = packages._locked(architecture)
        assert set(architecture.debian) == set(locked)
        assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for _, digest in locked.values())
        for package in architecture.wheels:
            assert "--hash=sha256:" in packages.pinned(package)
    with pytest.raises(ContenderError, match="has no unheard-of"):
        packages.pinned("unheard-of")


_APT = """
import os, sys
from pathlib import Path
arguments = [a for a in sys.argv[1:] if not a.startswith("-")]
if arguments[0] == "indextargets":
    print("http://mirror.invalid/debian bookworm main")
elif arguments[0] == "update" and os.environ.get("FAKE_APT") == "no network":
    sys.exit("E: Failed to fetch http://mirror.invalid/debian/dists/trixie/InRelease  Could not resolve 'mirror.invalid'")
elif arguments[0] == "download":
    if os.environ.get("FAKE_APT") == "newer":
        sys.exit(f"E: Version '{arguments[1].partition('=')[2]}' for '{arguments[1].partition('=')[0]}' was not found")
    Path("package_1_arm64.deb").write_text("content")
"""


@pytest.fixture
def fake_apt(tmp_path, monkeypatch):
    """A package `thing`, pinned, whose content is "content"; its architecture."""
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    program = tmp_path / "bin" / "apt-get"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{_APT}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    lock = tmp_path / "debian.lock"
    lock.write_text(f"arm64 thing 1 {hashlib.sha256(b'content').hexdigest()}\narm64 other 1 {'0' * 64}\n")
    monkeypatch.setattr(packages, "DEBIAN_LOCK", lock)
    return lambda *names: packages.Architecture("aarch64", "arm64", (), (), names, ())


def test_a_package_is_fetched_once(fake_apt, tmp_path, monkeypatch):
    for _ in range(2):
        (path,) = packages._debian_packages(fake_apt("thing"), tmp_path)
        assert path.read_text() == "content"
        monkeypatch.setenv("FAKE_APT", "no network")
    path.write_text("spoilt")
    with pytest.raises(ContenderError, match="Could not resolve"):
        packages._debian_packages(fake_apt("thing"), tmp_path)


def test_another_file_than_the_pinned_one_is_refused(fake_apt, tmp_path):
    with pytest.raises(ContenderError, match="other 1: not the file of"):
        packages._debian_packages(fake_apt("other"), tmp_path)
    with pytest.raises(ContenderError, match="has no third"):
        packages._debian_packages(fake_apt("third"), tmp_path)


def test_a_version_that_debian_no_longer_has_says_what_to_do(fake_apt, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_APT", "newer")
    with pytest.raises(ContenderError, match=r"'thing' was not found; if Debian has .* scripts/compare-peers --lock"):
        packages._debian_packages(fake_apt("thing"), tmp_path)


def test_packages_that_can_not_be_had_are_a_row(fakes, fake_apt, monkeypatch):
    monkeypatch.setattr(packages, "install_root", lambda a: packages._debian_packages(fake_apt("other"), paths.BUILD))
    outcomes = emulated.compare(_case(), lambda text: None)
    assert outcomes[0].ok and all("not the file of" in o.failure.reason for o in outcomes[1:])


def test_worker_and_engines_agree():
    """The stand-alone worker knows every engine, and the sizes of its libraries."""
    import ast

    tree = ast.parse(Path(contenders.__file__).with_name("worker.py").read_text())
    tables = {
        node.targets[0].id: {ast.literal_eval(key) for key in node.value.keys}
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
    }
    assert tables["STARTS"] == tables["SHIPPED"] == set(engines.NAMES)
