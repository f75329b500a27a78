"""The text format of protocol buffers, read without a schema.

A message is a dict from a field's name to all of its values, in order: text, numbers, words
(`true`, the names of enums) or messages. What a value means is for whoever knows the field.

Source: https://protobuf.dev/reference/protobuf/textformat-spec/. Extensions and `Any` (`[name]` in
place of a field's name) are read as fields of that name.
"""

from __future__ import annotations

import re
from typing import TypeAlias

__all__ = ["Message", "TextProtoError", "Value", "Word", "parse"]

_MAX_CHARACTERS = 1024 * 1024
_MAX_DEPTH = 64
_LEAST, _MOST = -(2**63), 2**64 - 1
"""What fits into the widest whole numbers of protocol buffers: int64 and uint64."""


class Word(str):
    """A bare word: `true`, or a name out of an enum."""

    __slots__ = ()


Value: TypeAlias = "str | Word | int | float | Message"
Message: TypeAlias = dict[str, list[Value]]


class TextProtoError(ValueError):
    """The text is no message; says where, and what would be right."""


_PIECE = re.compile(
    r"""(?P<space>[\s\x00]+|\#[^\n]*)
    |(?P<number>-?\s*(?:0[xX][0-9a-fA-F]+|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fF]?)(?![\w.]))
    |(?P<word>-?\s*[A-Za-z_]\w*)
    |(?P<text>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*')
    |(?P<mark>[{}<>\[\]:;,./])""",
    re.VERBOSE | re.ASCII,
)
_ESCAPE = re.compile(
    r"\\(?:(?P<octal>[0-7]{1,3})|x(?P<hex>[0-9a-fA-F]{1,2})"
    r"|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})|(?P<one>.))"
)
_ONE = {"a": 7, "b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11, "?": 63, "'": 39, '"': 34}
_ONE["\\"] = 92
_CLOSES = {"{": "}", "<": ">"}


def parse(text: str) -> Message:
    """The message that a text holds.

    Raises:
        TextProtoError: not the text of one, longer than 1 MiB, or nested deeper than 64.
    """
    if len(text) > _MAX_CHARACTERS:
        raise TextProtoError(f"it is longer than {_MAX_CHARACTERS} characters")
    return _Reader(text).message(end="", depth=0)


class _Reader:
    """Takes one piece of the text after the other."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.kind = self.piece = ""
        self._advance()

    def message(self, end: str, depth: int) -> Message:
        """The fields up to a closing mark, which stays; or up to the text's end."""
        if depth > _MAX_DEPTH:
            raise self._wrong(f"messages are nested deeper than {_MAX_DEPTH}")
        found: Message = {}
        while self.piece != end or self.kind not in ("mark", ""):
            name = self._name()
            has_colon = self._skip(":")
            found.setdefault(name, []).extend(self._values(has_colon, depth))
            self._skip(";") or self._skip(",")
        return found

    def _name(self) -> str:
        if self.kind == "word" and self.piece[0] != "-":
            return self._take()
        if self.piece != "[" or self.kind != "mark":
            raise self._wrong("a field's name has to come here")
        self._take()
        parts = []
        while self.kind == "word" or (self.kind == "mark" and self.piece in "./"):
            parts.append(self._take())
        self._expect("]")
        return "".join(parts)

    def _values(self, has_colon: bool, depth: int) -> list[Value]:
        if self.kind != "mark" or self.piece != "[":
            return [self._value(has_colon, depth)]
        self._take()
        found: list[Value] = []
        while not self._skip("]"):
            if found:
                self._expect(",")
            found.append(self._value(has_colon, depth))
        return found

    def _value(self, has_colon: bool, depth: int) -> Value:
        if self.kind == "mark" and self.piece in _CLOSES:
            end = _CLOSES[self._take()]
            message = self.message(end, depth + 1)
            self._expect(end)
            return message
        if not has_colon:
            raise self._wrong("':' or '{' has to come here")
        if self.kind == "text":
            return self._joined()
        if self.kind == "number":
            return self._number()
        if self.kind == "word":
            word = self._take()
            if word.lower() in ("inf", "-inf", "infinity", "-infinity", "nan", "-nan"):
                return float(word)
            if word[0] != "-":
                return Word(word)
        raise self._wrong("a value has to come here")

    def _number(self) -> int | float:
        try:
            number = _number(self.piece)
        except ValueError:  # more decimal digits than Python reads
            number = _MOST + 1
        if isinstance(number, int) and not _LEAST <= number <= _MOST:
            raise self._wrong("a whole number of at most 64 bits has to come here")
        self._take()
        return number

    def _joined(self) -> str:
        """Texts that follow each other are one."""
        data = b""
        while self.kind == "text":
            data += _unescaped(self.piece[1:-1])
            self._take()
        try:
            return data.decode()
        except UnicodeDecodeError:
            return data.decode("latin-1")  # bytes, which no field that is read here holds

    def _take(self) -> str:
        piece = self.piece
        self._advance()
        return piece

    def _skip(self, mark: str) -> bool:
        if self.kind == "mark" and self.piece == mark:
            self._advance()
            return True
        return False

    def _expect(self, mark: str) -> None:
        if not self._skip(mark):
            raise self._wrong(f"'{mark}' has to come here")

    def _advance(self) -> None:
        self._at += len(self.piece)
        while True:
            match = _PIECE.match(self._text, self._at)
            if match is None:
                self.kind = self.piece = ""
                if self._at < len(self._text):
                    raise self._wrong("this is not understood")
                return
            if match.lastgroup != "space":
                self.kind, self.piece = match.lastgroup or "", match[0]
                return
            self._at = match.end()

    def _wrong(self, problem: str) -> TextProtoError:
        before = self._text[: self._at]
        line, column = before.count("\n") + 1, self._at - (before.rfind("\n") + 1) + 1
        came = (
            repr(self._text[self._at : self._at + 20].split("\n")[0]) if self._rest() else "the end"
        )
        return TextProtoError(f"line {line}, column {column}: {problem}, and {came} came")

    def _rest(self) -> bool:
        return self._at < len(self._text)


def _number(piece: str) -> int | float:
    text = re.sub(r"^-\s*", "-", piece)
    digits = text.lstrip("-").lower()
    if digits.startswith("0x"):
        return int(text, 16)
    if digits.isdecimal():
        is_octal = len(digits) > 1 and digits[0] == "0" and not set(digits) & set("89")
        return int(text, 8 if is_octal else 10)
    return float(text.rstrip("fF"))


def _unescaped(text: str) -> bytes:
    parts, at = [], 0
    for match in _ESCAPE.finditer(text):
        parts += [text[at : match.start()].encode("utf-8", "surrogatepass"), _escaped(match)]
        at = match.end()
    return b"".join([*parts, text[at:].encode("utf-8", "surrogatepass")])


def _escaped(match: re.Match[str]) -> bytes:
    if match["octal"]:
        return bytes([int(match["octal"], 8) & 0xFF])
    if match["hex"]:
        return bytes([int(match["hex"], 16)])
    code = match["short"] or match["long"]
    if code:
        number = int(code, 16)
        if number > 0x10FFFF or 0xD800 <= number < 0xE000:
            raise TextProtoError(f"'\\{match[0][1:]}' is no character")
        return chr(number).encode()
    if match["one"] not in _ONE:
        raise TextProtoError(f"a backslash before {match['one']!r} is no escape")
    return bytes([_ONE[match["one"]]])
