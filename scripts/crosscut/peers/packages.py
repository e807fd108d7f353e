"""Puts the engines in place: build/venv-peers, and for other CPUs a folder with Debian's Python and the engines.

Python packages are pinned by scripts/requirements-peers.lock and requirements-onnx2tf.lock. For other CPUs the same versions' wheels are unpacked
beside a Python and a C library of Debian 13, which the RISC-V wheels need; ONNX Runtime for RISC-V is Debian's. These
packages are pinned by scripts/peers-debian.lock. Debian keeps one version of each: when it has a newer one, `--lock`
writes the file anew. They come through an apt state of our own, the system's stays as it is.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from crosscut import paths, wheels
from crosscut.peers.process import ContenderError

LOCK = paths.SOURCE / "scripts" / "requirements-peers.lock"
ONNX2TF_LOCK = paths.SOURCE / "scripts" / "requirements-onnx2tf.lock"
DEBIAN_LOCK = paths.SOURCE / "scripts" / "peers-debian.lock"
SUITE = "trixie"
PYTHON = "3.13"  # the suite's

_BASE = ["libc6", "libgcc-s1", "libstdc++6", "zlib1g", "libexpat1", "libffi8"]
_BASE += [f"{stem}{PYTHON}-{part}" for stem, part in (("python", "minimal"), ("libpython", "minimal"))]
_BASE += [f"libpython{PYTHON}-stdlib"]
_NUMPY = ["python3-numpy", "libblas3", "liblapack3", "libgfortran5"]
_ONNXRUNTIME = ["python3-onnxruntime", "libonnxruntime1.21", "libonnx1t64", "libprotobuf32t64"]
_ONNXRUNTIME += ["libabsl20240722", "libre2-11"]


@dataclass(frozen=True)
class Architecture:
    """`wheels`: packages whose wheels for it are on PyPI; `tags`: the wheels' platforms; `debian`: packages there."""

    name: str
    debian_name: str
    tags: tuple[str, ...]
    wheels: tuple[str, ...]
    debian: tuple[str, ...]
    engines: tuple[str, ...]


ARCHITECTURES = {
    "aarch64": Architecture(
        "aarch64",
        "arm64",
        tuple(f"manylinux_2_{minor}_aarch64" for minor in (17, 24, 27, 28, 35)),
        ("numpy", "onnxruntime", "ncnn", "iree-base-runtime", "ml-dtypes", "openvino", "ai-edge-litert"),
        tuple(_BASE),
        ("onnxruntime", "openvino", "litert", "iree", "ncnn"),
    ),
    "riscv64": Architecture(
        "riscv64",
        "riscv64",
        ("manylinux_2_39_riscv64",),
        ("ncnn",),
        tuple(_BASE + _NUMPY + _ONNXRUNTIME),
        ("onnxruntime", "ncnn"),
    ),
}

# What ONNX Runtime and OpenVINO read of an AArch64 machine; QEMU would show them this machine's. A Cortex-A76.
_CPUINFO = """processor\t: 0
BogoMIPS\t: 100.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x4
CPU part\t: 0xd0b
CPU revision\t: 1

"""
_MIDR = "0x00000000414fd0b1\n"


def venv() -> Path:
    return paths.BUILD / "venv-peers"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _run(command: list[str | Path], what: str) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        lines = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if re.match(r"(ERROR|E|error):", line)]
        raise ContenderError("prepare", f"{what}: {(errors or lines or ['failed'])[-1]}")
    return done.stdout


def _is_done(stamp: Path, key: str) -> bool:
    return stamp.is_file() and stamp.read_text() == key


