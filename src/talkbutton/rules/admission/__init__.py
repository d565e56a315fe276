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
)
from talkbutton.rules.admission.bot_signals import SIGNAL_WEIGHTS, bot_signals, signal_weight
from talkbutton.rules.admission.challenge import (
    CHALLENGE_TTL_S,
    NUMBER_RANDOM_BYTES,
    ProofChallenge,
    Solved,
    Unsolved,
    issue_challenge,
    verify_solution,
)
from talkbutton.rules.admission.grant import PURPOSE, Grant, sign_grant, verify_grant
from talkbutton.rules.admission.origin import address_prefix, is_origin_allowed
from talkbutton.rules.admission.pressure import Crowd, proof_cost, strain
from talkbutton.rules.admission.refusal import RefusalCode, Refused, refuse
from talkbutton.rules.admission.spent import SpentGrants

__all__ = [
    "CHALLENGE_TTL_S",
    "HEARTBEAT_MAX_AGE_S",
    "NUMBER_RANDOM_BYTES",
    "PURPOSE",
    "SIGNAL_WEIGHTS",
    "Admitted",
    "BridgeHeartbeat",
    "Crowd",
    "Grant",
    "KeeperHeartbeat",
    "Liveness",
    "ProofChallenge",
    "RefusalCode",
    "Refused",
    "SessionRequest",
    "Solved",
    "SpentGrants",
    "Unsolved",
    "address_prefix",
    "admit",
    "bot_signals",
    "first_missing_part",
    "is_origin_allowed",
    "issue_challenge",
    "proof_cost",
    "refuse",
    "sign_grant",
    "signal_weight",
    "strain",
    "verify_grant",
    "verify_solution",
]
