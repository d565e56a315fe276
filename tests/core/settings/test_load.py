import stat
from pathlib import Path

import pytest

from talkbutton.errors import SettingsError
from talkbutton.settings.load import load_part_secrets, load_secrets, load_settings, secrets_path
from talkbutton.settings.model import KeeperSecrets, PortRange
from talkbutton.settings.starter import write_first_settings

pytestmark = pytest.mark.core


def settings_file(folder: Path, text: str, *, version: str = "version = 1") -> Path:
    path = folder / "talkbutton.toml"
    path.write_text(f"{version}\n{text}", encoding="utf-8")
    return path


def refusal(folder: Path, text: str, **environ: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load_settings(settings_file(folder, text), environ)
    return caught.value


def test_defaults_are_enough(tmp_path: Path) -> None:
    settings = load_settings(settings_file(tmp_path, ""), {})
    assert settings.edge.listen_address == "127.0.0.1"
    assert settings.sites["default"].extension == "7000"


def test_lists_and_tables_of_toml_fit_the_strict_model(tmp_path: Path) -> None:
    path = settings_file(
        tmp_path,
        '[sites.shop]\nallowed_origins = ["https://shop.example"]\n'
        "[turn]\nrelay_ports = { first = 41000, last = 41099 }\n",
    )
    settings = load_settings(path, {})
    assert settings.sites["shop"].allowed_origins == ("https://shop.example",)
    assert settings.turn.relay_ports == PortRange(first=41_000, last=41_099)


def test_the_environment_is_above_the_file(tmp_path: Path) -> None:
    path = settings_file(tmp_path, "[edge]\nport = 8081\n")
    environ = {
        "TALKBUTTON_EDGE__PORT": "8082",
        "TALKBUTTON_SITES__DEFAULT__EXTENSION": "0700",
        "TALKBUTTON_SITES__DEFAULT__ALLOWED_ORIGINS": '["https://a.example"]',
        "TALKBUTTON_BOT__ANSWER_THRESHOLD": "0.5",
        "TALKBUTTON_BOT__GREETING": "Hello = there",
        "TALKBUTTON_DATA_DIR": "/elsewhere",
        "HOME": "/root",
    }
    settings = load_settings(path, environ)
    assert settings.edge.port == 8082
    assert settings.sites["default"].extension == "0700"
    assert settings.sites["default"].allowed_origins == ("https://a.example",)
    assert settings.bot.answer_threshold == 0.5
    assert settings.bot.greeting == "Hello = there"


def test_urls_follow_the_port(tmp_path: Path) -> None:
    settings = load_settings(settings_file(tmp_path, "[edge]\nport = 8081\n"), {})
    assert settings.edge.public_url == "http://127.0.0.1:8081"
    assert settings.sites["default"].allowed_origins == (
        "http://127.0.0.1:8081",
        "http://localhost:8081",
    )


def test_origins_follow_the_public_url_unless_they_are_set(tmp_path: Path) -> None:
    text = '[edge]\npublic_url = "https://talk.example"\n[sites.a]\n[sites.b]\n'
    text += 'allowed_origins = ["https://b.example"]\n'
    settings = load_settings(settings_file(tmp_path, text), {})
    assert settings.sites["a"].allowed_origins == ("https://talk.example",)
    assert settings.sites["b"].allowed_origins == ("https://b.example",)


def test_limits_are_wide_only_while_the_page_is_on_this_machine(tmp_path: Path) -> None:
    def limits(text: str) -> tuple[int, int, int]:
        site = load_settings(settings_file(tmp_path, text), {}).sites["default"].limits
        return (
            site.calls_per_address,
            site.calls_per_address_and_hour,
            site.sessions_per_address_and_minute,
        )

    assert limits("[edge]\nport = 8081\n") == (20, 100, 120)
    assert limits('[edge]\npublic_url = "https://talk.example"\n') == (1, 3, 10)
    assert limits('[edge]\npublic_url = "http://127.0.0.1.evil.example"\n') == (1, 3, 10)
    assert limits("[sites.default.limits]\ncalls_per_address = 2\n") == (2, 100, 120)


@pytest.mark.parametrize(
    ("text", "key", "problem", "hint"),
    [
        ("[edge]\nprot = 1\n", "edge.prot", "is not a known setting", "did you mean edge.port?"),
        ("[egde]\nport = 1\n", "egde", "is not a known setting", "did you mean edge?"),
        ("port = 1\n", "port", "is not a known setting", "did you mean edge.port?"),
        ("[edge]\nport = '8080'\n", "edge.port", 'is "8080"', "write a whole number"),
        ("[edge]\nport = true\n", "edge.port", "is true", "write a whole number"),
        ("[edge]\nport = 0\n", "edge.port", "is 0, out of range", "use 1 or more"),
        ("[edge]\nport = 70000\n", "edge.port", "is 70000, out of range", "use 65535 or less"),
        ("edge = 5\n", "edge", "is 5", "write a table of settings"),
        ("[bot]\nkind = 'cloud'\n", "bot.kind", 'is "cloud"', "use 'local' or 'echo'"),
        ("[bot]\ngreeting = ''\n", "bot.greeting", 'is "", too short', "use at least 1 characters"),
        (
            "[network]\nprivate_address = 'localhost'\n",
            "network.private_address",
            'is "localhost"',
            "use an IP address",
        ),
        (
            "[network]\nmedia_address = 'nowhere!'\n",
            "network.media_address",
            'is "nowhere!"',
            "use an IP address",
        ),
        (
            "[sites.default]\nallowed_origins = 'x'\n",
            "sites.default.allowed_origins",
            'is "x"',
            "write a list in square brackets",
        ),
        (
            "[sites.default]\nallowed_origins = [5]\n",
            "sites.default.allowed_origins.0",
            "is 5",
            "write a text in quotes",
        ),
        (
            "[turn]\nrelay_ports = { first = 9, last = 8 }\n",
            "turn.relay_ports",
            "cannot stand: first 9 is above last 8",
            "change one of them",
        ),
        (
            "[bridge]\nplayout_delay_min_ms = 30\n",
            "bridge.playout_delay_min_ms",
            "is 30",
            "use a multiple of 20",
        ),
        (
            "[sites.default.hours]\nmonday = ['25:00-26:00']\n",
            "sites.default.hours.monday",
            "cannot stand: 25:00-26:00 is beyond the day's end, which is 24:00",
            "change it",
        ),
        (
            "[sites.default.hours]\nsunday = ['9-17']\n",
            "sites.default.hours.sunday",
            "cannot stand: 9-17 is no range of times",
            'write it like "09:00-17:30"',
        ),
        (
            "[sites.default.hours]\nfriday = ['09:00-12:00', '11:00-13:00']\n",
            "sites.default.hours.friday",
            "cannot stand: 11:00-13:00 begins before the times before it have ended",
            "write the day's times in order, without overlap",
        ),
        (
            "[sites.default.hours]\ntimezone = 'Europe/Berlim'\n",
            "sites.default.hours.timezone",
            "cannot stand: Europe/Berlim is not in the time zone database",
            'write it like "Europe/Berlin"',
        ),
        (
            "[sites.default.hours]\nclosed_dates = ['25.12.2026']\n",
            "sites.default.hours.closed_dates.0",
            "cannot stand: 25.12.2026 is no date",
            'write it like "2026-12-25"',
        ),
        (
            "[sites.default.budget]\nmoney_per_day = 5\n",
            "sites.default.budget",
            "cannot stand: money_per_day says nothing without price_per_minute",
            "change one of them",
        ),
        (
            "[sites.default.budget]\nminutes_per_day = 5\n",
            "sites.default",
            (
                "cannot stand: budget.minutes_per_day 5 is less than the 10 of one call of "
                "call_duration_max_s 600: nobody could ever call"
            ),
            "change one of them",
        ),
    ],
)
def test_a_refusal_names_file_key_problem_and_remedy(
    tmp_path: Path, text: str, key: str, problem: str, hint: str
) -> None:
    error = refusal(tmp_path, text)
    assert error.path == f"{tmp_path}/talkbutton.toml: {key}"
    assert (error.problem, error.hint) == (problem, hint)


def test_nobody_works_for_a_call_on_their_own_machine_unless_they_say_so(tmp_path: Path) -> None:
    def when(text: str) -> str:
        return load_settings(settings_file(tmp_path, text), {}).sites["default"].challenge.when

    assert when("") == "never"
    assert when('[sites.default.challenge]\nwhen = "always"\n') == "always"
    assert when('[edge]\npublic_url = "https://talk.example"\n') == "pressure"


@pytest.mark.parametrize(
    ("challenge", "problem"),
    [
        ('when = "always"\nkind = "turnstile"', "site_key"),
        ("cost_min = 2000\ncost_max = 1000", "cost_min is above cost_max"),
    ],
)
def test_a_challenge_that_can_not_be_asked_for(
    tmp_path: Path, challenge: str, problem: str
) -> None:
    path = settings_file(tmp_path, f"[sites.default.challenge]\n{challenge}\n")
    with pytest.raises(SettingsError, match=problem):
        load_settings(path, {})


def test_overlapping_ranges_are_named(tmp_path: Path) -> None:
    error = refusal(tmp_path, "[turn]\nrelay_ports = { first = 30000, last = 30010 }\n")
    assert "turn.relay_ports and janus.rtp_ports overlap" in str(error)


def test_a_mistake_in_the_environment_names_the_variable(tmp_path: Path) -> None:
    error = refusal(tmp_path, "", TALKBUTTON_EDGE__PORT="many")
    assert str(error) == 'TALKBUTTON_EDGE__PORT: edge.port is "many"; write a whole number'
    error = refusal(tmp_path, "", TALKBUTTON_EDGE__PROT="1")
    assert error.path == "TALKBUTTON_EDGE__PROT: edge.prot"


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    error = refusal(tmp_path, "[edge]\nport = 0\n[bot]\nkind = 'x'\n")
    assert "edge.port" in error.path
    assert [note for note in error.__notes__ if "bot.kind" in note]


@pytest.mark.parametrize(
    ("version", "problem"),
    [
        ("version = 2", "is 2, this program reads 1"),
        ('version = "1"', 'is "1", this program reads 1'),
        ("version = true", "is true, this program reads 1"),
        ("", "is missing"),
    ],
)
def test_another_version_is_refused_before_anything_else(
    tmp_path: Path, version: str, problem: str
) -> None:
    path = settings_file(tmp_path, "[unknown]\n", version=version)
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {})
    assert (caught.value.path, caught.value.problem) == (f"{path}: version", problem)


