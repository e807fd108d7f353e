#!/usr/bin/env python3
"""Reads the text on a page: finds the lines, turns those that are upside down, and reads them.

The three models are compiled by Crosscut when that has not been done yet, once a platform, and run there: on this
machine, or on another CPU under QEMU. Prints a line for each line of text: how sure it is, where its box is
(left, top, right, bottom, in pixels; a turned line is marked), and the text.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("CROSSCUT_BUILD_DIR", SOURCE / "build")) / "venv" / "bin" / "python"


class PageError(Exception):
    """A page that can not be read or written; one line says which and why."""


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", nargs="?", type=Path, help="a picture (PNG, JPEG, …); without: a page drawn now")
    parser.add_argument(
        "--platform", metavar="NAME", help="a platform of benchmarks/matrix.json; default: this machine"
    )
    parser.add_argument("--reference", action="store_true", help="ONNX Runtime instead of Crosscut's modules")
    parser.add_argument(
        "--draw", type=Path, metavar="FILE.png", help="write the page with the boxes and the text there"
    )
    options = parser.parse_args(arguments)
    if options.reference and options.platform:
        parser.error("--reference runs on this machine: it goes without --platform")
    return options


def load(path: Path) -> Any:
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as picture:
            return ImageOps.exif_transpose(picture).convert("RGB")
    except OSError as error:  # what Pillow does not know is an OSError, too
        raise PageError(f"{path}: {error.strerror or 'not a picture that can be read'}") from error
    except (ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PageError(f"{path}: not a picture that can be read: {error}") from error


def draw(page: Any, lines: list[Any], path: Path) -> None:
    from PIL import Image, ImageDraw, ImageFont

    picture = page.copy()
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    for line in lines:
        corners = [tuple(corner) for corner in line.box.rounded()]
        colour = (200, 80, 0) if line.turned else (0, 110, 200)
        pen.polygon(corners, outline=colour, width=2)
        left, top = min(x for x, _ in corners), max(y for _, y in corners) + 1
        label = "".join(c if c.isascii() else "?" for c in line.text)  # what the small font has
        pen.text((left, top), f"{label}  {line.confidence:.3f}", fill=colour, font=font)
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".png", delete=False) as stream:
            temporary = Path(stream.name)
            Image.Image.save(picture, stream, format="PNG")
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise PageError(f"{path}: {error.strerror or error}") from error


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    from crosscut import build, matrix, models, paths, pictures, runner
    from crosscut.ocr import engines, reader

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    try:
        page = load(options.page) if options.page else pictures.page()
        platform = matrix.load().platform(options.platform or paths.HOST_PLATFORM)
        with runner.interruptible():
            if not options.reference and engines.missing_programs(platform):
                say("building what is missing: the compiler and the programs of the platform")
                build.ensure([platform])
            engine = engines.Reference() if options.reference else engines.Compiled(platform, say)
            slow = platform.emulated and not options.reference
            if slow:
                say(f"finding lines on {page.width}x{page.height} pixels, emulated: seconds to minutes")
            lines = reader.read(page, engine, say if slow else lambda _: None)
        if options.draw:
            draw(page, lines, options.draw)
    except (PageError, build.BuildError, matrix.MatrixError, models.ModelError, engines.EngineError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for line in lines:
        corners = line.box.rounded()
        left, top = (min(corner[axis] for corner in corners) for axis in (0, 1))
        right, bottom = (max(corner[axis] for corner in corners) for axis in (0, 1))
        mark = "turned" if line.turned else ""
        print(f"{line.confidence:.3f}  {left:4} {top:4} {right:4} {bottom:4}  {mark:6}  {line.text}")
    where = "ONNX Runtime" if options.reference else f"Crosscut on {platform.name}"
    print(f"{len(lines)} {'line' if len(lines) == 1 else 'lines'} read by {where}")
    return 0


if __name__ == "__main__":
    # The packages are in the build's virtual environment, whatever folder or Python this was started from.
    if not PYTHON.is_file() and not {"-h", "--help"} & set(sys.argv):
        subprocess.run([SOURCE / "scripts" / "setup"], check=True, stdout=sys.stderr)
    if PYTHON.is_file() and Path(sys.prefix) != PYTHON.parents[1]:
        os.execv(PYTHON, [str(PYTHON), __file__, *sys.argv[1:]])
    sys.path.insert(0, str(SOURCE / "scripts"))
    sys.exit(main())
