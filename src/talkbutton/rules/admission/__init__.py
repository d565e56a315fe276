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
    owners_refusal,
)
from talkbutton.rules.admission.bot_signals import SIGNAL_WEIGHTS, bot_signals, signal_weight
from talkbutton.rules.admission.budget import budget_claims, budget_used
from talkbutton.rules.admission.challenge import (
    CHALLENGE_TTL_S,
    NUMBER_RANDOM_BYTES,
    ProofChallenge,
    Solved,
    Unsolved,
    issue_challenge,
    verify_solution,
)
from talkbutton.rules.admission.claims import Claim, Full, Hold, decide
from talkbutton.rules.admission.grant import (
    CONTINUE,
    START,
    Bearer,
    Grant,
    sign_grant,
    verify_grant,
)
from talkbutton.rules.admission.hours import Closed, Open, opening
from talkbutton.rules.admission.origin import is_origin_allowed
from talkbutton.rules.admission.pressure import Crowd, proof_cost, strain
from talkbutton.rules.admission.refusal import RefusalCode, Refused, refuse
from talkbutton.rules.admission.session_claims import (
    Asked,
    kept_claims,
    lease_claims,
    session_claims,
)

__all__ = [
    "CHALLENGE_TTL_S",
    "CONTINUE",
    "HEARTBEAT_MAX_AGE_S",
    "NUMBER_RANDOM_BYTES",
    "SIGNAL_WEIGHTS",
    "START",
    "AddressKeys",
    "Admitted",
    "Asked",
    "Bearer",
    "BridgeHeartbeat",
    "Claim",
    "Closed",
    "Crowd",
    "Full",
    "Grant",
    "Hold",
    "KeeperHeartbeat",
    "Liveness",
    "Open",
    "ProofChallenge",
    "RefusalCode",
    "Refused",
    "SessionRequest",
    "Solved",
    "Unsolved",
    "address_keys",
    "address_prefix",
    "admit",
    "bot_signals",
    "budget_claims",
    "budget_used",
    "decide",
    "first_missing_part",
    "is_origin_allowed",
    "issue_challenge",
    "kept_claims",
    "lease_claims",
    "opening",
    "owners_refusal",
    "proof_cost",
    "refuse",
    "session_claims",
    "sign_grant",
    "signal_weight",
    "strain",
    "verify_grant",
    "verify_solution",
]
