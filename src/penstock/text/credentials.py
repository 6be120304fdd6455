"""Secrets: keys of the common vendors by their shape, and what is assigned to a credential's name, sent in a header or in a URL.

A shape with a fixed prefix needs no more; what is only assigned must look as if chance had made it.
"""

import re
from typing import Any

from penstock.text.patterns import LEFT, Found, compile_pattern

_SHAPES = (
    rb"sk-[A-Za-z0-9_-]{16,}",  # OpenAI, Anthropic, OpenRouter, DeepSeek, Langfuse
    rb"(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/]{16,}",  # Stripe
    rb"pk[-_][A-Za-z0-9_-]{20,}",
    rb"(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA|ABIA|ACCA)[A-Z0-9]{16}",  # AWS
    rb"gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{22,}",
    rb"gl(?:pat|ptt|dt|rt|ft|cbt|oas|soat)-[A-Za-z0-9_-]{16,}",  # GitLab
    rb"gl(?:c|sa)_[A-Za-z0-9+/=_]{20,}",  # Grafana
    rb"xox[abeprs]-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{10,}",  # Slack
    rb"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/]{20,}",
    rb"AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,}",  # Google
    rb"hf_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,}|dckr_pat_[A-Za-z0-9_-]{20,}",
    rb"(?:gsk|fw|fc)_[A-Za-z0-9]{20,}|(?:xai|pplx|nvapi|tvly|jina)[-_][A-Za-z0-9_-]{20,}"
    rb"|r8_[A-Za-z0-9]{20,}",  # other models' vendors
    rb"pcsk_[A-Za-z0-9_]{20,}|lsv2_(?:pt|sk)_[A-Za-z0-9_]{20,}|lin_api_[A-Za-z0-9]{20,}|ntn_[A-Za-z0-9]{30,}",
    rb"secret_[A-Za-z0-9]{32,}|figd_[A-Za-z0-9_-]{20,}|sbp_[a-f0-9]{40}|ATATT3[A-Za-z0-9_=-]{20,}|PMAK-[A-Za-z0-9-]{30,}",
    rb"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|key-[a-f0-9]{32}|[a-f0-9]{32}-us[0-9]{1,2}",  # SendGrid, Mailgun, Mailchimp
    rb"do[opr]_v1_[a-f0-9]{40,}|dapi[a-f0-9]{32}|SK[0-9a-f]{32}|hv[sbr]\.[A-Za-z0-9_-]{20,}|NRAK-[A-Z0-9]{20,}",
    rb"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|sq0(?:atp|csp)-[A-Za-z0-9_-]{22,}|sntr[yu]s_[A-Za-z0-9+/=_-]{20,}",
    rb"[0-9]{8,10}:AA[A-Za-z0-9_-]{33}|[MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}",  # Telegram, Discord
    rb"AGE-SECRET-KEY-1[A-Z0-9]{50,}",
)
_JWT = rb"(?P<jwt>eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+)*)"
# A key without its end is masked to the end of the text.
_PRIVATE_KEY = (
    rb"(?P<private_key>-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----(?:[^\x1e-]|-{1,4}[^\x1e-])*(?:-----END [A-Z0-9 ]*-----)?)"
)
_NAMES = (
    rb"(?i:authorization|api[_-]?key|access[_-]?key(?:[_-]?id)?|secret[_-]?key|account[_-]?key|access[_-]?token|auth[_-]?token"
    rb"|refresh[_-]?token|id[_-]?token|session[_-]?token|client[_-]?secret|private[_-]?key|password|passwd|pwd|secret|passphrase)"
)
_VALUE = rb"[^\s\"'`\\,;()\[\]{}<>&\x00-\x1f]"
_ASSIGNED = (
    _NAMES
    + rb"(?:\\*[\"'])?[ \t]*(?:[:=\x1e]|:=|=>)[ \t]*\[?(?:\\*[\"'`])?(?:(?i:bearer|basic|token) +)?(?P<assigned>"
    + _VALUE
    + rb"{6,})"
)
_BEARER = rb"(?i:bearer|basic) +(?P<bearer>[A-Za-z0-9+/_.~-]{16,}=*)"
_COOKIE = rb"(?i:cookie)(?:\\*[\"'])?[ \t]*[:\x1e][ \t]*\[?(?:\\*[\"'])?(?P<cookie>[A-Za-z0-9_.-]+=[^\r\n\x1e\"'\\]{4,})"
_PARAMETER = (
    rb"[?&](?i:key|token|sig|signature|code|auth|x-amz-signature|x-amz-security-token|x-goog-signature)=(?P<parameter>"
    rb"[A-Za-z0-9%+/_.~-]{16,})"
)
_URL_PASSWORD = rb"://[^\s/@:\"'<>\\\[\]\x1e]{0,64}:(?P<url_password>[^\s/@\"'<>\\\[\]\x1e]{1,128}@)"
_DIGIT = re.compile(rb"[0-9]")
_LETTER = re.compile(rb"[A-Za-z\x80-\xff]")
_LONG_RUN = re.compile(rb"[A-Za-z0-9]{16}")
_REST_OF_PASSWORD = re.compile(rb"[^\s/@?#\"'<>\\\[\]\x1e]{0,128}@")
_KINDS = {"jwt": "jwt", "private_key": "private_key"}


