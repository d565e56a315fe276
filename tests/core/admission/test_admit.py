from dataclasses import replace

import pytest

from talkbutton.rules.admission import (
    Admitted,
    Asked,
    BridgeHeartbeat,
    Grant,
    KeeperHeartbeat,
    Liveness,
    Refused,
    SessionRequest,
    admit,
    is_origin_allowed,
    session_claims,
)
from talkbutton.settings.model import (
    ConsentSettings,
    EdgeSettings,
    HoursSettings,
    Settings,
    SiteSettings,
)

pytestmark = pytest.mark.core

SITE = SiteSettings(allowed_origins=("https://shop.example",), extension="7001")
SETTINGS = Settings(version=1, edge=EdgeSettings(grant_ttl_s=45), sites={"shop": SITE})
REQUEST = SessionRequest("0" * 32, "shop", "https://shop.example", "192.0.2.77")
KEEPER = KeeperHeartbeat(heard_s=100.0, is_ready=True, master_id=5, username="sip:talkbutton@x")
BRIDGE = BridgeHeartbeat(heard_s=100.0, is_ready=True, is_line_ready=True, is_bot_ready=True)
ALL_WELL = Liveness(True, KEEPER, BRIDGE)


def verdict(
    request: SessionRequest = REQUEST, state: Liveness = ALL_WELL, now: float = 101.0
) -> Admitted | Refused:
    return admit(request, state, SETTINGS, now=now, now_unix=1_000.9)


def test_admits_with_a_grant_that_is_bound_to_who_asked() -> None:
    assert verdict() == Admitted(
        Grant(
            "0" * 32,
            "shop",
            "https://shop.example",
            "192.0.2.0/24",
            1_000,
            1_045,
            bucket="192.0.2.77",
            grant_id="0" * 32,
        ),
        SITE,
        tuple(
            session_claims(
                Asked("shop", SITE, "192.0.2.77", 1_000.9),
                SETTINGS.limits,
                grant_until_unix=1_045,
            )
        ),
    )


def test_how_much_of_the_address_binds_is_a_setting() -> None:
    edge = EdgeSettings(grant_prefix_v4_bits=32, grant_prefix_v6_bits=64)
    settings = SETTINGS.model_copy(update={"edge": edge})
    for address, prefix in {
        "192.0.2.77": "192.0.2.77/32",
        "2001:db8:1:2::9": "2001:db8:1:2::/64",
    }.items():
        request = replace(REQUEST, address=address)
        admitted = admit(request, ALL_WELL, settings, now=101.0, now_unix=1_000.9)
        assert isinstance(admitted, Admitted)
        assert admitted.grant.address_prefix == prefix


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (replace(REQUEST, site="other"), "site_unknown"),
        (replace(REQUEST, origin=None), "origin_refused"),
        (replace(REQUEST, origin="null"), "origin_refused"),
        (replace(REQUEST, origin="https://evil.example"), "origin_refused"),
        (replace(REQUEST, origin="https://shop.example:443"), "origin_refused"),
    ],
)
def test_refuses_who_may_not_ask(request_: SessionRequest, code: str) -> None:
    refused = verdict(request_)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.call_id) == (code, "0" * 32)


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (replace(ALL_WELL, is_gateway_connected=False), "gateway_unavailable"),
        (replace(ALL_WELL, keeper=None), "gateway_unavailable"),
        (replace(ALL_WELL, keeper=replace(KEEPER, is_ready=False)), "gateway_unavailable"),
        (replace(ALL_WELL, keeper=replace(KEEPER, heard_s=96.0)), "gateway_unavailable"),
        (replace(ALL_WELL, bridge=None), "bot_unavailable"),
        (replace(ALL_WELL, bridge=replace(BRIDGE, heard_s=96.0)), "bot_unavailable"),
        (
            replace(ALL_WELL, bridge=replace(BRIDGE, is_ready=False, is_line_ready=False)),
            "line_unavailable",
        ),
        (replace(ALL_WELL, bridge=replace(BRIDGE, is_bot_ready=False)), "bot_unavailable"),
        (replace(ALL_WELL, bridge=replace(BRIDGE, is_ready=False)), "bot_unavailable"),
        (Liveness(False), "gateway_unavailable"),
    ],
)
def test_names_the_first_part_that_is_missing(state: Liveness, code: str) -> None:
    refused = verdict(state=state)
    assert isinstance(refused, Refused)
    assert refused.code == code


def test_heartbeats_are_good_for_four_seconds() -> None:
    assert isinstance(verdict(now=104.0), Admitted)
    assert isinstance(verdict(now=104.1), Refused)


def test_null_is_never_an_allowed_origin() -> None:
    assert not is_origin_allowed("null", {"null"})


def verdict_of(site: SiteSettings, *, has_consent: bool = False) -> Admitted | Refused:
    """Return what is said to a visitor of another kind of site while all parts are down."""
    settings = SETTINGS.model_copy(update={"sites": {"shop": site}})
    request = replace(REQUEST, has_consent=has_consent)
    return admit(request, Liveness(False), settings, now=101.0, now_unix=1_000.9)


def test_maintenance_is_refused_in_the_owners_words() -> None:
    refused = verdict_of(SITE.model_copy(update={"maintenance": "Back at noon."}))
    assert refused == Refused("maintenance", "Back at noon.", "0" * 32)


def test_outside_hours_it_says_when_to_come_back() -> None:
    hours = HoursSettings(thursday=("09:00-17:00",))  # 1970 began with a Thursday
    refused = verdict_of(SITE.model_copy(update={"hours": hours}))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.retry_after_s) == ("outside_hours", 9 * 3600 - 1_000)
    assert "today at 09:00" in refused.detail


def test_consent_is_asked_for_before_parts_are_looked_at() -> None:
    site = SITE.model_copy(update={"consent": ConsentSettings(text="We record this call.")})
    assert isinstance(refused := verdict_of(site), Refused)
    assert refused.code == "consent_missing"
    assert isinstance(refused := verdict_of(site, has_consent=True), Refused)
    assert refused.code == "gateway_unavailable"


@pytest.mark.parametrize(("text", "is_asked"), [("We record this call.", True), (None, False)])
def test_a_yes_counts_only_where_something_was_asked(text: str | None, is_asked: bool) -> None:
    site = SITE.model_copy(update={"consent": ConsentSettings(text=text)})
    settings = SETTINGS.model_copy(update={"sites": {"shop": site}})
    request = replace(REQUEST, has_consent=True)
    admitted = admit(request, ALL_WELL, settings, now=101.0, now_unix=1_000.9)
    assert isinstance(admitted, Admitted)
    assert admitted.grant.has_consent is is_asked
