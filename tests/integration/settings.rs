//! Flags, variables, the file and defaults: which wins, and what is said of a
//! value that cannot be used.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scimd::model::DatabaseUrl;
use scimd::settings::{Flags, LogFilter, LogFormat, Settings, UnknownMembers};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::harness::{Engine, TestDatabase, finished, scimd_alone};

/// One setting with a value for each place, none of which is its default.
struct Setting {
    name: &'static str,
    flag: Option<fn(&mut Flags) -> &mut Option<String>>,
    values: [&'static str; 3],
    /// How the value shows in the settings.
    read: fn(&Settings) -> String,
    default: &'static str,
    wrong: &'static str,
    right: &'static str,
}

const SETTINGS: [Setting; 17] = [
    Setting {
        name: "listen",
        flag: Some(|flags| &mut flags.listen),
        values: ["127.0.0.1:1", "[::1]:2", "0.0.0.0:3"],
        read: |settings| settings.listen.to_string(),
        default: "127.0.0.1:8080",
        wrong: "8080",
        right: "must be an IP address with a port such as 127.0.0.1:8080",
    },
    Setting {
        name: "threads",
        flag: None,
        values: ["1", "2", "64"],
        read: |settings| settings.threads.map_or_else(String::new, |threads| threads.to_string()),
        default: "",
        wrong: "0",
        right: "must be a whole number from 1, such as 4",
    },
    Setting {
        name: "database_url",
        flag: Some(|flags| &mut flags.database_url),
        values: ["sqlite:a.db", "sqlite::memory:", "postgres://db/scimd"],
        read: |settings| settings.database_url.to_string(),
        default: "sqlite:scimd.db",
        wrong: "mysql://user:secret@db/scimd",
        right: "must be `sqlite:FILE`, `sqlite::memory:` or `postgres://",
    },
    Setting {
        name: "public_url",
        flag: Some(|flags| &mut flags.public_url),
        values: ["http://a", "https://b:8443", "https://c/scim"],
        read: |settings| settings.public_url("192.0.2.1:80".parse().unwrap()).as_str().to_owned(),
        default: "http://192.0.2.1:80",
        wrong: "scim.example.com",
        right: "must be a URL such as https://scim.example.com, without query",
    },
    Setting {
        name: "log",
        flag: Some(|flags| &mut flags.log),
        values: ["debug", "scimd=debug,sqlx=warn", "off"],
        read: |settings| settings.log.to_filter().to_string(),
        default: "info",
        wrong: "verbose",
        right: "must be a level (error, warn, info, debug, trace) or a list such as scimd=debug",
    },
    Setting {
        name: "log_format",
        flag: Some(|flags| &mut flags.log_format),
        values: ["json", "json", "json"],
        read: |settings| match settings.log_format {
            LogFormat::Text => "text".to_owned(),
            LogFormat::Json => "json".to_owned(),
        },
        default: "text",
        wrong: "xml",
        right: "must be `text` or `json`",
    },
    Setting {
        name: "migrate",
        flag: None,
        values: ["false", "false", "false"],
        read: |settings| settings.migrate.to_string(),
        default: "true",
        wrong: "maybe",
        right: "must be true or false",
    },
    Setting {
        name: "shutdown_delay",
        flag: None,
        values: ["0s", "10s", "1m 30s"],
        read: |settings| humantime::format_duration(settings.shutdown_delay).to_string(),
        default: "5s",
        wrong: "soon",
        right: "must be a time span such as 10s",
    },
    Setting {
        name: "event_retention",
        flag: None,
        values: ["1d", "30d", "365d"],
        read: |settings| format!("{}d", settings.event_retention.as_secs() / 86_400),
        default: "90d",
        wrong: "always",
        right: "must be a time span such as 10s",
    },
    Setting {
        name: "cors_origins",
        flag: None,
        values: ["https://a.example", "https://b.example,http://localhost:3000", "http://[::1]:1"],
        read: |settings| {
            let origins: Vec<_> =
                settings.cors_origins.iter().map(|origin| origin.to_str().unwrap()).collect();
            origins.join(",")
        },
        default: "",
        wrong: "app.example.com",
        right: "must be origins such as https://app.example.com",
    },
    Setting {
        name: "scim_rate_limit",
        flag: None,
        values: ["1", "0", "4294967295"],
        read: |settings| settings.scim_rate_limit.to_string(),
        default: "200",
        wrong: "-1",
        right: "must be a whole number such as 200",
    },
    Setting {
        name: "scim_unknown_members",
        flag: None,
        values: ["ignore", "ignore", "ignore"],
        read: |settings| match settings.scim_unknown_members {
            UnknownMembers::Refuse => "refuse".to_owned(),
            UnknownMembers::Ignore => "ignore".to_owned(),
        },
        default: "refuse",
        wrong: "keep",
        right: "must be `refuse` or `ignore`",
    },
    Setting {
        name: "webhook_secret_key",
        flag: None,
        values: [
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        ],
        read: |settings| {
            let keys = settings.webhook_secret_key.iter().flat_map(|keys| keys.expose());
            keys.map(|key| STANDARD.encode(key)).collect::<Vec<_>>().join(", ")
        },
        default: "",
        wrong: "c2hvcnQ=",
        right: "must be 32 bytes in base64, such as `openssl rand -base64 32` makes",
    },
    Setting {
        name: "webhook_allow_http",
        flag: None,
        values: ["true", "true", "true"],
        read: |settings| settings.webhooks().policy.allow_http.to_string(),
        default: "false",
        wrong: "maybe",
        right: "must be true or false",
    },
    Setting {
        name: "webhook_allow_private",
        flag: None,
        values: ["true", "true", "true"],
        read: |settings| settings.webhooks().policy.allow_private.to_string(),
        default: "false",
        wrong: "maybe",
        right: "must be true or false",
    },
    Setting {
        name: "webhook_connect_timeout",
        flag: None,
        values: ["1s", "2s", "10s"],
        read: |settings| humantime::format_duration(settings.webhook_connect_timeout).to_string(),
        default: "5s",
        wrong: "soon",
        right: "must be a time span such as 10s",
    },
    Setting {
        name: "webhook_timeout",
        flag: None,
        values: ["1s", "20s", "30s"],
        read: |settings| humantime::format_duration(settings.webhook_timeout).to_string(),
        default: "15s",
        wrong: "soon",
        right: "must be a time span such as 10s",
    },
];

/// Settings from a file that holds `text`, and from these variables and flags.
fn read(text: &str, variables: &[(&str, &str)], flags: Flags) -> anyhow::Result<Settings> {
    let directory = TempDir::new().unwrap();
    let file = file(&directory, text);
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let variables = variables.iter().map(own).collect();
    Settings::from_sources(&Flags { config: Some(file), ..flags }, variables)
}

fn file(directory: &TempDir, text: &str) -> PathBuf {
    let file = directory.path().join("scimd.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// What is said of settings that cannot be used.
fn refused(settings: anyhow::Result<Settings>) -> String {
    format!("{:#}", settings.expect_err("they cannot be used"))
}

impl Setting {
    fn variable(&self) -> String {
        format!("SCIMD_{}", self.name.to_uppercase())
    }
}

#[test]
fn flags_win_over_variables_over_the_file_over_defaults() {
    for setting in SETTINGS {
        let [first, second, third] = setting.values;
        let (variable, line) = (setting.variable(), format!("{} = {third:?}", setting.name));
        let name = setting.name;
        let value = |settings: anyhow::Result<Settings>| (setting.read)(&settings.unwrap());

        assert_eq!(value(read("", &[], Flags::default())), setting.default, "{name}");
        assert_eq!(value(read(&line, &[], Flags::default())), third, "{name}");
        let variables = [(variable.as_str(), second)];
        assert_eq!(value(read(&line, &variables, Flags::default())), second, "{name}");
        if let Some(flag) = setting.flag {
            let mut flags = Flags::default();
            *flag(&mut flags) = Some(first.to_owned());
            assert_eq!(value(read(&line, &variables, flags)), first, "{name}");
        }
    }
}

#[test]
fn a_value_that_cannot_be_used_is_named_with_its_place_and_with_what_would_be_right() {
    for setting in SETTINGS {
        let line = format!("{} = {:?}", setting.name, setting.wrong);
        let said = refused(read(&line, &[], Flags::default()));
        assert!(said.starts_with(&format!("`{}` in /", setting.name)), "{said}");
        assert!(said.contains(&format!("/scimd.toml {}", setting.right)), "{said}");

        let variable = setting.variable();
        let said = refused(read("", &[(&variable, setting.wrong)], Flags::default()));
        assert!(said.starts_with(&format!("{variable} {}", setting.right)), "{said}");

        if let Some(flag) = setting.flag {
            let mut flags = Flags::default();
            *flag(&mut flags) = Some(setting.wrong.to_owned());
            let said = refused(read("", &[], flags));
            let flag = setting.name.replace('_', "-");
            assert!(said.starts_with(&format!("--{flag} {}", setting.right)), "{said}");
        }
    }
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_its_place() {
    for setting in SETTINGS {
        let said = refused(read(&format!("{} = 80.5", setting.name), &[], Flags::default()));
        assert!(said.starts_with(&format!("`{}` in /", setting.name)), "{said}");
        assert!(said.contains("/scimd.toml must be "), "{said}");
    }
}

#[test]
fn a_file_may_use_its_own_types_where_they_fit() {
    let text = "migrate = false\nscim_rate_limit = 25\n\
        cors_origins = ['https://a.example', 'https://b.example']";
    let settings = read(text, &[], Flags::default()).unwrap();
    assert!(!settings.migrate);
    assert_eq!(settings.scim_rate_limit, 25);
    assert_eq!(settings.cors_origins, ["https://a.example", "https://b.example"]);
}

#[test]
fn what_is_no_setting_is_named_with_what_there_is() {
    let names = SETTINGS.map(|setting| setting.name).join(", ");
    let said = refused(read("", &[("SCIMD_LISTENS", "127.0.0.1:1")], Flags::default()));
    assert_eq!(said, format!("SCIMD_LISTENS is no setting; settings are {names}"));
    let said = refused(read("port = 80", &[], Flags::default()));
    assert!(said.starts_with("`port` in /"), "{said}");
    assert!(said.ends_with(&format!("is no setting; settings are {names}")), "{said}");
}

#[test]
fn variables_of_other_programs_and_of_the_tests_are_no_settings() {
    let variables = [("LISTEN", "x"), ("SCIMD_TEST_POSTGRES_URL", "x"), ("PATH", "/bin")];
    read("", &variables, Flags::default()).unwrap();
}

#[test]
fn the_file_is_named_by_flag_or_variable_and_must_be_readable() {
    let directory = TempDir::new().unwrap();
    let file = file(&directory, "shutdown_delay = '1s'").display().to_string();
    let settings =
        Settings::from_sources(&Flags::default(), vec![("SCIMD_CONFIG".to_owned(), file)]).unwrap();
    assert_eq!(settings.shutdown_delay, Duration::from_secs(1));

    let missing = directory.path().join("missing.toml");
    let flags = Flags { config: Some(missing.clone()), ..Flags::default() };
    let said = refused(Settings::from_sources(&flags, Vec::new()));
    let expected = format!("the settings file {} cannot be read: ", missing.display());
    assert!(said.starts_with(&expected), "{said}");
}

#[test]
fn a_password_in_a_database_url_is_not_shown() {
    let settings = |url: &str| read("", &[("SCIMD_DATABASE_URL", url)], Flags::default());
    for url in [
        "postgres://user:hunter2@db/scimd",
        "postgres://user:sec@hunter2@db/scimd",
        "postgres://user:a?hunter2@db/scimd",
        "postgres://user:a#hunter2@db/scimd",
        "postgres://user:a/hunter2@db/scimd",
        "postgresql://db/scimd?user=user&password=hunter2",
    ] {
        let shown = format!("{:?}", settings(url).unwrap());
        assert!(shown.contains("postgres://") && !shown.contains("hunter2"), "{shown}");
        assert!(!shown.contains("user:"), "{shown}");
    }
    let unfinished = "listen = '127.0.0.1:1'\ndatabase_url = 'postgres://user:hunter2@db/scimd";
    for said in [
        refused(settings("mysql://user:hunter2@db/scimd")),
        refused(settings("postgres:user:hunter2@db")),
        refused(read(
            "",
            &[("SCIMD_DATABASE_URI", "postgres://user:hunter2@db")],
            Flags::default(),
        )),
        refused(read("database_url = ['postgres://user:hunter2@db']", &[], Flags::default())),
        refused(read("database_url = {url = 'postgres://u:hunter2@db'}", &[], Flags::default())),
        refused(read(unfinished, &[], Flags::default())),
    ] {
        assert!(!said.contains("hunter2"), "{said}");
    }
    let said = refused(read(unfinished, &[], Flags::default()));
    assert!(said.contains("/scimd.toml") && said.contains("line 2"), "{said}");
}

#[test]
fn a_filter_of_the_log_that_would_silence_everything_else_is_refused() {
    for wrong in ["inf", "scimd", "info,scimd", "[request]=debug", "[request{id=1}]", "scimd=loud"]
    {
        assert!(wrong.parse::<LogFilter>().is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn the_program_does_not_show_a_password_even_where_it_logs_everything() {
    // A server that hangs up at once.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    for url in [
        // The driver warns of the parameter, which it does not know.
        format!("postgres://user:hunter2@{address}/scimd?connect_timeout=3"),
        format!("postgres://{address}/scimd?user=user&password=hunter2"),
        "postgres://user:hunter2@127.0.0.1:port/scimd".to_owned(),
        "postgres://user:a?hunter2@127.0.0.1/scimd".to_owned(),
    ] {
        let mut migrate = scimd_alone(&["migrate"]);
        migrate.env("SCIMD_DATABASE_URL", url);
        let ended = finished(migrate).await;
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains("scimd: the database postgres://"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn nothing_starts_with_a_setting_that_cannot_be_used() {
    for setting in SETTINGS {
        let database = TestDatabase::create(Engine::Sqlite).await.unwrap();
        let mut serve = scimd_alone(&["serve"]);
        serve.env("SCIMD_DATABASE_URL", database.text()).env(setting.variable(), setting.wrong);
        let ended = finished(serve).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
        let said = format!("scimd: {} {}", setting.variable(), setting.right);
        assert!(ended.stderr.starts_with(&said), "{}", ended.stderr);
        let DatabaseUrl::SqliteFile(file) = &database.url else { unreachable!("it is SQLite") };
        assert!(!file.exists(), "{}", setting.name);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_variable_that_is_no_text_is_named_where_it_is_ours_and_ignored_where_not() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let latin_1 = OsStr::from_bytes(b"caf\xe9");
    let mut migrate = scimd_alone(&["migrate"]);
    migrate.env("SCIMD_DATABASE_URL", "sqlite::memory:").env("LANGUAGE", latin_1);
    finished(migrate).await.ok();
    let mut migrate = scimd_alone(&["migrate"]);
    migrate.env("SCIMD_DATABASE_URL", latin_1);
    let ended = finished(migrate).await;
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.stderr, "scimd: SCIMD_DATABASE_URL must be a text in UTF-8\n");
}