def install_venv() -> None:
    """Makes build/venv-peers from the lock files, unless it was made from these very lock files."""
    folder, key = venv(), LOCK.read_text() + ONNX2TF_LOCK.read_text()
    if _is_done(folder / "lock", key):
        return
    _say("installing the peers into build/venv-peers (about a minute)")
    _run([sys.executable, "-m", "venv", "--clear", folder], "build/venv-peers")
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
    for lock in ([LOCK], ["--ignore-requires-python", ONNX2TF_LOCK]):  # why, requirements-onnx2tf.in says
        requirement = ["--require-hashes", *lock[:-1], "--requirement", lock[-1]]
        _run([*pip, *requirement], "build/venv-peers can not be installed from PyPI: pip")
    (folder / "lock").write_text(key)


def pinned(package: str) -> str:
    """The lock file's lines of one package: name, version, hashes."""
    try:
        return wheels.pinned(package, LOCK)
    except wheels.WheelError as error:
        raise ContenderError("prepare", f"{paths.relative(LOCK)} has no {package}") from error


@dataclass(frozen=True)
class Root:
    """An architecture's folder: `folder` is what QEMU takes for the root (-L), `python` its interpreter."""

    architecture: Architecture
    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "usr" / "bin" / f"python{PYTHON}"

    def environment(self) -> dict[str, str]:
        """For the interpreter; LD_LIBRARY_PATH is its own, not QEMU's."""
        libraries = self.folder / "usr" / "lib" / f"{self.architecture.name}-linux-gnu"
        return {
            "PYTHONPATH": f"{self.folder / 'wheels'}:{self.folder / 'usr' / 'lib' / 'python3' / 'dist-packages'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "LD_LIBRARY_PATH": f"{libraries / 'blas'}:{libraries / 'lapack'}",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "ORT_DISABLE_TELEMETRY": "1",
        }