_SHAPE = LEFT + rb"(?:" + _PRIVATE_KEY + rb"|" + _JWT + rb"|(?P<shape>" + rb"|".join(_SHAPES) + rb"))"
_SELF_EVIDENT = rb"|".join((_URL_PASSWORD, _PARAMETER, _SHAPE))
_NAMED = LEFT + rb"(?:" + rb"|".join((_ASSIGNED, _BEARER, _COOKIE)) + rb")"


class Credentials:
    """Finds secrets."""

    proposal = _SELF_EVIDENT + rb"|" + _NAMED

    def __init__(self) -> None:
        self._search = compile_pattern(self.proposal).search
        self._search_self_evident = compile_pattern(_SELF_EVIDENT).search

    def find(self, data: bytes) -> list[Found]:
        """Every secret; of an assignment only what is assigned."""
        return self._find(self._search, data, 0, len(data))

    def _find(self, search: Any, data: bytes, position: int, stop: int) -> list[Found]:
        found: list[Found] = []
        while position <= stop and (match := search(data, position, stop)) is not None:
            name = match.lastgroup.decode()
            start, end = match.span(match.lastindex)
            if name == "url_password":
                end = _end_of_password(data, end)
                found.append(Found(start, end - 1, "url_password"))
            elif _is_secret(name, match, data):
                found.append(Found(start, end, _KINDS.get(name, "secret")))
            elif name in ("assigned", "bearer"):
                # What is assigned may hold a key or a URL all the same; it is gone through once, whatever it is made of.
                found.extend(self._find(self._search_self_evident, data, start - 1, end))
            position = max(end, position + 1)
        return found


def _end_of_password(data: bytes, end: int) -> int:
    """Where the last "@" before the host ends: a password may hold one itself."""
    while (more := _REST_OF_PASSWORD.match(data, end)) is not None:
        end = more.end()
    return end


def _is_secret(name: str, match: Any, data: bytes) -> bool:
    value = match[match.lastindex]
    if name == "shape":
        return value[:3] not in (b"sk-", b"pk-", b"pk_") or _has_letters_and_digits(value) or _LONG_RUN.search(value) is not None
    if name == "assigned":
        is_code = data[match.end() : match.end() + 1] in (b"(", b"[", b"{") or value[:1] in b"$%*<" or b"://" in value
        return not is_code and _has_letters_and_digits(value)
    return name not in ("bearer", "parameter") or _has_letters_and_digits(value)


def _has_letters_and_digits(value: bytes) -> bool:
    """Whether it may be a credential; `password = read_password()` is none."""
    return _DIGIT.search(value) is not None and _LETTER.search(value) is not None
