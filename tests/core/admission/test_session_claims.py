"""What a session claims, played against real decisions."""

from dataclasses import replace

import pytest

from talkbutton.rules.admission.addresses import address_keys
from talkbutton.rules.admission.call_claims import (
    continued,
    refresh_claims,
    revocation,
    spend_claims,
)
from talkbutton.rules.admission.claims import Claim, Full, Hold, decide
from talkbutton.rules.admission.grant import CONTINUE, Grant
from talkbutton.rules.admission.session_claims import (
    Asked,
    kept_claims,
    lease_claims,
    line_claims,
    session_claims,
)
from talkbutton.settings.model import LimitsSettings, SiteLimits, SiteSettings, TurnSettings

pytestmark = pytest.mark.core

NOW = 1_000.0
LIMITS = LimitsSettings()
SITE = SiteSettings()
GRANT = Grant("0" * 32, "shop", "https://shop.example", "x", 1_000, 1_060, "192.0.2.7", "1" * 32)


def asked(address: str, limits: SiteLimits = SITE.limits, *, site_name: str = "shop") -> Asked:
    site = SITE.model_copy(update={"limits": limits})
    return Asked(site_name, site, address_keys(address).bucket, NOW)


def claims_of(address: str, **limits: int) -> list[Claim]:
    return session_claims(asked(address, SiteLimits(**limits)), LIMITS, grant_until_unix=NOW + 60)


class Held:
    """A ledger in four lines."""

    def __init__(self) -> None:
        self.by_key: dict[str, list[Hold]] = {}

    def take(self, claims: list[Claim], *, now_unix: float = NOW) -> Full | None:
        full = decide(claims, self.by_key, now_unix=now_unix)
        for claim in () if full else claims:
            hold = Hold("x", claim.weight, claim.until_unix)
            self.by_key.setdefault(claim.key, []).append(hold)
        return full


def first_refusal(addresses: list[str], **limits: int) -> tuple[int, str]:
    """Return how many were let in before the first who was not, and why he was not."""
    held = Held()
    for number, address in enumerate(addresses):
        full = held.take(claims_of(address, **limits))
        if full is not None:
            return number, full.claim.code
    return len(addresses), "nobody"


MANY = {
    "calls_per_address": 10_000,
    "calls_per_address_and_hour": 10_000,
    "calls_per_v6_site": 10_000,
    "calls_per_v6_site_and_hour": 10_000,
    "sessions_per_address_and_minute": 10_000,
    "calls_max": 10_000,
    "sessions_per_minute": 10_000,
}


def test_one_call_at_once_from_one_address() -> None:
    assert first_refusal(["192.0.2.7"] * 3) == (1, "address_calls")
    assert first_refusal(["192.0.2.7", "::ffff:192.0.2.7"]) == (1, "address_calls")
    assert first_refusal(["192.0.2.7", "192.0.2.8"]) == (2, "nobody")


def test_other_addresses_of_a_subnet_are_the_same_visitor() -> None:
    rotating = [f"2001:db8:1:2::{number:x}" for number in range(1, 50)]
    assert first_refusal(rotating) == (1, "address_calls")


def test_other_subnets_of_a_site_have_the_sites_limit() -> None:
    rotating = [f"2001:db8:1:{number:x}::1" for number in range(1, 50)]
    assert first_refusal(rotating) == (4, "address_calls")
    by_the_hour = {**MANY, "calls_per_v6_site_and_hour": 12}
    assert first_refusal(rotating, **by_the_hour) == (12, "address_calls_per_hour")
    sites = [f"2001:db8:{number:x}::1" for number in range(1, 15)]
    assert first_refusal(sites) == (14, "nobody")


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ({"calls_per_address_and_hour": 3}, "address_calls_per_hour"),
        ({"sessions_per_address_and_minute": 3}, "address_sessions"),
        ({"sessions_per_minute": 3}, "site_sessions"),
    ],
)
def test_each_limit_bites_at_its_number(limit: dict[str, int], code: str) -> None:
    assert first_refusal(["192.0.2.7"] * 5, **{**MANY, **limit}) == (3, code)


def test_asking_holds_no_line() -> None:
    addresses = [f"198.51.100.{number}" for number in range(100)]
    assert first_refusal(addresses) == (100, "nobody")


def lines_of(address: str, limits: LimitsSettings = LIMITS, *, site_name: str) -> list[Claim]:
    return line_claims(asked(address, site_name=site_name), limits, until_unix=NOW + 20)


