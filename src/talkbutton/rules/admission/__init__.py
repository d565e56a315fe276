"""May this visitor start a call now?"""

from talkbutton.rules.admission.admit import (
    HEARTBEAT_MAX_AGE_S,
    Admitted,
    BridgeHeartbeat,
    KeeperHeartbeat,
    Liveness,
    SessionRequest,
    admit,
    first_missing_part,
    owners_refusal,
)
from talkbutton.rules.admission.budget import budget_claims, budget_used
from talkbutton.rules.admission.claims import Claim, Full, Hold, decide
from talkbutton.rules.admission.grant import PURPOSE, Grant, sign_grant, verify_grant
from talkbutton.rules.admission.hours import Closed, Open, opening
from talkbutton.rules.admission.origin import address_prefix, is_origin_allowed
from talkbutton.rules.admission.refusal import RefusalCode, Refused, refuse
from talkbutton.rules.admission.spent import SpentGrants

__all__ = [
    "HEARTBEAT_MAX_AGE_S",
    "PURPOSE",
    "Admitted",
    "BridgeHeartbeat",
    "Claim",
    "Closed",
    "Full",
    "Grant",
    "Hold",
    "KeeperHeartbeat",
    "Liveness",
    "Open",
    "RefusalCode",
    "Refused",
    "SessionRequest",
    "SpentGrants",
    "address_prefix",
    "admit",
    "budget_claims",
    "budget_used",
    "decide",
    "first_missing_part",
    "is_origin_allowed",
    "opening",
    "owners_refusal",
    "refuse",
    "sign_grant",
    "verify_grant",
]
