"""Channels from the configuration: strict, every mistake at once with its place, and a missing secret is no mistake."""

from pathlib import Path
from typing import Any, cast

import pytest
from msgspec import Struct

from gatekeeper.alerts.configured import Configured, channels, recipient
from gatekeeper.channels import ChannelType
from gatekeeper.errors import UsageError
from gatekeeper.plugins import Plugins
from gatekeeper.project import Project, ProjectRequest
from gatekeeper.quantities import Secret
from gatekeeper.settings import load


class Hook(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings of a channel type."""

    url: Secret
    secrets: tuple[Secret, ...] = ()
    headers: dict[str, Secret] = {}
    room: str = ""

    def __post_init__(self) -> None:
        if self.url and "://" not in self.url:
            raise ValueError("url: expected a URL")


class Plain(Struct, frozen=True, forbid_unknown_fields=True):
    """A type that needs nothing."""


class Clashing(Struct, frozen=True):
    timeout: float = 1.0


class Unreadable(Struct, frozen=True):
    sock: complex = 0j


def type_(name: str, settings: type[Struct], **more: Any) -> ChannelType:
    return ChannelType(name=name, summary="", settings=settings, open=lambda values, context: None, **more)  # type: ignore[arg-type,return-value]


TYPES = [
    type_("hook", Hook, min_severity="high"),
    type_("plain", Plain, resends=True),
    type_("clashing", Clashing),
    type_("unreadable", Unreadable),
]


class Known:
    """Plugins that contribute these channel types and nothing else."""

    def __init__(self) -> None:
        self.asked = 0

    def channels(self) -> dict[str, ChannelType]:
        self.asked += 1
        return {each.name: each for each in TYPES}


def configured(folder: Path, text: str, **options: Any) -> list[Configured]:
    (folder / "gatekeeper.toml").write_text(text, "utf-8")
    settings = load(folder, **options)
    return channels(settings, cast("Plugins", Known()), settings.root)


def refused(folder: Path, text: str, **options: Any) -> list[str]:
    with pytest.raises(UsageError) as raised:
        configured(folder, text, **options)
    return list(raised.value.problems)


def test_without_channels_no_channel_plugin_is_loaded(tmp_path: Path) -> None:
    plugins = Known()
    assert channels(load(tmp_path), cast("Plugins", plugins), tmp_path) == []
    assert plugins.asked == 0


def test_a_channel_has_what_every_one_has_and_what_its_type_has(tmp_path: Path) -> None:
    (found,) = configured(
        tmp_path,
        """
        [[alerts.channels]]
        type = "hook"
        name = "ops"
        url = "https://hook/s3cret"
        room = "a"
        timeout = "2s"
        attempts = 5
        match = { team = "db*", gate = "pre.*" }
        [alerts.labels]
        team = "db"
        """,
    )
    assert (found.name, found.type.name, found.min_severity, found.missing) == ("ops", "hook", "high", "")
    assert (found.settings.timeout, found.settings.attempts) == (2.0, 5)
    assert found.values == Hook(url=Secret("https://hook/s3cret"), room="a")
    assert found.secrets == (b"https://hook/s3cret",)
    assert found.root == tmp_path


def test_channels_keep_their_order_and_are_named_after_their_type(tmp_path: Path) -> None:
    found = configured(
        tmp_path,
        '[[alerts.channels]]\ntype = "plain"\nmin_severity = "critical"\n'
        '[[alerts.channels]]\ntype = "hook"\nurl = "https://hook"\n',
    )
    assert [each.name for each in found] == ["plain", "hook"]
    assert recipient(found[0]).resends
    assert recipient(found[0]).min_severity == "critical"
    assert recipient(found[1]).min_severity == "high"


def test_a_channel_that_is_switched_off_is_left_out_but_checked(tmp_path: Path) -> None:
    assert configured(tmp_path, '[[alerts.channels]]\ntype = "plain"\nenabled = false\n') == []
    assert refused(tmp_path, '[[alerts.channels]]\ntype = "plain"\nenabled = false\nrom = "a"\n')


def test_all_mistakes_of_all_channels_are_reported_at_once_with_their_lines(tmp_path: Path) -> None:
    problems = refused(
        tmp_path,
        """[alerts]
group_by = ["subject"]
[[alerts.channels]]
type = "hok"
[[alerts.channels]]
type = "hook"
rom = "a"
[[alerts.channels]]
type = "hook"
url = "https://hook"
timout = "5s"
[[alerts.channels]]
name = "nothing"
[[alerts.channels]]
type = "plain"
attempts = 0
timeout = "fast"
[[alerts.channels]]
type = "plain"
min_severity = "hihg"
[[alerts.channels]]
type = "hook"
name = "no url"
url = "hook"
[[alerts.channels]]
type = 7
""",
    )
    assert problems == [
        "gatekeeper.toml:4  [alerts.channels[0]] type: no type of channel 'hok'. Did you mean 'hook'?",
        "gatekeeper.toml:7  [alerts.channels[1]] unknown key \"rom\". Did you mean 'room'?",
        'gatekeeper.toml:5  [alerts.channels[1]] missing key "url"',
        "gatekeeper.toml:11  [alerts.channels[2]] unknown key \"timout\". Did you mean 'timeout'?",
        'gatekeeper.toml:12  [alerts.channels[3]] missing key "type"',
        "gatekeeper.toml:16  [alerts.channels[4]] attempts: expected a whole number >= 1: 0",
        'gatekeeper.toml:17  [alerts.channels[4]] timeout: expected a duration such as "5s", "250ms" or "2m", got \'fast\'',
        (
            "gatekeeper.toml:20  [alerts.channels[5]] min_severity: "
            'expected one of "low", "medium", "high", "critical": "hihg". Did you mean \'high\'?'
        ),
        "gatekeeper.toml:24  [alerts.channels[6]] url: expected a URL",
        "gatekeeper.toml:26  [alerts.channels[7]] type: no type of channel 7. Known types: clashing, hook, plain, unreadable.",
    ]


def test_two_channels_of_one_name_are_refused(tmp_path: Path) -> None:
    two = '[[alerts.channels]]\ntype = "plain"\n[[alerts.channels]]\ntype = "hook"\nurl = "a://"\nname = "plain"\n'
    assert refused(tmp_path, two) == [
        "gatekeeper.toml:6  [alerts.channels[1]] name: two channels are named 'plain': give one another `name`"
    ]
    unnamed = '[[alerts.channels]]\ntype = "plain"\n[[alerts.channels]]\ntype = "plain"\n'
    assert (
        "gatekeeper.toml:4  [alerts.channels[1]] type: two channels are named 'plain'"
        in refused(tmp_path, unnamed)[0]
    )


@pytest.mark.parametrize("name", [" ops", "ops\\n", "o\\u001bps", "\\u202eops"])
def test_a_name_that_a_terminal_would_obey_is_refused(tmp_path: Path, name: str) -> None:
    (problem,) = refused(tmp_path, f'[[alerts.channels]]\ntype = "plain"\nname = "{name}"\n')
    assert problem.startswith("gatekeeper.toml:3  [alerts.channels[0]] name: expected a name without")
    assert problem.isprintable()


def test_a_label_that_no_alert_has_is_refused(tmp_path: Path) -> None:
    text = '[[alerts.channels]]\ntype = "plain"\nmatch = { taem = "db" }\n[alerts.labels]\nteam = "x"\n'
    assert refused(tmp_path, text) == [
        "gatekeeper.toml:3  [alerts.channels[0]] match.taem: no alert has a label 'taem'. Did you mean 'team'?"
    ]
    rules = 'match = { area = "a", severity = "high" }\n[[alerts.rules]]\nname = "r"\n[alerts.rules.labels]\narea = "a"\n'
    assert configured(tmp_path, f'[[alerts.channels]]\ntype = "plain"\n{rules}')


def test_a_step_of_the_escalation_to_no_channel_is_refused(tmp_path: Path) -> None:
    text = '[[alerts.channels]]\ntype = "plain"\n[[alerts.escalation]]\nafter = "5m"\nchannels = ["plain", "plan"]\n'
    (problem,) = refused(tmp_path, text)
    assert problem.startswith("gatekeeper.toml:5  [alerts.escalation[0]] channels")
    assert problem.endswith("no channel 'plan'. Did you mean 'plain'?")
    off = text.replace('"plain"\n[[', '"plain"\nenabled = false\n[[').replace(', "plan"', "")
    assert configured(tmp_path, off) == []


def test_a_missing_secret_is_the_channels_own_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPS_HOOK", raising=False)
    text = '[[alerts.channels]]\ntype = "hook"\nurl = "env:OPS_HOOK"\n[[alerts.channels]]\ntype = "plain"\n'
    hook, plain = configured(tmp_path, text)
    assert hook.missing == "environment variable OPS_HOOK is not set"
    assert (hook.values, hook.secrets, plain.missing) == (None, (), "")
    monkeypatch.setenv("OPS_HOOK", "https://hook/s3cret")
    hook, plain = configured(tmp_path, text)
    assert (hook.missing, hook.secrets) == ("", (b"https://hook/s3cret",))


def test_a_missing_secret_hides_no_mistake(tmp_path: Path) -> None:
    text = '[[alerts.channels]]\ntype = "hook"\nurl = "env:NO_SUCH_VARIABLE"\nrom = "a"\n'
    assert refused(tmp_path, text) == [
        "gatekeeper.toml:4  [alerts.channels[0]] unknown key \"rom\". Did you mean 'room'?"
    ]


def test_secrets_are_read_from_files_beside_the_configuration_and_found_in_lists_and_tables(
    tmp_path: Path,
) -> None:
    (tmp_path / "token").write_text("t0ken-of-file\n", "utf-8")
    text = (
        '[[alerts.channels]]\ntype = "hook"\nurl = "https://hook/"\nsecrets = ["whsec-old", "whsec-new!"]\n'
        'headers = { X-Token = "file:token" }\n'
    )
    (found,) = configured(tmp_path, text)
    assert set(found.secrets) == {b"https://hook/", b"whsec-old", b"whsec-new!", b"t0ken-of-file"}
    assert [len(each) for each in found.secrets] == sorted(
        (len(each) for each in found.secrets), reverse=True
    )


def test_the_file_a_profile_and_the_environment_name_their_own_places(tmp_path: Path) -> None:
    profile = '[[profiles.ci.alerts.channels]]\ntype = "plain"\nrom = 1\n'
    (problem,) = refused(tmp_path, profile, profile="ci")
    assert problem.startswith('gatekeeper.toml:3  [profiles.ci.alerts.channels[0]] unknown key "rom".')
    environ = {"GATEKEEPER_ALERTS__CHANNELS": '[{type = "plian"}]'}
    (problem,) = refused(tmp_path, "", environ=environ)
    assert problem.startswith("environment variable GATEKEEPER_ALERTS__CHANNELS: no type of channel 'plian'")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("clashing", "its setting 'timeout' is one that every channel has"),
        ("unreadable", "settings class can't be read"),
    ],
)
def test_a_type_that_is_wrong_itself_is_named(tmp_path: Path, name: str, words: str) -> None:
    extra = 'sock = "x"\n' if name == "unreadable" else ""
    (problem,) = refused(tmp_path, f'[[alerts.channels]]\ntype = "{name}"\n{extra}')
    assert problem.startswith(f"channel type '{name}': ")
    assert words in problem


def test_a_third_partys_channel_is_a_type_like_those_that_ship(tmp_path: Path) -> None:
    (tmp_path / "gates").mkdir()
    (tmp_path / "gates" / "gateconf.py").write_text(
        """
from msgspec import Struct
from gatekeeper.channels import ChannelType, Delivered

class Settings(Struct):
    lamp: str

class Lamp:
    def send(self, notification):
        return Delivered()

def gatekeeper_channels():
    return [ChannelType(name="lamp", summary="A lamp.", settings=Settings, open=lambda values, context: Lamp())]
""",
        "utf-8",
    )
    (tmp_path / "gatekeeper.toml").write_text('[[alerts.channels]]\ntype = "lamp"\nlamp = "red"\n', "utf-8")
    project = Project(ProjectRequest(cwd=str(tmp_path)))
    (found,) = channels(project.settings, project.plugins, project.settings.root)
    assert (found.name, found.min_severity) == ("lamp", "medium")