@pytest.mark.parametrize(
    ("limits", "sites", "lines", "code"),
    [
        (LIMITS, ["shop"] * 21, 20, "site_calls"),
        (LimitsSettings(calls_max=2), ["a", "b", "c"], 2, "all_calls"),
    ],
)
def test_calls_that_go_on_fill_the_lines(
    limits: LimitsSettings, sites: list[str], lines: int, code: str
) -> None:
    held = Held()
    for number, site in enumerate(sites[:lines]):
        assert held.take(lines_of(f"192.0.2.{number}", limits, site_name=site)) is None
    late = asked("198.51.100.1", site_name=sites[lines])
    for claims in (
        lines_of("198.51.100.1", limits, site_name=sites[lines]),
        session_claims(late, limits, grant_until_unix=NOW + 60),
    ):
        full = held.take(claims)
        assert full is not None
        assert full.claim.code == code
        assert full.room_at_unix == NOW + 20


def test_all_sites_together_have_a_rate() -> None:
    held, limits = Held(), LimitsSettings(sessions_per_minute=2)
    for number in range(3):
        one = asked(f"192.0.2.{number}", site_name=f"site-{number}")
        full = held.take(session_claims(one, limits, grant_until_unix=NOW + 60))
        assert (full is None) == (number < 2)
    assert full is not None
    assert full.claim.code == "all_sessions"


def test_an_address_is_counted_over_all_sites() -> None:
    held = Held()
    for site_name, is_full in (("a", False), ("b", True)):
        claims = session_claims(
            asked("192.0.2.7", site_name=site_name), LIMITS, grant_until_unix=NOW + 60
        )
        assert (held.take(claims) is not None) == is_full


def test_a_grant_that_nobody_uses_is_soon_forgotten() -> None:
    held = Held()
    for _ in range(10):
        held.take(claims_of("192.0.2.7"))
    assert held.take(claims_of("192.0.2.7"), now_unix=NOW + 60 + 5) is None


def test_the_hours_claims_are_provisional_at_first() -> None:
    hourly = [claim for claim in claims_of("192.0.2.7") if claim.key.startswith("hour:")]
    [kept] = kept_claims(asked("192.0.2.7"))
    assert [claim.until_unix for claim in hourly] == [NOW + 65]
    assert kept == replace(hourly[0], until_unix=NOW + 3_600)


def test_the_visitors_own_limits_are_told_first() -> None:
    about = [claim.key.split(":")[1] for claim in claims_of("2001:db8::1")]
    assert about == ["address"] * 5 + ["site"] * 2 + ["all"] * 2


def test_leases_have_the_keys_that_the_session_claimed() -> None:
    keys = {claim.key for claim in claims_of("2001:db8::1")}
    leases = lease_claims(asked("2001:db8::1"), LIMITS, until_unix=NOW + 20)
    assert {claim.key for claim in leases} < keys
    assert {claim.until_unix for claim in leases} == {NOW + 20}


def test_a_grant_is_spent_once() -> None:
    held = Held()
    claims = spend_claims(GRANT, lease_until_unix=NOW + 20)
    assert held.take(claims) is None
    full = held.take(claims)
    assert full is not None
    assert full.claim.code == "grant_used"
    late = held.take(claims, now_unix=1_060.0 + 59)  # by an edge whose clock is far behind
    assert late is not None


def test_a_revoked_call_neither_starts_nor_is_refreshed() -> None:
    held = Held()
    held.take([revocation(GRANT.call_id, now_unix=NOW)])
    for claims in (
        spend_claims(GRANT, lease_until_unix=NOW + 20),
        refresh_claims(GRANT, SITE, TurnSettings()),
    ):
        full = held.take(claims)
        assert full is not None
        assert full.claim.code == "grant_revoked"


def test_a_call_is_refreshed_as_often_as_its_credentials_end_and_a_little_more() -> None:
    held = Held()
    claims = refresh_claims(GRANT, SITE, TurnSettings())
    assert [held.take(claims) is None for _ in range(13)] == [True] * 12 + [False]


def test_going_on_is_bound_as_the_start_and_never_good_for_longer() -> None:
    first = continued(GRANT, SITE, grant_id="2" * 32)
    assert first == replace(
        GRANT, purpose=CONTINUE, grant_id="2" * 32, expires_unix=GRANT.expires_unix + 600
    )
    second = continued(first, SITE, grant_id="3" * 32)
    assert second == replace(first, grant_id="3" * 32)
