"""Foreign words in an alert: one line, bounded, nothing hidden, and nothing that a program makes a link or a mention of."""

from __future__ import annotations

import re

from signoff.domain.characters import one_line

# Look-alikes: `<` starts Slack's and Discord's mentions and links; `](` makes a link in Markdown; `://`, `www.` and
# a name with dots are what mail programs, phones and chats make links of by themselves.
_ANGLES = str.maketrans({"<": "\u2039", ">": "\u203a"})
_DOTTED = re.compile(r"(?<=\w)\.(?=[^\W\d_]{2})")
_HALF_A_MARK = re.compile(r"⟦[^⟧]*$")
_MENTION = re.compile(r"@(?=\w)")


def quoted(text: str, most: int) -> str:
    """Return somebody else's text in one harmless line; what is cut off is counted.

    The line is bounded as it is shown, marks included: a name made of hidden characters is no way to make a message
    so long that a channel turns it down.
    """
    shown = _harmless(text[:most])
    if len(text) <= most and len(shown) <= 2 * most:
        return shown
    return f"{_HALF_A_MARK.sub('', shown[: 2 * most])}… ({len(text)} characters)"


def _harmless(text: str) -> str:
    shown = one_line(text).translate(_ANGLES).replace("://", ":\u2044\u2044").replace("](", "] (")
    return _MENTION.sub("@ ", _DOTTED.sub("\u2024", shown))


def time_left(seconds: int) -> str:
    """Return a time to decide as people say it, never more than there is: `4 min`, `1 h 30 min`, `2 d 3 h`."""
    if seconds < 60:
        return f"{max(seconds, 0)} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
