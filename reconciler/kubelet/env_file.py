"""Files of variables that containers leave for others of their Pod (``fileKeyRef``, KEP-3721). Pure.

The syntax is the kubelet's: a small part of what a POSIX shell reads, so that both understand the same. ``NAME='text'`` on
lines of their own; the text is literal and may go over several lines; comments start with ``#``.
"""

from __future__ import annotations

_BLANK = " \t"


class BadEnvFile(ValueError):
    """A text is no file of variables; says in which line, and nothing of what stands there."""


def value_of(text: str, key: str) -> str | None:
    r"""Return what a variable is set to first; None where it is not. Raises ``BadEnvFile`` for what stands before it.

    >>> value_of("# shop\nHOST='db' # here\nMOTD='two\nlines'\n", "MOTD")
    'two\nlines'
    """
    at, line = 0, 1
    while at < len(text):
        name, at, line = _name(text, at, line)
        if not name:
            break
        end = text.find("'", at)
        if end < 0:
            raise BadEnvFile(f"unclosed quote at line {line}")
        value = text[at:end]
        if "\0" in value:
            raise BadEnvFile(f"a character that no variable can hold at line {line}")
        at, line = _after(text, end + 1, line + value.count("\n"))
        if name == key:
            return value
    return None


def _name(text: str, at: int, line: int) -> tuple[str, int, int]:
    """Return the next variable's name (empty: there is none), where its text starts and in which line."""
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        found = text[at:end].lstrip(_BLANK)
        if found and not found.startswith("#"):
            name, equals, value = found.partition("=")
            if not name or not equals:
                raise BadEnvFile(f"invalid environment variable format at line {line}")
            if name[-1] in _BLANK:
                raise BadEnvFile(f"whitespace before '=' is not allowed at line {line}")
            if not value.startswith("'"):
                raise BadEnvFile(f"value must be enclosed in single quotes at line {line}")
            return name, end - len(value) + 1, line
        at, line = end + 1, line + 1
    return "", at, line


def _after(text: str, at: int, line: int) -> tuple[int, int]:
    """Return where the next line starts, and its number; only a comment may follow a quote."""
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    rest = text[at:end]
    if rest.strip(_BLANK) and not (rest[0] in _BLANK and rest.lstrip(_BLANK).startswith("#")):
        raise BadEnvFile(f"unexpected content after closing quote at line {line}")
    return end + 1, line + 1
