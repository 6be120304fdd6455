from pathlib import Path
from typing import Any

import pytest

from penstock.config import LoadedSettings, list_settings, load_settings
from penstock.errors import ConfigurationError
from penstock.settings import Settings, UpstreamSettings


@pytest.fixture(autouse=True)
def _own_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that sets the port and the number of workers."""
    path = tmp_path / "some.toml"
    path.write_text("[edge]\nport = 5000\nworkers = 2\n")
    return path


def load(toml: str | None = None, environment: dict[str, str] | None = None, **flags: Any) -> LoadedSettings:
    """Settings made of this file, these variables and these flags, and nothing else."""
    path = None
    if toml is not None:
        path = Path("given.toml")
        path.write_text(toml)
    return load_settings(
        flags={name.replace("__", "."): value for name, value in flags.items()}, environment=environment or {}, file=path
    )


def test_without_anything_the_defaults_hold() -> None:
    loaded = load()
    assert (loaded.settings.edge.host, loaded.settings.edge.port) == ("127.0.0.1", 4318)
    assert set(loaded.origins.values()) == {"default"}
    assert set(loaded.origins) == {setting.path for setting in list_settings()}


def test_a_flag_beats_a_variable_beats_the_file_beats_the_default(file: Path) -> None:
    environment = {"PENSTOCK_EDGE_PORT": "6000", "PENSTOCK_EDGE_HOST": "::1"}
    loaded = load_settings(flags={"edge.host": "0.0.0.0", "edge.workers": None}, environment=environment, file=file)
    edge = loaded.settings.edge
    assert (edge.host, edge.port, edge.workers, edge.flush_interval_s) == ("0.0.0.0", 6000, 2, 2.0)
    paths = ("edge.host", "edge.port", "edge.workers", "edge.flush_interval_s")
    assert [loaded.origins[path] for path in paths] == ["flag", "PENSTOCK_EDGE_PORT", str(file), "default"]


def test_the_file_is_named_or_lies_in_the_home_or_in_the_working_directory(file: Path, tmp_path: Path) -> None:
    def port(**environment: str) -> int:
        return load_settings(environment=environment).settings.edge.port

    assert port() == 4318
    (tmp_path / "penstock.toml").write_text("edge.port = 1")
    assert port() == 1
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "penstock.toml").write_text("edge.port = 2")
    assert port(PENSTOCK_HOME=str(tmp_path / "home")) == 2
    assert load_settings(environment={"PENSTOCK_HOME": ""}).settings.home == Settings().home
    assert load_settings(flags={"home": "home"}, environment={}).settings.edge.port == 2
    assert port(PENSTOCK_HOME=str(tmp_path / "home"), PENSTOCK_CONFIG=str(file)) == 5000


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("PENSTOCK_EDGE_PORT", "0", 0),
        ("PENSTOCK_EDGE_FLUSH_INTERVAL_S", "1", 1.0),
        ("PENSTOCK_SERVING_ENABLED", "true", True),
        ("PENSTOCK_TRAFFIC_EXPOSURES", '["served", "simulated"]', ["served", "simulated"]),
        ("PENSTOCK_REGISTRY_URL", "postgresql+psycopg:///penstock", "postgresql+psycopg:///penstock"),
        ("PENSTOCK_EDGE_HOST", "12", "12"),
    ],
)
def test_a_variable_is_read_as_toml_and_plain_text_where_text_is_wanted(variable: str, text: str, value: object) -> None:
    loaded = load(environment={variable: text})
    (path,) = (setting.path for setting in list_settings() if setting.environment == variable)
    section, _, leaf = path.partition(".")
    assert getattr(getattr(loaded.settings, section), leaf) == value


def test_upstreams_are_tables_with_free_names() -> None:
    toml = '[gateway]\ndefault_upstream = "big"\n[gateway.upstreams.big]\nbase_url = "http://big/v1"\nlogprobs = true\n'
    loaded = load(toml)
    assert loaded.settings.gateway.upstreams == {"big": UpstreamSettings(base_url="http://big/v1", logprobs=True)}
    assert loaded.origins["gateway.upstreams"] == "given.toml"
    from_variable = load(environment={"PENSTOCK_GATEWAY_UPSTREAMS": '{small = {base_url = "http://small/v1"}}'})
    assert from_variable.settings.gateway.upstreams == {"small": UpstreamSettings(base_url="http://small/v1")}


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("edge.prot = 1", r"given.toml sets `edge.prot`, which is no setting of Penstock. Did you mean `edge.port`\?"),
        ("[egde]\nport = 1", r"sets `egde.port`.* Did you mean `edge.port`\?"),
        ("[egde]", r"sets `egde`"),
        ("edge = 1", r"sets `edge`"),
        ("colour = 'red'", r"sets `colour`.* `penstock config` lists them all"),
        ("gateway.upstreams.big = {base_ulr = 'x'}", r"gateway.upstreams.big sets `base_ulr`.* Did you mean `base_url`\?"),
        ("edge.port = 'high'", r"out of range: Expected `int`, got `str` - at `\$.edge.port`"),
        ("edge.port = true", r"out of range: .*edge.port"),
        ("webhooks.desk.feedback = [{ nmae = 'x' }]", r"webhooks.desk.feedback \(0\) sets `nmae`.* Did you mean `name`\?"),
        ("webhooks.desk.scret_env = 'X'", r"webhooks.desk sets `scret_env`.* Did you mean `secret_env`\?"),
        ("webhooks.'a/b'.ready = 'github'", r"webhooks.a/b: call it by up to 64 letters"),
        ("pulls.desk = { wtermark = 'x' }", r"pulls.desk sets `wtermark`.* Did you mean `watermark`\?"),
        ("pulls.'..' = { watermark = 'x', feedback = [{}] }", r"pulls...: call it by up to 64 letters"),
        ("pulls.desk = { watermark = 'x', feedback = [] }", r"out of range: .*pulls"),
        ("gateway.upstreams = 3", r"out of range: .*gateway.upstreams"),
        ("gateway.upstreams.big = 3", r"out of range: .*gateway.upstreams"),
        ("gateway.upstreams.big = {}", r"missing required field `base_url`"),
        ("edge.port = ", r"given.toml is not valid TOML"),
        ("pulls.desk = { feedback = [{}] }", r"out of range: pulls.desk: Object missing required field `watermark`\."),
        ("pulls.desk = { watermark = 'x', feedback = [3] }", r"pulls.desk: Expected `object`.* - at `pulls.desk.feedback\[0\]`"),
        (
            "labelling_functions.m = { signal = 'x', votes = 'bad', at_least = nan }",
            r"labelling_functions.m.at_least = nan is no",
        ),
        ("outcomes.x = { keys = ['k'], window_h = inf }", r"outcomes.x.window_h = inf is no number that can be used"),
    ],
)
def test_a_wrong_file_is_refused_with_what_to_do(toml: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load(toml)


def test_an_empty_table_sets_nothing() -> None:
    assert set(load("[edge]\n").origins.values()) == {"default"}


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"PENSTOCK_EDGE_PROT": "1"}, r"PENSTOCK_EDGE_PROT is no setting of Penstock. Did you mean `PENSTOCK_EDGE_PORT`\?"),
        ({"PENSTOCK_EDGE_PORT": "high"}, r"PENSTOCK_EDGE_PORT='high' is not a int; write it as in TOML, for example 4318"),
        ({"PENSTOCK_EDGE_PORT": "1.5"}, r"Expected `int`, got `float` - at `\$.edge.port`"),
        ({"PENSTOCK_CONFIG": "absent.toml"}, r"The configuration file absent.toml does not exist"),
    ],
)
def test_a_wrong_variable_is_refused_with_what_to_do(environment: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load(environment=environment)


def test_a_misspelt_flag_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"a flag sets `edge.ports`.* Did you mean `edge.port`\?"):
        load(edge__ports=1)


def test_variables_of_other_programs_are_left_alone() -> None:
    assert load(environment={"PATH": "/bin", "EDGE_PORT": "x"}).settings.edge.port == 4318


def test_every_setting_says_what_it_is_for_and_has_a_variable_of_its_own() -> None:
    settings = list_settings()
    assert [setting.path for setting in settings if not setting.help.endswith(".")] == []
    assert len({setting.environment for setting in settings}) == len(settings)
    assert "edge.port" in {setting.path for setting in settings}


def test_the_embedded_registry_lies_in_the_home(tmp_path: Path) -> None:
    assert load(home=str(tmp_path)).settings.registry_url == f"sqlite:///{tmp_path / 'registry.db'}"
    assert load(home=str(tmp_path), registry__url="postgresql+psycopg:///x").settings.registry_url == "postgresql+psycopg:///x"
    assert load(home="here").settings.home_path == tmp_path / "here"


def test_a_file_that_cannot_be_read_is_a_configuration_error() -> None:
    path = Path("latin.toml")
    path.write_bytes(b"home = '\xe9'")
    with pytest.raises(ConfigurationError, match="not valid TOML"):
        load_settings(environment={}, file=path)


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        (
            'patterns = {employee = "EMP-([0-9]+"}',
            r"policy.redact.patterns.employee = 'EMP-\(\[0-9\]\+' is no RE2 pattern: missing \)",
        ),
        ('patterns = {employee = "(?<=x)y"}', "is no RE2 pattern: invalid perl operator"),
        ('patterns = {employee = "x*"}', "matches the empty text"),
        ('patterns = {"Employee Id" = "x"}', "use up to 32 small letters"),
        ('patterns = {email = "x"}', "it is one already"),
        ('allow_patterns = ["["]', "policy.redact.allow_patterns = '\\[' is no RE2 pattern"),
        ('modes = {emial = "hash"}', "`emial`, which is no kind. Did you mean `email`?"),
        ('modes = {email = "erase"}', "'erase' is no mode; use one of mask, hash, drop, keep"),
        ('ner = "bert"', "'bert' is no backend; use presidio"),
        ('ner = "presidio"', "needs policy.redact.ner_model"),
    ],
)
def test_a_redaction_policy_that_cannot_work_is_refused_when_it_is_read(tmp_path: Path, toml: str, says: str) -> None:
    file = tmp_path / "penstock.toml"
    file.write_text(f"[policy.redact]\n{toml}\n")
    with pytest.raises(ConfigurationError, match=says):
        load_settings(environment={}, file=file)


def test_a_redaction_policy_is_read_from_file_and_variables(tmp_path: Path) -> None:
    file = tmp_path / "penstock.toml"
    file.write_text("""
