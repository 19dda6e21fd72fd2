"""int-or-string: ``3`` or ``"25%"`` of something (D10)."""

from __future__ import annotations


def scaled(value: str | float | None, total: int, *, round_up: bool) -> int:
    """Return an absolute number; a percentage is taken of ``total``. Raises ``ValueError``.

    >>> scaled("25%", 10, round_up=True), scaled("25%", 10, round_up=False)
    (3, 2)
    """
    if value is None:
        return 0
    if isinstance(value, str):
        if not value.endswith("%"):
            raise ValueError(f"{value!r} is neither a number nor a percentage such as 25%")
        product = int(value[:-1]) * total
        return -(-product // 100) if round_up else product // 100
    return int(value)
