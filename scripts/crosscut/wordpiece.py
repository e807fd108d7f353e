"""Splits text into the tokens of uncased BERT models: the rules of BERT's own tokenizer, and a vocabulary file.

Text is text: the names of special tokens, such as "[SEP]", have no meaning in it. The rest is what the tokenizers
package says for the same vocabulary; a test holds its results.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

LONGEST_WORD = 100  # characters; longer ones are unknown
# Unified and compatibility ideographs: each is a word of its own.
_IDEOGRAPHS = [
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
]


class WordPiece:
    """Tokens by the longest pieces that the vocabulary has; "##" begins a piece that continues a word."""

    def __init__(self, vocabulary: Iterable[str]) -> None:
        self.ids = {piece: number for number, piece in enumerate(vocabulary)}
        self.pad, self.unknown, self.begin, self.end = (self.ids[n] for n in ("[PAD]", "[UNK]", "[CLS]", "[SEP]"))

    def encode(self, text: str, longest: int) -> list[int]:
        """The tokens of a text between begin and end, at most `longest` of them in all."""
        tokens = [piece for word in _words(text) for piece in self._pieces(word)]
        return [self.begin, *tokens[: max(longest - 2, 0)], self.end][:longest]

    def _pieces(self, word: str) -> list[int]:
        found, start = [], 0
        while start < len(word) <= LONGEST_WORD:
            for end in range(len(word), start, -1):
                piece = self.ids.get(("##" if start else "") + word[start:end])
                if piece is not None:
                    found.append(piece)
                    start = end
                    break
            else:
                return [self.unknown]
        return found or [self.unknown]


def _words(text: str) -> list[str]:
    spaced = "".join(_spaced(character) for character in text)
    marked = unicodedata.normalize("NFD", spaced)
    plain = "".join(c.lower() for c in marked if unicodedata.category(c) != "Mn")
    return "".join(f" {c} " if _is_punctuation(c) else c for c in plain).split()


def _spaced(character: str) -> str:
    """Nothing for a control character, a space for any white space, ideographs between spaces."""
    code = ord(character)
    if character in "\t\n\r" or unicodedata.category(character) == "Zs":
        return " "
    if code in (0, 0xFFFD) or unicodedata.category(character) in ("Cc", "Cf", "Co"):
        return ""
    return f" {character} " if any(low <= code <= high for low, high in _IDEOGRAPHS) else character


def _is_punctuation(character: str) -> bool:
    ascii_sign = character.isascii() and character.isprintable() and not character.isalnum() and character != " "
    return ascii_sign or unicodedata.category(character).startswith("P")
