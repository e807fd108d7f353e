"""Models come out the same bytes everywhere; samples and tolerances belong to them."""

from __future__ import annotations

import hashlib

import numpy as np
import onnx
import pytest

from crosscut import models, onnx_graph, paths, pictures

GENERATED = [name for name in models.names() if models.find(name).facts["source"]["kind"] == "generator"]


@pytest.fixture
def build(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "BUILD", tmp_path)
    return tmp_path


def test_seeded_values_are_fixed_by_seed_and_position():
    values = onnx_graph.uniform(1, (4,))
    assert np.array_equal(values, onnx_graph.uniform(1, (2, 4)).reshape(-1)[:4])
    assert not np.array_equal(values, onnx_graph.uniform(2, (4,)))
    state, expected = (1 << 32) * 0x9E3779B97F4A7C15 % 2**64, []
    for _ in range(4):  # SplitMix64 as its author writes it
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
        expected.append((z ^ z >> 31) >> 40)
    assert values.tolist() == [bits * 2.0**-23 - 1 for bits in expected]


@pytest.mark.parametrize("name", GENERATED)
def test_generated_models_have_the_stated_hash_and_samples(name, build):
    model = models.get(name)
    assert models.sha256(model.onnx) == model.facts["sha256"]
    session = models.reference_session(model.onnx)
    for sample in model.samples():
        arrays = [np.load(path) for path in sample.inputs]
        feeds = {info.name: value for info, value in zip(session.get_inputs(), arrays, strict=True)}
        for path, value in zip(sample.outputs, session.run(None, feeds), strict=True):
            assert np.array_equal(np.load(path), value)


def test_mobilenetv2_is_the_published_network():
    proto = onnx.load(models.get("mobilenetv2").onnx)
    shapes = {t.name: tuple(t.dims) for t in proto.graph.initializer}
    kinds = [node.op_type for node in proto.graph.node]
    assert kinds.count("Conv") == 52 and kinds.count("Clip") == 35 and kinds.count("Add") == 10
    assert "BatchNormalization" not in kinds and proto.opset_import[0].version == 17
    # 3,504,872 parameters in torchvision, of which batch normalisation has two a channel where a bias is one.
    weights = sum(int(np.prod(shape)) for name, shape in shapes.items() if not name.startswith("relu6"))
    biases = sum(shape[0] for name, shape in shapes.items() if name.endswith(".bias") and "classifier" not in name)
    assert weights + biases == 3_504_872


def test_resnet50_is_the_published_network():
    proto = onnx.load(models.get("resnet50").onnx)
    shapes = {t.name: tuple(t.dims) for t in proto.graph.initializer}
    kinds = [node.op_type for node in proto.graph.node]
    assert kinds.count("Conv") == kinds.count("BatchNormalization") == 53
    assert kinds.count("Relu") == 49 and kinds.count("Add") == 16 and proto.opset_import[0].version == 17
    # 25,557,032 parameters in torchvision, which does not count the running means and variances.
    counted = {n: shape for n, shape in shapes.items() if not n.endswith((".mean", ".variance"))}
    assert sum(int(np.prod(shape)) for shape in counted.values()) == 25_557_032
    strided = {n.name for n in proto.graph.node for a in n.attribute if a.name == "strides" and a.ints[0] == 2}
    assert {name for name in strided if "conv" in name} == {"block3.conv2", "block7.conv2", "block13.conv2"}


def _minilm(function):
    return models._function(models.find("minilm"), {"script": "sentences.py", "function": function})


def test_minilm_makes_what_sentence_transformers_makes():
    session = models.reference_session(models.get("minilm").onnx)
    arrays = _minilm("encode")(["This is an example sentence", "Each sentence is converted"])
    feeds = {info.name: value for info, value in zip(session.get_inputs(), arrays, strict=True)}
    found = session.run(None, feeds)[0]
    assert found.shape == (2, 384) and np.allclose((found**2).sum(axis=1), 1, atol=1e-6)
    published = [[0.0676569, 0.0634959, 0.0487131, 0.0793049], [0.0864386, 0.1027626, 0.0053945, 0.0020444]]
    assert np.allclose(found[:, :4], published, atol=1e-6)
    # The second alone: padding changes nothing, and the mask is heeded.
    alone = {name: value[1:, : int(arrays[1][1].sum())] for name, value in feeds.items()}
    assert np.allclose(session.run(None, alone)[0], found[1], atol=1e-6)


@pytest.mark.parametrize("name", ["paragraph", "sentence", "pairs"])
def test_the_order_of_sentences_does_not_hang_on_rounding(name):
    model = models.get("minilm")
    sample = next(s for s in [*model.samples(), *model.dynamic_samples()] if s.name == name)
    embeddings = np.load(sample.outputs[0])
    cosines = sorted(_minilm("similarities")(embeddings, name).values())
    # Two vectors of length 1, each wrong by as much as is allowed everywhere.
    allowed = model.tolerance.atol + model.tolerance.rtol * np.abs(embeddings).max()
    assert np.diff(cosines).min() > 2 * 2 * allowed * np.sqrt(embeddings.shape[1])