def install_root(architecture: Architecture) -> Root:
    """Makes build/peers/<architecture>/root, unless it was made from these very lock files."""
    place = paths.BUILD / "peers" / architecture.name
    root, stamp = Root(architecture, place / "root"), place / "root.stamp"
    state = "".join(path.read_text() for path in (LOCK, DEBIAN_LOCK, Path(__file__)))
    key = hashlib.sha256(state.encode()).hexdigest()
    if _is_done(stamp, key):
        return root
    _say(f"fetching Debian's Python and the engines for {architecture.name} (about a minute)")
    stamp.unlink(missing_ok=True)
    shutil.rmtree(root.folder, ignore_errors=True)
    for part in ("lib", "bin"):
        (root.folder / "usr" / part).mkdir(parents=True)
        (root.folder / part).symlink_to(f"usr/{part}")
    for package in _debian_packages(architecture, place):
        _run(["dpkg-deb", "--extract", package, root.folder], package.name)
    for wheel in _wheels(architecture, place / "wheels"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(root.folder / "wheels")
    cpus = root.folder / "sys" / "devices" / "system" / "cpu"
    cpus.mkdir(parents=True)
    for name in ("possible", "present", "online"):
        (cpus / name).write_text("0\n")
    if architecture.name == "aarch64":
        (root.folder / "proc").mkdir()
        (root.folder / "proc" / "cpuinfo").write_text(_CPUINFO)
        registers = cpus / "cpu0" / "regs" / "identification"
        registers.mkdir(parents=True)
        (registers / "midr_el1").write_text(_MIDR)
    stamp.write_text(key)
    return root


def _wheels(architecture: Architecture, folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    requirements = folder / "requirements.txt"
    requirements.write_text("".join(map(pinned, architecture.wheels)))
    command: list[str | Path] = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--require-hashes", f"--python-version={PYTHON}", "--dest", folder, "--requirement", requirements]
    _run([*command, *(f"--platform={tag}" for tag in architecture.tags)], f"{architecture.name}: pip")
    found = []
    for name in architecture.wheels:
        version = pinned(name).split()[0].partition("==")[2]
        found += sorted(folder.glob(f"{name.replace('-', '_')}-{version}-*.whl"))[:1]
    return found


# --- Debian's packages ---


def _apt(architecture: Architecture, place: Path) -> list[str]:
    """Options that give apt a state of its own under `place`; its package lists are fetched when they are not there."""
    state = place / "apt"
    (state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (state / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    targets = _run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"], "apt"
    )
    mirrors = [line.split()[0] for line in targets.splitlines() if re.search(r" bookworm main$", line)]
    if not mirrors:
        raise ContenderError("prepare", "apt's sources name no Debian bookworm main, whose mirror has other suites too")
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    source = f"deb [arch={architecture.debian_name} signed-by={keys}] {mirrors[0]} {SUITE} main\n"
    (state / "sources.list").write_text(source)
    settings = {
        "Dir::State::lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state / "cache",
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "APT::Architecture": architecture.debian_name,
        "APT::Architectures": architecture.debian_name,
        "APT::Sandbox::User": "root",
    }
    options = [f"-o{name}={value}" for name, value in settings.items()]
    _run(["apt-get", *options, "--error-on=any", "update"], f"Debian {SUITE} for {architecture.debian_name}: apt")
    return options


def _locked(architecture: Architecture) -> dict[str, tuple[str, str]]:
    """Package → version and SHA-256, from scripts/peers-debian.lock."""
    entries = {}
    for line in DEBIAN_LOCK.read_text().splitlines():
        if line.startswith(architecture.debian_name + " "):
            _, package, version, digest = line.split()
            entries[package] = (version, digest)
    return entries


def _debian_packages(architecture: Architecture, place: Path) -> list[Path]:
    """The pinned packages' files; those that are there already and right are kept."""
    folder, locked, options, found = place / "debian", _locked(architecture), None, []
    folder.mkdir(parents=True, exist_ok=True)
    for package in architecture.debian:
        if package not in locked:
            raise ContenderError("prepare", f"{paths.relative(DEBIAN_LOCK)} has no {package}; --lock writes it anew")
        version, digest = locked[package]
        path = folder / f"{package}_{digest[:16]}.deb"
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            options = options or _apt(architecture, place)
            _download(options, package, version, digest, path)
        found.append(path)
    return found


def _download(options: list[str], package: str, version: str, digest: str, path: Path) -> None:
    partial = path.with_suffix(".part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    done = subprocess.run(
        ["apt-get", *options, "download", f"{package}={version}"], cwd=partial, capture_output=True, text=True
    )
    files = list(partial.glob("*.deb"))
    if done.returncode or len(files) != 1:
        reason = (done.stderr.strip().splitlines() or ["not downloaded"])[-1].removeprefix("E: ")
        raise ContenderError(
            "prepare", f"Debian {SUITE}: {reason}; if Debian has a newer version: scripts/compare-peers --lock"
        )
    if hashlib.sha256(files[0].read_bytes()).hexdigest() != digest:
        raise ContenderError("prepare", f"{package} {version}: not the file of {paths.relative(DEBIAN_LOCK)}")
    files[0].replace(path)
    partial.rmdir()


def lock_debian() -> None:
    """Writes scripts/peers-debian.lock: the versions and hashes that the suite's signed index has today."""
    lines = [f"# Debian {SUITE}: architecture, package, version, SHA-256. Written by scripts/compare-peers --lock."]
    for architecture in ARCHITECTURES.values():
        options = _apt(architecture, paths.BUILD / "peers" / architecture.name)
        shown = _run(["apt-cache", *options, "show", "--no-all-versions", *architecture.debian], "apt-cache")
        for entry in shown.strip().split("\n\n"):
            facts = dict(re.findall(r"^(Package|Version|SHA256): (.*)$", entry, re.MULTILINE))
            lines.append(f"{architecture.debian_name} {facts['Package']} {facts['Version']} {facts['SHA256']}")
    temporary = DEBIAN_LOCK.with_suffix(".new")
    temporary.write_text("\n".join(lines) + "\n")
    temporary.replace(DEBIAN_LOCK)
