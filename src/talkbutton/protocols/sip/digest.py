"""Digest authentication.

Source: RFC 7616, sections 3.3 (challenge) and 3.4 (answer); RFC 3261, section 22.
"""

import hashlib
import re

from talkbutton.errors import ProtocolError

__all__ = ["authorize"]

_PARAMETER = re.compile(r'([a-z]+)\s*=\s*(?:"([^"\\]*)"|([A-Za-z0-9-]+))', re.IGNORECASE)
_COUNT = "00000001"


def authorize(
    challenge: str, *, method: str, uri: str, user: str, password: str, client_nonce: str
) -> str:
    """Return the ``Authorization`` header that answers a ``WWW-Authenticate`` header.

    Args:
        challenge: The header's value.
        method: Method of the request.
        uri: The request's URI.
        user: Who asks.
        password: The user's.
        client_nonce: Fresh hex digits.

    Raises:
        ProtocolError: If the challenge is not digest authentication with MD5 and ``auth``.
    """
    scheme, _, rest = challenge.strip().partition(" ")
    given = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(rest)}
    is_known = scheme.lower() == "digest" and given.get("algorithm", "MD5").upper() == "MD5"
    qop = [word.strip() for word in given.get("qop", "").split(",")]
    if not is_known or "auth" not in qop or not {"realm", "nonce"} <= given.keys():
        raise ProtocolError("a SIP server asks for credentials in a way that is not supported")
    secret = _md5(f"{user}:{given['realm']}:{password}")
    nonce = f"{given['nonce']}:{_COUNT}:{client_nonce}:auth"
    response = _md5(f"{secret}:{nonce}:{_md5(f'{method}:{uri}')}")
    answer = {
        "username": user,
        "realm": given["realm"],
        "nonce": given["nonce"],
        "uri": uri,
        "response": response,
        "cnonce": client_nonce,
        **({"opaque": given["opaque"]} if "opaque" in given else {}),
    }
    quoted = ", ".join(f'{name}="{value}"' for name, value in answer.items())
    return f"Digest {quoted}, algorithm=MD5, qop=auth, nc={_COUNT}"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
