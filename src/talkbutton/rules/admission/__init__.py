"""May this visitor start a call now?"""

from talkbutton.rules.admission.addresses import AddressKeys, address_keys, address_prefix
from talkbutton.rules.admission.admit import (
    HEARTBEAT_MAX_AGE_S,
    Admitted,
    BridgeHeartbeat,
    KeeperHeartbeat,
    Liveness,
    SessionRequest,
    admit,
    first_missing_part,
)
from talkbutton.rules.admission.claims import Claim, Full
from talkbutton.rules.admission.grant import (
    CONTINUE,
    START,
    Bearer,
    Grant,
    sign_grant,
    verify_grant,
)
from talkbutton.rules.admission.origin import is_origin_allowed
from talkbutton.rules.admission.refusal import RefusalCode, Refused, refuse
from talkbutton.rules.admission.session_claims import (
    Asked,
    kept_claims,
    lease_claims,
    session_claims,
)

__all__ = [
    "CONTINUE",
    "HEARTBEAT_MAX_AGE_S",
    "START",
    "AddressKeys",
    "Admitted",
    "Asked",
    "Bearer",
    "BridgeHeartbeat",
    "Claim",
    "Full",
    "Grant",
    "KeeperHeartbeat",
    "Liveness",
    "RefusalCode",
    "Refused",
    "SessionRequest",
    "address_keys",
    "address_prefix",
    "admit",
    "first_missing_part",
    "is_origin_allowed",
    "kept_claims",
    "lease_claims",
    "refuse",
    "session_claims",
    "sign_grant",
    "verify_grant",
]
