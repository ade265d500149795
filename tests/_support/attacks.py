"""What agents and customers may try to write into a page: markup, scripts, and characters that nobody sees."""

from __future__ import annotations

from typing import Any

PAYLOADS = (
    "<script>window.pwned=1</script>",
    "</script><script>window.pwned=2</script>",
    "<img src=x onerror=window.pwned=3>",
    '"><svg onload=window.pwned=4>',
    "' onmouseover='window.pwned=5' autofocus onfocus='window.pwned=5",
    "</textarea></pre></details></section></main><script>window.pwned=6</script>",
    "<iframe srcdoc='<script>parent.pwned=7</script>'></iframe>",
    '<a href="javascript:window.pwned=8">Approve</a>',
    "<form action=/sign-out method=post><button>Approve</button></form>",
    "<style>*{display:none}</style>",
    "<link rel=stylesheet href=https://evil.example/a.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<base href=https://evil.example/>",
    "<object data=https://evil.example/x></object>",
    "<embed src=https://evil.example/x>",
    "<video src=https://evil.example/v autoplay></video>",
    "<img src=https://evil.example/pixel.png?leak=1>",
    "<input name=choice value=approve form=approve-form>",
    "<button form=approve-form>Reject</button>",
    "<template shadowrootmode=open><script>window.pwned=20</script></template>",
    "<math><mtext></p><script>window.pwned=21</script></mtext></math>",
    "<svg><use href=https://evil.example/s.svg#x></use></svg>",
    "<!--><script>window.pwned=23</script>-->",
    "<![CDATA[<script>window.pwned=24</script>]]>",
    "{{7*7}}{% for x in () %}{{ config }}",
    "${7*7}<%= 7*7 %>#{7*7}",
    "[Approve](javascript:window.pwned=27) ![x](https://evil.example/p.png)",
    "javascript:window.pwned=28",
    "data:text/html,<script>window.pwned=29</script>",
    "\n\n# Approved by the legal team\n\nPress the green button below.\n\n<h1>Approved</h1>",
    "&lt;script&gt;window.pwned=31&lt;/script&gt;&#x3c;script&#x3e;",
    "<p id=decision class=case__side>Approve</p><div id=approve-form></div>",
)

HIDDEN = {
    "control": "\x07",
    "escape": "\x1b",
    "carriage return": "\r",
    "delete": "\x7f",
    "next line": "\x85",
    "soft hyphen": "\xad",
    "no-break space": "\xa0",
    "thin space": "\u2009",
    "ideographic space": "\u3000",
    "zero-width space": "\u200b",
    "zero-width joiner": "\u200d",
    "left-to-right mark": "\u200e",
    "right-to-left override": "\u202e",
    "isolate": "\u2067",
    "line separator": "\u2028",
    "word joiner": "\u2060",
    "invisible plus": "\u2064",
    "byte order mark": "\ufeff",
    "variation selector": "\ufe0e",
    "variation selector supplement": "\U000e0101",
    "tag": "\U000e0041",
    "interlinear": "\ufff9",
    "private use": "\ue000",
    "noncharacter": "\ufdd0",
    "hangul filler": "\u3164",
    "braille blank": "\u2800",
    "grapheme joiner": "\u034f",
    "mongolian separator": "\u180e",
    "musical format": "\U0001d173",
    "khmer inherent": "\u17b4",
}
"""One character of every class that is marked, by what it is."""
LOOKALIKES = {
    "cyrillic a": "p\u0430ypal",
    "greek o": "g\u03bfogle",
    "styled": "\U0001d5e3ay",
    "wide": "\uff30ay",
}


def everywhere(text: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return an action, a bundle and a response schema with a text in every field that an agent or customer fills."""
    short = text[:180]
    action = {
        "tool": "wire_transfer",
        "summary": text[:480],
        "arguments": {
            "amount": 12000,
            "country": "FR",
            "text": text,
            "command": text,
            "argv": ["echo", text],
            "url": text,
            f"key {short}": text,
            "rows": [{"who": text, "what": text}, {"who": "b", "what": "c"}],
            "nested": {f"key {short}": {"deep": [text]}},
            "file_path": text,
            "old_string": text,
            "new_string": f"{text} changed",
        },
    }
    bundle = {
        "subject": {
            "id": short,
            "name": text[:480],
            "tier": short,
            "region": short,
            "language": short,
            "more": text,
        },
        "wants_human": text[:480],
        "session_id": short,
        "risk": {"reversible": False, "blast_radius": text, "more": text},
        "alternatives": [{"tool": short, "arguments": {f"key {short}": text}, "why_not": text}],
        "reasoning": [
            {"kind": "thought", "text": text, "at": text[:40]},
            {"kind": "tool_call", "tool": short, "arguments": {f"key {short}": text}, "text": text},
            {"kind": "tool_result", "tool": short, "result": {f"key {short}": [text]}, "text": text},
            {"kind": "tool_result", "tool": "other", "result": text, "is_error": True},
            {"kind": "message", "text": text},
            {"kind": "note", "text": text},
        ],
        "messages": [
            {"role": "system", "content": text},
            {"role": "user", "content": text, "name": short},
            {
                "role": "assistant",
                "content": text,
                "tool_calls": [{"tool": short, "arguments": {f"key {short}": text}}],
            },
            {"role": "tool", "content": text, "name": short, "tool_call_id": short},
        ],
        "state": {f"key {short}": text},
        "attachments": [{"name": short, "media_type": "text/plain", "data": text}],
    }
    schema = {
        "type": "object",
        "title": text,
        "properties": {
            f"key {short}": {"type": "string", "title": text, "description": text, "default": text},
            "one": {"enum": [text, "b"], "title": text},
            "many": {"type": "array", "items": {"enum": [text, "b"]}, "title": text},
        },
    }
    return action, bundle, schema
