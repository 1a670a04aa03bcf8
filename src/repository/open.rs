//! Opening the store on either engine.

use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sea_orm::sqlx::ConnectOptions as _;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr, RuntimeErr};
use tokio::time::sleep;
use uuid::Uuid;

use super::connection::{
    ACQUIRE_TIMEOUT, BUSY_TIMEOUT, Coalescing, GroupCommit, InPlace, Location, Moment, Pool, Queue,
    Reader, STATEMENTS, Turn, Writer,
};
use super::news::Board;
use super::{Error, Read, Result, Write, migration};
use crate::clock::{Clock, Random};
use crate::model::{DatabaseUrl, Instant, Origin, UserId};

const POSTGRES_CONNECTIONS: usize = 16;
const SQLITE_READERS: usize = 4;

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Repository {
    reader: Reader,
    pub(super) writer: Writer,
    /// For the schema, which SeaORM looks at through a connection of its own.
    schema: DatabaseConnection,
    clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) origin: Origin,
    pub(super) board: Arc<Board>,
}

impl Repository {
    /// Connects, and makes the file of an SQLite database that is not there
    /// yet. The schema is left as it is; see [`Repository::migrate`].
    pub async fn open(
        url: &DatabaseUrl,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self> {
        let board = Arc::default();
        let (reader, writer, schema) = match url {
            DatabaseUrl::Postgres(url) => {
                let server = PgConnectOptions::from_str(url)
                    .map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))))?
                    .statement_cache_capacity(STATEMENTS);
                // One is open; should the database be gone without a word, sqlx waits long
                // for the one that a check has given up.
                let schema = connect(postgres(&server)).await?;
                let mut options = postgres(&server);
                // What was opened here would wake this runtime, see `Pool`.
                options.connect_lazy(true);
                let source = connect(options).await?.get_postgres_connection_pool().clone();
                let pool = Pool::new(source, POSTGRES_CONNECTIONS);
                let coalescing = Coalescing::new(Arc::clone(&pool));
                let reader = Reader::Postgres { pool: Arc::clone(&pool), coalescing };
                let group_commit =
                    GroupCommit::new(Arc::clone(&pool), Arc::clone(&clock), Arc::clone(&board));
                (reader, Writer::Postgres { pool, group_commit }, schema)
            }
            DatabaseUrl::SqliteMemory => open_sqlite(&Location::memory()).await?,
            DatabaseUrl::SqliteFile(path) => open_sqlite(&Location::file(path.clone())).await?,
        };
        Ok(Self { reader, writer, schema, clock, random, origin: Origin::Server, board })
    }

    /// The same store, whose changes are made by `origin` and say so.
    #[must_use]
    pub fn on_behalf_of(&self, origin: Origin) -> Self {
        Self { origin, ..self.clone() }
    }

    /// The same store, for whoever runs in the present runtime: what is asked often is
    /// asked together with those who ask there, so that no runtime waits for another.
    #[must_use]
    pub fn for_this_runtime(&self) -> Self {
        Self { reader: self.reader.for_this_runtime(), ..self.clone() }
    }

    /// Reads without a transaction.
    #[must_use]
    pub fn read(&self) -> Read {
        Read { connection: self.reader.clone() }
    }

    /// An id that nothing has yet, for a user or group that is named before it is
    /// made.
    #[must_use]
    pub fn new_id(&self) -> Uuid {
        UserId::new(self.now(), self.random.id_bytes()).as_uuid()
    }

    /// What time it is outside of any transaction.
    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Begins a transaction that may write, when it is its turn.
    pub async fn write(&self) -> Result<Write> {
        Ok(Write {
            transaction: self.writer.begin().await?,
            now: self.now(),
            random: Arc::clone(&self.random),
            origin: self.origin,
            recorded: Mutex::default(),
            board: Arc::clone(&self.board),
        })
    }

    /// Begins a transaction that sees one moment for as long as it is open, and
    /// only reads.
    pub(super) async fn begin_snapshot(&self) -> Result<(Moment, Option<Turn>)> {
        let pause = self.writer.pause().await?;
        Ok((self.reader.begin().await?, pause))
    }

    /// Brings the schema up to date. Replicas may all do so at the same time.
    pub async fn migrate(&self) -> Result<()> {
        migration::migrate(&self.schema).await
    }

    /// Whether the database answers and its schema is the one of this program.
    pub async fn check(&self) -> Result<()> {
        if migration::is_current(&self.schema).await? { Ok(()) } else { Err(Error::SchemaBehind) }
    }
}

async fn open_sqlite(location: &Location) -> Result<(Reader, Writer, DatabaseConnection)> {
    // What makes the file comes first: the others cannot, nor switch it to the
    // write-ahead log. There is one writer because SQLite has one; a queue before it is
    // fair, its lock is not.
    let schema = connect_first(&sqlite(1, location.options().create_if_missing(true))).await?;
    let writer = Queue::open(location)?;
    let readers = sqlite(SQLITE_READERS, location.options().read_only(true));
    let readers = connect(readers).await?;
    let reader = Reader::Sqlite {
        in_place: Arc::new(InPlace::new(location.clone())),
        pool: Pool::new(readers.get_sqlite_connection_pool().clone(), SQLITE_READERS),
    };
    Ok((reader, Writer::Sqlite(writer), schema))
}

async fn connect(mut options: ConnectOptions) -> Result<DatabaseConnection> {
    options.acquire_timeout(ACQUIRE_TIMEOUT);
    Ok(Database::connect(options).await?)
}

/// The first to open a file. Of two programs that switch a new one to the
/// write-ahead log at the same time SQLite refuses one at once, whatever the timeout.
async fn connect_first(options: &ConnectOptions) -> Result<DatabaseConnection> {
    let since = tokio::time::Instant::now();
    loop {
        match connect(options.clone()).await {
            Err(Error::Busy(_)) if since.elapsed() < BUSY_TIMEOUT => {
                sleep(Duration::from_millis(20)).await;
            }
            outcome => return outcome,
        }
    }
}

fn postgres(server: &PgConnectOptions) -> ConnectOptions {
    let server = server.clone();
    // SeaORM logs the URL that it is given, and quotes it in errors.
    let mut options = ConnectOptions::new("postgres:");
    options
        .max_connections(at_most(POSTGRES_CONNECTIONS))
        .test_before_acquire_if_idle_for(Duration::from_secs(30))
        .map_sqlx_postgres_opts(move |_| server.clone().disable_statement_logging());
    options
}

fn at_most(connections: usize) -> u32 {
    u32::try_from(connections).expect("a number of this file")
}

fn sqlite(connections: usize, file: SqliteConnectOptions) -> ConnectOptions {
    let mut options = ConnectOptions::new("sqlite:");
    options
        .max_connections(at_most(connections))
        // A connection to a file does not go stale, and one to memory must
        // never be closed.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .map_sqlx_sqlite_opts(move |_| {
            let file = file
                .clone()
                .busy_timeout(BUSY_TIMEOUT)
                .foreign_keys(true)
                .statement_cache_capacity(STATEMENTS);
            // FULL: an acknowledged change survives the loss of power.
            file.synchronous(SqliteSynchronous::Full).disable_statement_logging()
        });
    options
}