@pytest.mark.parametrize("name", ["mobilenetv2", "resnet50"])
@pytest.mark.parametrize("sample", ["seeded", "photograph"])
def test_the_words_about_scores_do_not_hang_on_rounding(name, sample):
    model = models.get(name)
    scores = np.load(next(s for s in model.samples() if s.name == sample).outputs[0])
    second, first = np.argsort(scores.reshape(-1))[-2:]
    allowed = 2 * (model.tolerance.atol + model.tolerance.rtol * np.abs(scores).max())
    third = np.sort(scores.reshape(-1))[-3]
    assert scores[0, first] - scores[0, second] > 1000 * allowed and scores[0, second] - third > 100 * allowed
    words = models.answer(model, sample, [scores])
    scores[0, first] -= scores[0, first] - scores[0, second] - 100 * allowed
    assert models.answer(model, sample, [scores]) == words.replace("clearly", "hardly")


def test_a_damaged_model_is_made_again(build):
    model = models.get("simple")
    model.onnx.write_bytes(model.onnx.read_bytes()[:-1])
    assert models.sha256(models.get("simple").onnx) == model.facts["sha256"]


def test_a_model_with_another_hash_is_refused_and_removed(build, monkeypatch):
    model = models.find("simple")
    facts = {**model.facts, "sha256": hashlib.sha256(b"other").hexdigest()}
    monkeypatch.setattr(models, "find", lambda name: models.Model(name, model.folder, facts))
    with pytest.raises(models.ModelError, match=r"simple: sha256 is .* model\.json says"):
        models.get("simple")
    assert not model.onnx.exists()


def test_an_unknown_model_is_an_error_that_lists_the_known_ones(capsys):
    assert models.main(["get", "resnet9000"]) == 1
    assert "no such model; there are: conv_dynamic_width," in capsys.readouterr().err


def test_classifier_input_is_what_ppocr_makes_of_a_picture():
    picture = pictures.text_line("Crosscut 2026")
    values = pictures.classifier_input(picture)
    assert values.shape == (1, 3, 48, 192) and values.dtype == np.float32
    assert -1 <= values.min() < -0.5 and 0.5 < values.max() <= 1
    narrow = pictures.classifier_input(pictures.text_line("ab"))
    assert not narrow[..., -1].any(), "what the picture does not fill is zero"
    turned = pictures.classifier_input(pictures.text_line("Crosscut 2026", 180))
    assert np.allclose(turned, values[:, :, ::-1, ::-1]), "turned by 180 degrees"


@pytest.mark.parametrize("text", ["Crosscut 2026", "Hamburgefonts", "which way up"])
def test_the_reference_says_which_way_up_a_line_of_text_is(text):
    model = models.get("ppocr_cls")
    session = models.reference_session(model.onnx)
    for degrees, expected in ((0, "upright"), (180, "turned")):
        values = pictures.classifier_input(pictures.text_line(text, degrees))
        assert pictures.direction(session.run(None, {"x": values})[0]) == expected


def test_a_model_says_what_its_outputs_mean(tmp_path):
    (tmp_path / "told.py").write_text("def words(outputs, sample):\n    return f'{sample}: {outputs[0].argmax()}'\n")
    facts = {"answer": {"script": "told.py", "function": "words"}, "answers": {"a": "a: 2"}}
    model = models.Model("told", tmp_path, facts)
    assert models.answer(model, "a", [np.array([0, 1, 5])]) == model.answers["a"]
    with pytest.raises(models.ModelError, match=r"^told: sample a: no answer: .*empty"):
        models.answer(model, "a", [np.zeros(0)])
    with pytest.raises(models.ModelError, match=r"^told: sample a: no answer: "):
        models.answer(model, "a", [])


def test_a_script_that_makes_too_few_inputs_is_an_error_that_names_the_sample(tmp_path):
    (tmp_path / "made.py").write_text("def inputs(count):\n    return list(range(count))\n")
    where = {"script": "made.py", "function": "inputs"}
    samples = {name: {**where, "arguments": {"count": count}} for name, count in (("both", 2), ("one", 1))}
    model = models.Model("made", tmp_path, {"inputs": [{"name": "a"}, {"name": "b"}], "samples": samples})
    assert models.sample_inputs(model, "both") == [0, 1]
    with pytest.raises(models.ModelError, match=r"^made: sample one: 1 inputs of 2$"):
        models.sample_inputs(model, "one")


def test_a_model_without_words_has_no_answer():
    model = models.find("simple")
    assert models.answer(model, "seeded", [np.zeros(10)]) is None and model.answers == {}


@pytest.mark.parametrize("name", [name for name in models.names() if models.find(name).answers])
def test_the_reference_gives_the_stated_answers(name):
    model = models.get(name)
    by_name = {sample.name: sample for sample in [*model.samples(), *model.dynamic_samples()]}
    for sample, words in model.answers.items():
        assert models.answer(model, sample, [np.load(path) for path in by_name[sample].outputs]) == words