def test_a_syntax_error_names_the_line(tmp_path: Path) -> None:
    error = refusal(tmp_path, "[edge]\nport = \n")
    assert error.problem.startswith("is not valid TOML")
    assert "line 3" in error.problem


def test_a_missing_file_and_one_that_is_not_text(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist; run `talkbutton init`"):
        load_settings(tmp_path / "talkbutton.toml", {})
    path = tmp_path / "talkbutton.toml"
    path.write_bytes(b"version = 1\n# \xff\n")
    with pytest.raises(SettingsError, match="is not UTF-8 text"):
        load_settings(path, {})


def test_the_first_settings_can_be_loaded_and_are_never_written_twice(tmp_path: Path) -> None:
    path = tmp_path / "talkbutton.toml"
    assert set(write_first_settings(path)) == {
        path,
        secrets_path(path),
        tmp_path / "knowledge",
    }
    assert load_settings(path, {}).version == 1
    secrets = load_secrets(secrets_path(path))
    assert stat.S_IMODE(secrets_path(path).stat().st_mode) == 0o600
    values = [value.get_secret_value() for _, value in secrets if value is not None]
    needed = [name for name, one in type(secrets).model_fields.items() if one.is_required()]
    assert len(set(values)) == len(needed)
    assert list((tmp_path / "knowledge").glob("*.md"))
    path.write_text("version = 1\n# mine\n", encoding="utf-8")
    assert write_first_settings(path) == []
    assert "# mine" in path.read_text(encoding="utf-8")
    assert load_secrets(secrets_path(path)) == secrets


def test_the_sample_is_not_forced_on_someone(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    (own / "knowledge").mkdir(parents=True)
    (own / "knowledge" / "mine.md").write_text("## Who?\nMe.\n", encoding="utf-8")
    write_first_settings(own / "talkbutton.toml")
    assert [path.name for path in (own / "knowledge").iterdir()] == ["mine.md"]
    other.mkdir()
    path = settings_file(other, '[bot]\nknowledge_dir = "/srv/answers"\n')
    assert write_first_settings(path) == [secrets_path(path)]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot be written"):
        write_first_settings(tmp_path / "file" / "talkbutton.toml")


def test_secrets_that_others_may_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "talkbutton.toml"
    write_first_settings(path)
    secrets_path(path).chmod(0o640)
    with pytest.raises(SettingsError, match=r"may be read by other users \(mode 640\); run: chmod"):
        load_secrets(secrets_path(path))


def test_a_bad_secret_is_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "keeper.toml"
    path.write_text('janus_api_secret = "hush"\nsip_password = 12345\n', encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(SettingsError) as caught:
        load_part_secrets(path, KeeperSecrets)
    told = "\n".join([str(caught.value), *caught.value.__notes__])
    assert "janus_api_secret" in told
    assert "sip_password" in told
    assert "hush" not in told
    assert "12345" not in told


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            '[sites.default]\nallowed_origins = ["https://*.com"]',
            "which would allow strangers' websites; write a domain of your own after it",
        ),
        (
            '[sites.default]\nallowed_origins = ["https://a.example", "null"]',
            'sites.default.allowed_origins.1 is "null", which is the origin of sandboxed frames',
        ),
        (
            '[edge]\ntrusted_proxies = ["0.0.0.0/0"]',
            'edge.trusted_proxies.0 is "0.0.0.0/0", which is everybody; name the proxies',
        ),
        (
            '[edge]\ntrusted_proxies = ["10.0.0.7/8"]',
            'edge.trusted_proxies.0 is "10.0.0.7/8", which is no network; write an address',
        ),
        (
            '[edge]\ntls_certificate = "a.pem"',
            "edge cannot stand: edge.tls_certificate and edge.tls_key go together",
        ),
        (
            '[edge]\ntls_certificate = "a.pem"\ntls_key = "b.pem"',
            "edge.tls_certificate is set, but edge.public_url http://127.0.0.1:8080 is not https",
        ),
    ],
)
def test_the_front_says_what_is_wrong(tmp_path: Path, lines: str, said: str) -> None:
    path = tmp_path / "talkbutton.toml"
    path.write_text(f"version = 1\n{lines}\n")
    with pytest.raises(SettingsError) as refusal:
        load_settings(path, {})
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("203.0.113.11:443", ("203.0.113.11", 443)),
        ("[2001:db8::11]:443", ("2001:db8::11", 443)),
    ],
)
def test_more_addresses_for_turn(tmp_path: Path, written: str, read: tuple[str, int]) -> None:
    path = tmp_path / "talkbutton.toml"
    path.write_text(f'version = 1\n[turn]\nalso_listen = ["{written}"]\n', encoding="utf-8")
    assert load_settings(path, {}).turn.other_listeners() == [read]


@pytest.mark.parametrize(
    "written",
    ["203.0.113.11", "turn.example:443", "203.0.113.11:0", "203.0.113.11:65536", "2001:db8::1:443"],
)
def test_what_is_no_address_with_a_port_is_refused(tmp_path: Path, written: str) -> None:
    path = tmp_path / "talkbutton.toml"
    path.write_text(f'version = 1\n[turn]\nalso_listen = ["{written}"]\n', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"turn\.also_listen") as refused:
        load_settings(path, {})
    assert "203.0.113.11:443" in refused.value.hint
