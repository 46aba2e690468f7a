"""When two answers are the same: rows sorted as text, numbers to seven significant digits."""

import hashlib


def canonical(rows):
    """One line of text per row, in sorted order, whatever engine the row came from."""
    return sorted("\t".join(field_text(value) for value in row) for row in rows)


def checksum(rows):
    """Twelve hex digits that are equal when the canonical rows are."""
    return hashlib.sha256("\n".join(canonical(rows)).encode()).hexdigest()[:12]


def field_text(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    try:
        # Sums of exact cents can fall on a rounding tie that two engines round apart;
        # the nudge keeps them off it.
        return f"{float(value) * (1 + 1e-9):.7g}"
    except (TypeError, ValueError):
        return str(value)
