//! `scimd api-key`.

use std::io::{self, Write as _};
use std::time::Duration;

use anyhow::bail;
use clap::{ArgGroup, Args, Subcommand};

use super::ready;
use crate::clock::SystemRandom;
use crate::model::{ApiKey, ApiKeyId, NewApiKey, OrganizationId, Role, Scope};
use crate::settings::Settings;
use crate::token::{Kind, PlainToken};

#[derive(Subcommand)]
pub enum Command {
    /// Make a key and print it, this one time, on standard output
    Create(Create),
    /// List the keys, without their secrets
    List(List),
    /// End a key at once
    Revoke(Revoke),
}

#[derive(Args)]
#[command(group = ArgGroup::new("scope").required(true))]
pub struct Create {
    /// The organization that the key acts for
    #[arg(long, group = "scope", value_name = "UUID")]
    organization: Option<OrganizationId>,
    /// Act for every organization
    #[arg(long, group = "scope")]
    platform: bool,
    /// `admin` reads and writes, `viewer` reads
    #[arg(long, default_value = "admin")]
    role: Role,
    /// What the key is for
    #[arg(long, default_value = "")]
    name: String,
    /// How long the key is valid, such as 90d; without it, until it is revoked
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    expires_in: Option<Duration>,
}

#[derive(Args)]
pub struct List {
    /// Only keys of this organization
    #[arg(long, value_name = "UUID")]
    organization: Option<OrganizationId>,
}

#[derive(Args)]
pub struct Revoke {
    /// The id that `api-key list` shows
    id: ApiKeyId,
}

pub async fn run(command: Command, settings: &Settings) -> anyhow::Result<()> {
    let repository = ready(settings).await?;
    match command {
        Command::Create(create) => {
            if create.name.contains('\0') {
                bail!("--name must not contain the character U+0000");
            }
            let token = PlainToken::mint(Kind::ApiKey, &SystemRandom);
            let tx = repository.write().await?;
            let new = NewApiKey {
                scope: create.organization.map_or(Scope::Platform, Scope::Organization),
                role: create.role,
                name: create.name,
                expires_at: create.expires_in.map(|span| tx.now().saturating_add(span)),
            };
            let key = tx.create_api_key(new, &token.hash()).await?;
            // Written before it is stored: a key that nobody saw must not exist.
            let mut stdout = io::stdout().lock();
            writeln!(stdout, "{}", token.expose())?;
            stdout.flush()?;
            drop(stdout);
            tx.commit().await?;
            eprintln!("key {} ({}, {})", key.id, scope(&key), key.role);
        }
        Command::List(list) => {
            let keys = repository.read().api_keys(list.organization).await?;
            let mut stdout = io::stdout().lock();
            writeln!(stdout, "{HEADINGS}")?;
            for key in &keys {
                writeln!(stdout, "{}", line(key))?;
            }
        }
        Command::Revoke(revoke) => {
            let tx = repository.write().await?;
            if !tx.revoke_api_key(revoke.id).await? {
                bail!("there is no API key {}", revoke.id);
            }
            tx.commit().await?;
            eprintln!("key {} is revoked", revoke.id);
        }
    }
    Ok(())
}

/// A key that is dead when it is made, or that outlives everybody, is a mistake.
fn lifetime(text: &str) -> Result<Duration, String> {
    let lifetime = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if lifetime.is_zero() || lifetime > MAX_LIFETIME {
        return Err("must be longer than 0s and at most 36500d".to_owned());
    }
    Ok(lifetime)
}

const MAX_LIFETIME: Duration = Duration::from_hours(36_500 * 24);

const HEADINGS: &str = "ID\tSCOPE\tROLE\tCREATED\tEXPIRES\tREVOKED\tNAME";

/// Columns between tabs, so that `cut` and a spreadsheet take them.
fn line(key: &ApiKey) -> String {
    let or_dash = |instant: Option<crate::model::Instant>| {
        instant.map_or_else(|| "-".to_owned(), |instant| instant.to_string())
    };
    let name = key.name.replace(char::is_control, " ");
    format!(
        "{}\t{}\t{}\t{}\t{}\t{}\t{name}",
        key.id,
        scope(key),
        key.role,
        key.created_at,
        or_dash(key.expires_at),
        or_dash(key.revoked_at),
    )
}

fn scope(key: &ApiKey) -> String {
    key.scope.organization().map_or_else(|| "platform".to_owned(), |id| id.to_string())
}