[policy.redact]
allow_domains = ["example.com"]
[policy.redact.modes]
email = "hash"
employee = "drop"
[policy.redact.patterns]
employee = 'EMP-\\d{6}'
""")
    redact = load_settings(environment={"PENSTOCK_POLICY_REDACT_HASHED_KEYS": '["ticket"]'}, file=file).settings.policy.redact
    assert (redact.modes, redact.hashed_keys) == ({"email": "hash", "employee": "drop"}, ["ticket"])
    assert redact.patterns == {"employee": r"EMP-\d{6}"}


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[[policy.sample.policies]]\nname='e'\nstatus_code=['ERROR']", r"policies \(e\) sets `status_code`.*`status_codes`"),
        ("[[policy.sample.policies]]\nname='e'\nstatus_codes=['BAD']", r"\(e\) has the status code 'BAD'"),
        ("[[policy.sample.policies]]\nname='e'", r"policies \(e\) has no condition"),
        ("[[policy.sample.policies]]\nstatus_codes=['OK']", r"missing required field `name`"),
        ("[[policy.sample.policies]]\nname='e'\nthreshold_ms=-1", r"policies\[0\].threshold_ms"),
        (2 * "[[policy.sample.policies]]\nname='e'\nthreshold_ms=1\n", r"two rules of the name 'e'"),
        ("[policy.sample]\nsampling_percentage=0", r"sampling_percentage"),
        ("[policy.sample.applications]\nshop=101", r"applications"),
        ("[policy.sample]\nby='user'", r"policy.sample.by"),
        ("[policy.sampling]\nby='trace'", r"`policy.sampling.by`, which is no setting"),
        ("[[policy.route.table]]\nname='r'\napplications=['a']\npipelines=['far']", r"\(r\) names the pipeline `far`"),
        ("[policy.route]\ndefault_pipelines=['shop']", r"default_pipelines names the pipeline `shop`"),
        ("[[policy.route.table]]\nname='r'\npipelines=[]", r"table \(r\) has no condition"),
        (
            "[[policy.route.table]]\nname='r'\npipelines=[]\nattributes=[{key='a', value='b'}]",
            r"\(r\).attributes \(0\) sets `value`",
        ),
        ("[policy.forward.far]\nendpoint='localhost:4318'", r"endpoint"),
        ("[policy.forward.far]\nendpoint='https://user:secret@a'", r"endpoint"),
        ("[policy.forward.far]\nurl='http://a'", r"policy.forward.far sets `url`"),
        ("[policy.forward.far]\ntimeout_s=3", r"missing required field `endpoint`"),
        ("[policy.forward.store]\nendpoint='http://a'", r"`store` is Penstock's own"),
        ("policy.forward.far = 3", r"policy.forward"),
    ],
)
def test_a_policy_that_makes_no_sense_is_told_by_the_name_of_its_rule(toml: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load(toml)


def test_a_policy_can_be_given_in_variables_too() -> None:
    loaded = load(environment={"PENSTOCK_POLICY_SAMPLE_POLICIES": "[{name='errors', status_codes=['ERROR']}]"})
    assert [rule.name for rule in loaded.settings.policy.sample.policies] == ["errors"]


@pytest.mark.parametrize(
    "setting",
    [
        "edge.workers = 0",
        "edge.port = 70000",
        "dataset.test_share = 1.0",
        "ingest.settle_interval_s = 0",
        "retention.spans_days = -1",
    ],
)
def test_a_value_out_of_range_is_refused_by_name(setting: str) -> None:
    with pytest.raises(ConfigurationError, match=r"out of range: .*" + setting.split(" ")[0].rpartition(".")[2]):
        load(setting)


@pytest.mark.parametrize(
    "origin", ["https://app.example.com", "http://localhost:3000", "capacitor://localhost", "https://[::1]:8080"]
)
def test_the_origins_of_web_pages_are_given_as_browsers_send_them(origin: str) -> None:
    assert load(f'[edge]\nbrowser_origins = ["{origin}"]').settings.edge.browser_origins == [origin]


@pytest.mark.parametrize(
    "origin",
    ["*", "null", "", "app.example.com", "https://", "https://*.example.com", "https://app.example.com/", "https://App.example.com",
     "https://app.example.com:443", "http://app.example.com:80", "https://me@app.example.com", "https://a.example https://b.example"],
)  # fmt: skip
def test_what_no_browser_would_send_as_an_origin_is_refused_when_it_is_read(origin: str) -> None:
    with pytest.raises(ConfigurationError, match=r"edge\.browser_origins"):
        load(f'[edge]\nbrowser_origins = ["{origin}"]')
