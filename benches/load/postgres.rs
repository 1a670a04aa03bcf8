//! The benchmark's own PostgreSQL: an installed one, with a cluster that stays
//! in the target directory, and that runs for as long as this process lives.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::Context as _;

use crate::generate::postgres::connect;
use crate::server::home;

/// Serves the cluster until standard input ends, however that comes about.
const WATCHDOG: &str = r#"
set -eu
trap '' PIPE
programs=$1 home=$2 port=$3
as_owner() { "$@"; }
mkdir -p "$home"
if [ "$(id -u)" = 0 ]; then
    # PostgreSQL refuses to run as root.
    as_owner() { runuser -u postgres -- "$@"; }
    chown postgres "$home"
    # Its user need not reach a directory of root's.
    if ! as_owner test -w "$home"; then
        home=${TMPDIR:-/tmp}/scimd-bench-postgres
        mkdir -p "$home"
        chown postgres "$home"
    fi
fi
cd "$home"
finish() {
    status=$?
    set +e
    as_owner "$programs/pg_ctl" stop -D data -m fast >>log 2>&1
    [ $status = 0 ] || cat log >&2
}
trap finish EXIT
: >log
[ -e data/PG_VERSION ] ||
    as_owner "$programs/initdb" -D data -U postgres -A trust -E UTF8 --locale=C >>log 2>&1
# As much as PostgreSQL's manual advises.
buffers=$(awk '$1 == "MemTotal:" { printf "%dMB", $2 / 4 / 1024 }' /proc/meminfo)
as_owner "$programs/pg_ctl" start -w -t 300 -D data -l server.log -o \
    "-p $port -h 127.0.0.1 -k '' -N 100 -c shared_buffers=$buffers -c max_wal_size=8GB" >>log 2>&1
echo "ready $(head -n 1 data/postmaster.pid)"
cat >/dev/null
"#;

/// What is unlike the defaults, for the report.
pub const SETTINGS: &str = "shared_buffers a quarter of the memory, max_wal_size=8GB, fsync=on, \
     synchronous_commit=on";

/// The database that a run is about, with so many users. There may be two at a time.
pub fn database_of_run(users: u64) -> String {
    format!("bench_run_{users}")
}

/// A running PostgreSQL. Dropped, it is shut down.
pub struct Postgres {
    watchdog: Child,
    stdin: Option<ChildStdin>,
    port: u16,
    programs: PathBuf,
    /// The process that all others of it are children of.
    pub process: u32,
}

impl Postgres {
    pub fn start() -> anyhow::Result<Self> {
        let programs = installed().context("no PostgreSQL is installed")?;
        let home = home().join("postgres");
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "scimd-postgres"])
            .arg(&programs)
            .arg(&home)
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Out of reach of Ctrl-C, which would end it before it has ended
            // the server.
            .process_group(0)
            .spawn()?;
        let stdin = watchdog.stdin.take();
        let mut answer = String::new();
        let stdout = watchdog.stdout.take().context("it was asked for as a pipe")?;
        BufReader::new(stdout).read_line(&mut answer)?;
        let process = answer.strip_prefix("ready ");
        let process =
            process.with_context(|| format!("PostgreSQL in {} does not start", programs.display()));
        let process = process?.trim().parse()?;
        Ok(Self { watchdog, stdin, port, programs, process })
    }

    /// Where a database of this name is.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// A program of this PostgreSQL, if it is there.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        Some(self.programs.join(name)).filter(|path| path.is_file())
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes a database anew, as a copy of another or empty.
    pub async fn create(&self, database: &str, template: &str) -> anyhow::Result<()> {
        self.drop_database(database).await?;
        let sql = format!("CREATE DATABASE {database} TEMPLATE {template} STRATEGY file_copy");
        Ok(connect(&self.url("postgres")).await?.batch_execute(&sql).await?)
    }

    pub async fn has(&self, database: &str) -> anyhow::Result<bool> {
        let sql = "SELECT 1 FROM pg_database WHERE datname = $1";
        let found = connect(&self.url("postgres")).await?.query_opt(sql, &[&database]).await?;
        Ok(found.is_some())
    }

    pub async fn drop_database(&self, database: &str) -> anyhow::Result<()> {
        let sql = format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)");
        Ok(connect(&self.url("postgres")).await?.batch_execute(&sql).await?)
    }

    /// Gets what has happened so far out of the way.
    pub async fn checkpoint(&self) -> anyhow::Result<()> {
        Ok(connect(&self.url("postgres")).await?.batch_execute("CHECKPOINT").await?)
    }

    /// Reads a database into PostgreSQL's memory, where that of a server that has run for
    /// a while is.
    pub async fn warm(&self, database: &str) -> anyhow::Result<()> {
        const SQL: &str = "CREATE EXTENSION IF NOT EXISTS pg_prewarm; \
            SELECT pg_prewarm(oid) FROM pg_class \
            WHERE relkind IN ('r', 'i') AND relname LIKE 'scim\\_%'";
        let connection = connect(&self.url(database)).await?;
        connection.batch_execute(SQL).await.context("pg_prewarm, of PostgreSQL's contrib modules")
    }

    pub async fn version(&self) -> anyhow::Result<String> {
        let row = connect(&self.url("postgres")).await?;
        Ok(row.query_one("SHOW server_version", &[]).await?.get(0))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// The directory with the programs of an installed server, the newest.
fn installed() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<_> =
        versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).collect();
    versions.sort_unstable();
    let packaged = versions
        .into_iter()
        .rev()
        .map(|version| Path::new("/usr/lib/postgresql").join(version.to_string()).join("bin"));
    let configured = Command::new("pg_config").arg("--bindir").output().ok();
    let configured =
        configured.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    packaged.chain(configured).find(|directory| {
        ["initdb", "pg_ctl", "postgres"].iter().all(|program| directory.join(program).is_file())
    })
}
