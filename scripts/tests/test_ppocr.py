"""The three PP-OCR models, and the reader made of them: the text that was drawn is read, with ONNX Runtime and with
Crosscut's modules, on every platform that is built, at every size."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from crosscut import matrix, models, paths, pictures
from crosscut.ocr import boxes, engines, reader, text
from crosscut.pictures import Line

READ = paths.MODELS / "ppocr" / "read.py"
NATIVE = matrix.load().platform(paths.HOST_PLATFORM)
EMULATED = [p for p in matrix.load().platforms.values() if p.kind == "emulated"]
needs_compiler = pytest.mark.skipif(bool(engines.missing_programs(NATIVE)), reason="the compiler is not built")


def texts(lines):
    return [line.text for line in lines]


def drawn(lines):
    return [line.text for line in lines]


@pytest.fixture(scope="session")
def reference():
    return engines.Reference()


@pytest.fixture(scope="session")
def compiled():
    """Engines by platform, made when they are asked for."""
    made = {}

    def engine(platform):
        if platform.name not in made:
            if engines.missing_programs(platform):
                pytest.skip(f"{platform.name} is not built")
            made[platform.name] = engines.Compiled(platform)
        return made[platform.name]

    return engine


def assert_same(lines, expected):
    """The same text; boxes within a pixel, and confidences, since values differ in their last bits."""
    assert texts(lines) == texts(expected)
    for line, other in zip(lines, expected, strict=True):
        assert line.turned == other.turned
        assert np.abs(line.box.corners - other.box.corners).max() <= 1.0
        assert line.confidence == pytest.approx(other.confidence, abs=2e-3)


# ---- What goes into the models ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("size", "shape"), [((640, 480), (480, 640)), ((10, 70), (64, 32)), ((3000, 1000), (320, 960))]
)
def test_pages_go_to_the_detector_in_multiples_of_32(size, shape):
    values = pictures.detector_input(Image.new("RGB", size, (255, 0, 0)))
    assert values.shape == (1, 3, *shape) and values.dtype == np.float32 and values.flags.c_contiguous
    # Blue first, ImageNet's means and deviations.
    assert values[0, :, 0, 0] == pytest.approx([-0.485 / 0.229, -0.456 / 0.224, (1 - 0.406) / 0.225], abs=1e-6)


def test_lines_go_to_the_recogniser_at_their_own_width_or_padded():
    line = pictures.text_line("CPU")
    own = pictures.recogniser_input(line)
    assert own.shape == (1, 3, 48, line.width) and -1 <= own.min() < 0 < own.max() <= 1
    padded = pictures.recogniser_input(line, 320)
    assert padded.shape == (1, 3, 48, 320) and np.array_equal(padded[..., : line.width], own)
    assert not padded[..., line.width :].any()
    assert pictures.recogniser_input(line, 40).shape == (1, 3, 48, 40)
    assert pictures.recogniser_input(Image.new("RGB", (1, 100))).shape == (1, 3, 48, 8)


# ---- From the detector's map to boxes --------------------------------------------------------------------------------
def likely(width, height, rectangles, value=1.0):
    values = np.zeros((1, 1, height, width), np.float32)
    for left, top, right, bottom in rectangles:
        values[0, 0, top:bottom, left:right] = value
    return values


def test_a_box_is_widened_by_its_area_and_scaled_to_the_page():
    (box,) = boxes.find(likely(100, 60, [(20, 20, 80, 30)]), 200, 120)
    # Dilated by one pixel; outlines go through the middles of pixels: 60 x 10. 1.6 * 600 / 140 on each side.
    out = 1.6 * 600 / 140
    expected = np.array([(20 - out, 20 - out), (80 + out, 20 - out), (80 + out, 30 + out), (20 - out, 30 + out)])
    assert box.corners == pytest.approx(2 * expected, abs=0.01) and box.sure == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("degrees", [8, -8])
def test_an_oblique_line_is_cut_out_straight(degrees, reference):
    page = pictures.page((420, 200), (Line("slightly oblique", 40, 76, 34),)).rotate(
        degrees, Image.Resampling.BICUBIC, fillcolor=(235, 235, 230)
    )
    (line,) = reader.read(page, reference)
    assert line.text == "slightly oblique"
    left, right = line.box.corners[:2]
    assert math.degrees(math.atan2(left[1] - right[1], right[0] - left[0])) == pytest.approx(degrees, abs=1)


def test_boxes_come_row_by_row_and_stay_on_the_page():
    wanted = [(0, 4, 30, 14), (50, 2, 98, 12), (60, 30, 90, 40), (10, 50, 40, 60)]
    found = boxes.find(likely(100, 64, reversed(wanted)), 100, 64)
    lefts = [float(box.corners[:, 0].min()) for box in found]
    assert len(found) == 4 and lefts == sorted(lefts[:2]) + lefts[2:] and lefts[2] > 45 > lefts[3]
    for box in found:
        assert (box.corners >= 0).all() and (box.corners <= (100, 64)).all()


def test_specks_and_what_is_not_sure_are_no_boxes():
    assert boxes.find(likely(64, 64, []), 64, 64) == []
    assert boxes.find(likely(64, 64, [(10, 10, 12, 11)]), 64, 64) == []
    assert boxes.find(likely(64, 64, [(10, 10, 50, 20)], value=0.5), 64, 64) == []
    assert boxes.find(likely(64, 64, [(10, 10, 50, 20)], value=0.29), 64, 64) == []


# ---- From the recogniser's classes to text ---------------------------------------------------------------------------
def steps(classes, probability=0.8):
    values = np.full((len(classes), 5), (1 - probability) / 4, np.float32)
    values[np.arange(len(classes)), classes] = probability
    return values


@pytest.mark.parametrize(
    ("classes", "expected"),
    [([0, 0], ""), ([1, 1, 0, 1, 2], "aab"), ([3, 3, 3], "c"), ([2, 4, 4, 0, 1], "b a"), ([1, 2, 1], "aba")],
)
def test_a_character_counts_once_however_long_it_lasts(classes, expected):
    read, confidence = text.decode(steps(classes), ["", "a", "b", "c", " "])
    assert read == expected and confidence == pytest.approx(0.8 if expected else 0)


def test_an_output_that_does_not_fit_the_characters_is_refused():
    with pytest.raises(ValueError, match=r"\[2, 5\], the model knows 3 characters"):
        text.decode(steps([0, 1]), ["", "a", " "])


def test_the_characters_come_from_the_model_file(tmp_path):
    alphabet = text.characters(models.get("ppocr_rec").onnx)
    assert len(alphabet) == 6625 == models.find("ppocr_rec").facts["outputs"][0]["shape"][-1]
    assert alphabet[0] == "" and alphabet[-1] == " " and {"a", "Z", "7", "的"} <= set(alphabet)
    with pytest.raises(ValueError, match=r"ppocr_det.onnx: no list of characters"):
        text.characters(models.get("ppocr_det").onnx)


# ---- The models ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", engines.MODELS)
def test_the_reference_answers_as_stated(name):
    model = models.get(name)
    for sample in [*model.samples(), *model.dynamic_samples()]:
        if sample.name in model.answers:
            outputs = [np.load(path) for path in sample.outputs]
            assert models.answer(model, sample.name, outputs) == model.answers[sample.name]
    assert model.answers


def agrees(name, platform, sizes, compiled):
    model, module = models.get(name), compiled(platform).modules[name]
    for sample in sizes(model):
        source, expected = np.load(sample.inputs[0]), np.load(sample.outputs[0])
        values = compiled(platform).run(name, source)
        allowed = model.tolerance.atol + model.tolerance.rtol * np.abs(expected)
        assert values.shape == expected.shape and values.dtype == expected.dtype, f"{module} {sample.name}"
        error = np.abs(values - expected)
        assert (error <= allowed).all(), f"{module} {sample.name}: off by {error.max():.3g}"


@needs_compiler
@pytest.mark.parametrize("name", ["ppocr_det", "ppocr_rec"])
def test_one_module_agrees_with_onnx_runtime_at_every_size(name, compiled):
    assert len({np.load(s.inputs[0]).shape for s in models.get(name).dynamic_samples()}) >= 5
    agrees(name, NATIVE, lambda model: [*model.dynamic_samples(), *model.samples()], compiled)


@needs_compiler
@pytest.mark.full
@pytest.mark.parametrize("name", ["ppocr_det", "ppocr_rec"])
@pytest.mark.parametrize("platform", EMULATED, ids=lambda p: p.name)
def test_one_module_agrees_with_onnx_runtime_at_every_size_under_qemu(platform, name, compiled):
    agrees(name, platform, lambda model: model.dynamic_samples(), compiled)


@needs_compiler
def test_probabilities_of_many_classes_add_up(compiled):
    """One running sum of 6,625 of them would lose what is small beside 1."""
    for width in (33, 320):
        line = pictures.recogniser_input(pictures.text_line("7"), width)
        sums = compiled(NATIVE).run("ppocr_rec", line).sum(axis=-1, dtype=np.float64)
        assert np.abs(sums - 1).max() < 2e-6


@needs_compiler
def test_the_detector_refuses_sides_that_are_no_multiples_of_32(compiled):
    with pytest.raises(engines.EngineError, match=r"^ppocr_det on x86_64-linux: crosscut-run: [^\n]*$"):
        compiled(NATIVE).run("ppocr_det", np.zeros((1, 3, 40, 64), np.float32))


# ---- The reader ------------------------------------------------------------------------------------------------------
@needs_compiler
@pytest.mark.parametrize("text_size", [18, 24, 32])
def test_lines_of_every_size_are_read_as_onnx_runtime_reads_them(text_size, reference, compiled):
    words = ("Lines of one size", "64 bytes", "RISC-V, AArch64", "x86")
    lines = tuple(Line(w, 10 + 7 * i, 8 + 2 * text_size * i, text_size, i == 2) for i, w in enumerate(words))
    page = pictures.page((17 * text_size, 8 * text_size + 16), lines)
    expected = reader.read(page, reference)
    assert texts(expected) == drawn(lines) and [line.turned for line in expected] == [False, False, True, False]
    assert_same(reader.read(page, compiled(NATIVE)), expected)


@needs_compiler
def test_the_page_is_read_as_it_was_drawn(reference, compiled):
    expected = reader.read(pictures.page(), reference)
    assert texts(expected) == drawn(pictures.PAGE_LINES)
    assert [line.turned for line in expected] == [line.turned for line in pictures.PAGE_LINES]
    assert_same(reader.read(pictures.page(), compiled(NATIVE)), expected)


@needs_compiler
@pytest.mark.parametrize("platform", EMULATED, ids=lambda p: p.name)
def test_a_small_page_is_read_on_every_platform(platform, reference, compiled):
    page = pictures.page(pictures.SMALL_PAGE, pictures.SMALL_PAGE_LINES)
    expected = reader.read(page, reference)
    assert texts(expected) == drawn(pictures.SMALL_PAGE_LINES)
    assert_same(reader.read(page, compiled(platform)), expected)


@needs_compiler
@pytest.mark.full
@pytest.mark.parametrize("platform", EMULATED, ids=lambda p: p.name)
def test_the_page_is_read_on_every_platform(platform, reference, compiled):
    assert_same(reader.read(pictures.page(), compiled(platform)), reader.read(pictures.page(), reference))


@needs_compiler
def test_an_empty_page_has_no_text(compiled):
    for size in ((1, 1), (64, 64), (300, 20)):
        assert reader.read(Image.new("RGB", size, "white"), compiled(NATIVE)) == []


# ---- The command -----------------------------------------------------------------------------------------------------
def command(*arguments, cwd):
    return subprocess.run([READ, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=300)


@needs_compiler
def test_the_command_reads_a_page_from_any_folder_and_draws_it(tmp_path):
    page = pictures.page(pictures.SMALL_PAGE, pictures.SMALL_PAGE_LINES)
    page.save(tmp_path / "page.png")
    done = command("page.png", "--draw=boxes.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    assert last == "2 lines read by Crosscut on x86_64-linux"
    assert [line.split("  ")[-1] for line in lines] == drawn(pictures.SMALL_PAGE_LINES)
    assert ["turned" in line for line in lines] == [False, True]
    with Image.open(tmp_path / "boxes.png") as boxed:
        assert boxed.size == page.size and np.asarray(boxed.convert("RGB")).tolist() != np.asarray(page).tolist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["boxes.png", "page.png"]
    by_reference = command("page.png", "--reference", cwd=tmp_path)
    assert by_reference.stdout.splitlines()[-1] == "2 lines read by ONNX Runtime"
    assert [line.split("  ")[-1] for line in by_reference.stdout.splitlines()[:-1]] == drawn(pictures.SMALL_PAGE_LINES)


def test_without_a_page_it_reads_the_one_that_it_draws(tmp_path):
    done = command("--reference", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "7 lines read by ONNX Runtime"
    assert [line.split("  ")[-1] for line in done.stdout.splitlines()[:-1]] == drawn(pictures.PAGE_LINES)


def test_photographs_are_read_the_way_they_are_held(tmp_path):
    page = pictures.page(pictures.SMALL_PAGE, pictures.SMALL_PAGE_LINES)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees, clockwise, to see it
    page.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "page.jpg", quality=95, exif=exif)
    done = command("page.jpg", "--reference", cwd=tmp_path)
    assert [line.split("  ")[-1] for line in done.stdout.splitlines()[:-1]] == drawn(pictures.SMALL_PAGE_LINES)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("absent.png", None, "No such file or directory"),
        ("text.png", b"not a picture", "not a picture that can be read"),
        ("empty.png", b"", "not a picture that can be read"),
        ("half.png", "half", "not a picture that can be read"),
        ("bomb.png", "bomb", "not a picture that can be read"),
        ("folder", "folder", "Is a directory"),
    ],
)
def test_what_is_no_picture_is_one_line(name, content, reason, tmp_path):
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif content == "half":
        pictures.page().save(path)
        path.write_bytes(path.read_bytes()[:3000])
    elif content == "bomb":
        Image.new("1", (20000, 10000)).save(path)
    elif content is not None:
        path.write_bytes(content)
    done = command(name, "--reference", cwd=tmp_path)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.startswith(f"error: {name}: {reason}") and len(done.stderr.splitlines()) == 1


def test_other_mistakes_are_one_line_too(tmp_path):
    done = command("--platform=z80", cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith("error: matrix: no platform 'z80'; there are: x86_64-linux")
    done = command("--reference", "--draw=nowhere/x.png", cwd=tmp_path)
    assert done.returncode == 1 and done.stderr == "error: nowhere/x.png: No such file or directory\n"
    done = command("--reference", "--platform=x86_64-linux", cwd=tmp_path)
    assert done.returncode == 2 and "goes without --platform" in done.stderr
    assert not list(tmp_path.iterdir())


def test_help_needs_nothing_but_python(tmp_path):
    environment = {"CROSSCUT_BUILD_DIR": str(tmp_path / "absent"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-S", READ, "--help"], capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and "--platform" in done.stdout
