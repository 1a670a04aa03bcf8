//! Makes directories of any size, fast, and as the server itself would have
//! made them: by hand is only what would take hours through the API.

pub mod postgres;
pub mod rows;
pub mod sqlite;

mod faithful;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub use self::faithful::check as check_faithful;
use self::rows::{Row, Table};
use crate::directory::Directory;
use crate::options::Engine;
use crate::postgres::{Postgres, database_of_run};
use crate::server::{Log, Server, create_key, home};
use crate::world::World;

/// Makes a copy of a directory, for one run: the directory itself is made only
/// the first time.
pub async fn world(
    engine: Engine,
    postgres: Option<&Postgres>,
    directory: &Directory,
    spares: u64,
) -> anyhow::Result<World> {
    let template = Template::new(engine, postgres, directory, spares)?;
    let world = match template.made().await? {
        Some(world) => world,
        None => template.make().await?,
    };
    template.copy(world).await
}

/// Removes such a copy.
pub async fn remove(world: &World, postgres: Option<&Postgres>) -> anyhow::Result<()> {
    match world.engine {
        Engine::Sqlite => remove_sqlite(&run_file(world.directory.users)),
        Engine::Postgres => {
            let name = database_of_run(world.directory.users);
            postgres.context("PostgreSQL runs")?.drop_database(&name).await
        }
    }
}

fn run_file(users: u64) -> PathBuf {
    home().join(format!("{}.db", database_of_run(users)))
}

/// A directory to be copied.
struct Template<'a> {
    engine: Engine,
    postgres: Option<&'a Postgres>,
    directory: &'a Directory,
    spares: u64,
    /// Tells apart what was made by another program or in another schema.
    name: String,
}

impl<'a> Template<'a> {
    fn new(
        engine: Engine,
        postgres: Option<&'a Postgres>,
        directory: &'a Directory,
        spares: u64,
    ) -> anyhow::Result<Self> {
        let mut hash = Sha256::new();
        hash.update(serde_json::to_vec(&(directory, spares))?);
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for source in
            ["benches/load/directory.rs", "benches/load/generate", "src/repository/migration"]
        {
            for file in files(&root.join(source))? {
                hash.update(fs::read(file)?);
            }
        }
        let digest = hash.finalize();
        let digest = digest.first_chunk().map_or(0, |first| u32::from_be_bytes(*first));
        let name = format!("bench_{}_{digest:08x}", directory.users);
        Ok(Self { engine, postgres, directory, spares, name })
    }

    fn file(&self) -> PathBuf {
        home().join(format!("{}.db", self.name))
    }

    fn postgres(&self) -> anyhow::Result<&'a Postgres> {
        self.postgres.context("PostgreSQL runs")
    }

    /// What is known of the directory, once it is there.
    fn note(&self) -> PathBuf {
        home().join(format!("{}.{}.json", self.name, self.engine.name()))
    }

    async fn made(&self) -> anyhow::Result<Option<World>> {
        let is_there = match self.engine {
            Engine::Sqlite => self.file().exists(),
            Engine::Postgres => self.postgres()?.has(&self.name).await?,
        };
        let Ok(note) = fs::read(self.note()) else { return Ok(None) };
        Ok(serde_json::from_slice(&note).ok().filter(|_| is_there))
    }

    async fn make(&self) -> anyhow::Result<World> {
        let begun = Instant::now();
        fs::create_dir_all(home())?;
        self.remove_outdated().await?;
        let url = match self.engine {
            Engine::Sqlite => {
                remove_sqlite(&self.file())?;
                sqlite_url(&self.file())
            }
            Engine::Postgres => {
                self.postgres()?.create(&self.name, "template0").await?;
                self.postgres()?.url(&self.name)
            }
        };
        let organization = Uuid::new_v4();
        let key = create_key(&url, organization).await?;
        let server = Server::start(&url, Log::Default).await?;
        let (configuration, token) = server.create_configuration(&key, organization).await?;
        let world = World {
            engine: self.engine,
            url,
            directory: self.directory.clone(),
            configuration,
            token,
            organization,
            key,
            spares: self.spares,
        };
        faithful::compare_rows(self, &world, &server).await?;
        server.stop().await?;
        match self.engine {
            Engine::Sqlite => sqlite::fill(&self.file(), &world)?,
            Engine::Postgres => postgres::fill(&world).await?,
        }
        fs::write(self.note(), serde_json::to_vec_pretty(&world)?)?;
        let users = self.directory.users;
        eprintln!(
            "made a directory of {users} on {} in {:.0?}",
            self.engine.title(),
            begun.elapsed()
        );
        Ok(world)
    }

    /// Removes directories of the same size that are not made any more.
    async fn remove_outdated(&self) -> anyhow::Result<()> {
        let prefix = format!("bench_{}_", self.directory.users);
        let suffix = format!(".{}.json", self.engine.name());
        for file in files(&home())? {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Some(name) = name.strip_suffix(&suffix) else { continue };
            if !name.starts_with(&prefix) {
                continue;
            }
            match self.engine {
                Engine::Sqlite => remove_sqlite(&home().join(format!("{name}.db")))?,
                Engine::Postgres => self.postgres()?.drop_database(name).await?,
            }
            fs::remove_file(file)?;
        }
        Ok(())
    }

    async fn copy(&self, world: World) -> anyhow::Result<World> {
        let users = self.directory.users;
        let url = match self.engine {
            Engine::Sqlite => {
                let file = run_file(users);
                remove_sqlite(&file)?;
                fs::copy(self.file(), &file)?;
                fs::File::open(&file)?.sync_all()?;
                sqlite_url(&file)
            }
            Engine::Postgres => {
                let postgres = self.postgres()?;
                let name = database_of_run(users);
                postgres.create(&name, &self.name).await?;
                postgres.checkpoint().await?;
                postgres.url(&name)
            }
        };
        Ok(World { url, ..world })
    }

    async fn tables(&self) -> anyhow::Result<Vec<String>> {
        match self.engine {
            Engine::Sqlite => sqlite::tables(&self.file()),
            Engine::Postgres => postgres::tables(&self.postgres()?.url(&self.name)).await,
        }
    }

    async fn columns(&self, table: &Table) -> anyhow::Result<Vec<String>> {
        match self.engine {
            Engine::Sqlite => sqlite::columns(&self.file(), table),
            Engine::Postgres => postgres::columns(&self.postgres()?.url(&self.name), table).await,
        }
    }

    async fn stored(
        &self,
        table: &Table,
        column: &str,
        id: Uuid,
        like: &Row,
    ) -> anyhow::Result<Vec<Row>> {
        match self.engine {
            Engine::Sqlite => sqlite::stored(&self.file(), table, column, id, like),
            Engine::Postgres => {
                let url = self.postgres()?.url(&self.name);
                postgres::stored(&url, table, column, id, like).await
            }
        }
    }
}

fn sqlite_url(file: &Path) -> String {
    format!("sqlite:{}", file.display())
}

/// The file that such a URL names.
pub fn sqlite_file(url: &str) -> &Path {
    Path::new(url.trim_start_matches("sqlite:"))
}

fn remove_sqlite(file: &Path) -> anyhow::Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let file = PathBuf::from(format!("{}{suffix}", file.display()));
        if file.exists() {
            fs::remove_file(file)?;
        }
    }
    Ok(())
}

/// A file, or those of a directory in order.
fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}
