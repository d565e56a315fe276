import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkbutton.rules.admission.exposure import Exposure, exposure
from talkbutton.settings.model import BudgetSettings, Settings, SiteLimits, SiteSettings

pytestmark = pytest.mark.core


def settings(site: SiteSettings | None = None) -> Settings:
    return Settings(version=1, sites={"default": site or SiteSettings()})


@pytest.mark.parametrize(
    ("addresses", "calls", "minutes"),
    [
        (1, 3.0, 30.0),
        (100, 120.0, 1_200.0),  # 20 lines, always busy
    ],
)
def test_at_default_settings(addresses: int, calls: float, minutes: float) -> None:
    found = exposure(settings(), "default", addresses=addresses)
    assert found == Exposure(addresses, calls, minutes, minutes * 24, 0.0)


def test_a_budget_bounds_the_day_and_names_the_money() -> None:
    budget = BudgetSettings(minutes_per_day=600, price_per_minute=0.05)
    found = exposure(settings(SiteSettings(budget=budget)), "default", addresses=100)
    assert (found.minutes_per_day, found.money_per_day) == (600.0, 30.0)


@given(st.integers(1, 1_000), st.integers(10, 14_400), st.integers(1, 50), st.integers(1, 50))
def test_more_addresses_never_cost_less_and_lines_bound_it(
    addresses: int, duration_s: int, calls_per_address: int, lines: int
) -> None:
    site = SiteSettings(
        call_duration_max_s=duration_s,
        limits=SiteLimits(calls_per_address=calls_per_address, calls_max=lines),
    )
    one = exposure(settings(site), "default", addresses=addresses)
    more = exposure(settings(site), "default", addresses=addresses + 1)
    assert one.minutes_per_hour <= more.minutes_per_hour <= lines * 60 + 1e-9
