//! A PostgreSQL for the test run: the server that `SCIMD_TEST_POSTGRES_URL`
//! names, or else a throw-away cluster of an installed PostgreSQL, one for the
//! whole test process. What stays out: everything that is in the databases.
//!
//! Only plain data is shared between tests, never a connection: each test has
//! a tokio runtime of its own, and a connection dies with the one it began in.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use reqwest::Url;
use sea_orm::{ConnectionTrait, DbErr};
use uuid::Uuid;

/// Why there is no database to be had; the test is then to be skipped.
///
/// A PostgreSQL that is there and does not work is a failure, not a reason to
/// skip: it panics.
#[derive(Clone, Copy, Debug)]
pub struct Unavailable(pub &'static str);

/// An empty database of one test's own, dropped with this value. Connections
/// that are still open then are cut.
#[derive(Debug)]
pub struct Database {
    /// Where to connect.
    pub url: String,
    name: String,
}

/// Creates a database on the server of this test process, starting that first
/// where it is the first caller.
pub async fn database() -> Result<Database, Unavailable> {
    let server = tokio::task::spawn_blocking(server)
        .await
        .expect("the PostgreSQL of the test run starts")?;
    let name = format!("scimd_test_{}", Uuid::new_v4().simple());
    // Nobody can be connected to template0, which is what makes it copyable
    // by many tests at once.
    server
        .execute(&format!("CREATE DATABASE {name} TEMPLATE template0"))
        .await
        .expect("the server of the test run lets us create a database");
    let mut url = server.url.clone();
    url.set_path(&name);
    Ok(Database { url: url.into(), name })
}

impl Drop for Database {
    /// Best effort: a test that failed for another reason must not be hidden
    /// behind a panic in here.
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let (Ok(runtime), Ok(server)) = (runtime, server()) {
                let _ = runtime.block_on(server.execute(&statement));
            }
        });
        let _ = dropping.join();
    }
}

/// The one server of this test process.
struct Server {
    /// A database that is always there, to create others from.
    url: Url,
    /// Holds the write end of the watchdog's pipe, which the kernel closes
    /// with this process, however it ends.
    _watchdog: Option<Child>,
}

impl Server {
    async fn execute(&self, statement: &str) -> Result<(), DbErr> {
        let connection = sea_orm::Database::connect(self.url.as_str()).await?;
        let result = connection.execute_unprepared(statement).await;
        connection.close().await?;
        result.map(drop)
    }
}

#[expect(clippy::disallowed_methods, reason = "a setting of the test run, not of the program")]
fn server() -> Result<&'static Server, Unavailable> {
    static SERVER: OnceLock<Result<Server, Unavailable>> = OnceLock::new();
    let start = || match env::var("SCIMD_TEST_POSTGRES_URL") {
        Ok(url) => {
            let url = Url::parse(&url).expect("SCIMD_TEST_POSTGRES_URL is a URL");
            Ok(Server { url, _watchdog: None })
        }
        Err(_) => {
            installed().map(|programs| cluster(&programs)).ok_or(Unavailable("no postgresql"))
        }
    };
    SERVER.get_or_init(start).as_ref().map_err(|unavailable| *unavailable)
}

/// Makes a cluster, serves it until standard input ends, and removes it.
///
/// It runs all three steps itself, so that no moment exists in which the death
/// of the test process leaves something behind.
const WATCHDOG: &str = r#"
set -eu
# Nobody may be left to read what we write; that must not end us uncleaned.
trap '' PIPE
programs=$1 port=$2
home=$(mktemp -d "$3/scimd-postgres-XXXXXX")
cd "$home"
as_owner() { "$@"; }
if [ "$(id -u)" = 0 ]; then
    # PostgreSQL refuses to run as root.
    chown postgres "$home"
    as_owner() { runuser -u postgres -- "$@"; }
fi
finish() {
    status=$?
    set +e
    as_owner "$programs/pg_ctl" stop -D data -m immediate >>log 2>&1
    [ $status = 0 ] || cat log >&2
    cd /
    rm -rf "$home"
}
trap finish EXIT
as_owner "$programs/initdb" -D data -U postgres -A trust -E UTF8 --locale=C --no-sync >>log 2>&1
as_owner "$programs/pg_ctl" start -w -D data -l server.log -o "-p $port -h 127.0.0.1 -k '' -F -N 400" >>log 2>&1 ||
    { cat server.log >>log; exit 1; }
echo ready
cat >/dev/null
"#;

fn cluster(programs: &Path) -> Server {
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("the loopback interface has a free port")
        .port();
    let mut watchdog = Command::new("sh")
        .args(["-c", WATCHDOG, "scimd-postgres"])
        .arg(programs)
        .arg(port.to_string())
        // Not the target directory: user postgres may not reach that.
        .arg(env::temp_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Out of reach of the terminal's Ctrl-C, which would end it before it
        // has cleaned up.
        .process_group(0)
        .spawn()
        .expect("every Unix has sh");
    let mut answer = String::new();
    BufReader::new(watchdog.stdout.take().expect("it was asked for as a pipe"))
        .read_line(&mut answer)
        .expect("the watchdog writes UTF-8");
    assert_eq!(answer, "ready\n", "PostgreSQL in {} starts", programs.display());
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    Server { url: Url::parse(&url).expect("a literal with a number"), _watchdog: Some(watchdog) }
}

/// The directory with the programs of an installed PostgreSQL server.
fn installed() -> Option<PathBuf> {
    let configured = Command::new("pg_config")
        .arg("--bindir")
        .output()
        .ok()
        .map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let path = env::var_os("PATH").unwrap_or_default();
    configured
        .into_iter()
        .chain(env::split_paths(&path))
        .chain(versions("/usr/lib/postgresql", ""))
        .chain(versions("/usr", "pgsql-"))
        .chain(versions("/opt/homebrew/opt", "postgresql@"))
        .chain(versions("/usr/local/opt", "postgresql@"))
        .chain(["/Applications/Postgres.app/Contents/Versions/latest/bin".into()])
        .find(|directory| {
            ["initdb", "pg_ctl", "postgres"].iter().all(|program| directory.join(program).is_file())
        })
}

/// The directories `<parent>/<prefix><number>/bin`, highest number first.
fn versions(parent: &str, prefix: &str) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, directory)| directory).collect()
}
