"""Ratios compare least samples, and the record holds the raw ones."""

from __future__ import annotations

from crosscut import models, peers, records

RESULT = {
    "model": "mobilenetv2",
    "threads": 1,
    "times": {"crosscut": [0.006, 0.005], "onnxruntime": [0.008, 0.0081], "openvino": [0.004, 0.0042]},
    "versions": {"crosscut": "this tree", "onnxruntime": "1.31.1", "openvino": "2026.4.1"},
    "errors": {"crosscut": 1e-6, "onnxruntime": 0.0, "openvino": 2e-6},
}


def test_ratios_are_of_least_samples_and_the_best_peer_counts():
    ratios = {row[2]: row[-1] for row in peers.rows([RESULT])}
    assert ratios == {"crosscut": "1.00", "onnxruntime": "0.62", "openvino": "1.25", "best peer": "1.25"}


def test_the_record_matches_the_schema():
    record = peers.record([RESULT], ["scripts/compare-peers"])
    record["finished"] = records.now()
    records.validate(record)
    assert record["rows"][2]["contender"] == "openvino 2026.4.1"
    assert record["rows"][0]["metrics"][0]["samples"] == [0.006, 0.005]


def test_peers_get_the_shapes_that_crosscut_compiles_for(tmp_path):
    model = models.get("ppocr_cls")
    session = models.reference_session(peers.fixed_model(model, tmp_path))
    assert session.get_inputs()[0].shape == [1, 3, 48, 192]
    assert peers.fixed_model(models.get("mobilenetv2"), tmp_path) == models.find("mobilenetv2").onnx
