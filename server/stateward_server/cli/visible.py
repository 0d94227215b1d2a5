"""Text that others have written, made harmless for a terminal.

Types of events, errors of machines and tags come from end users and authors. Shown as they are, an escape
sequence in them would be obeyed by the terminal of the administrator who looks.
"""

from __future__ import annotations

import json


def visible(text: str) -> str:
    """Write characters that a terminal would obey, or hide, as escapes. Line ends stay."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\n" else _escaped(each) for each in text)


def visible_json(content: object) -> str:
    """Write JSON on one line, with the same characters as JSON's own escapes."""
    text = json.dumps(content, ensure_ascii=False)
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def _escaped(each: str) -> str:
    return each.encode("unicode_escape", "surrogatepass").decode()
