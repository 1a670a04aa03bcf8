//! Published clients against the real server, on both engines: each runs the scenario of `tests/clients` to its end.

use std::path::PathBuf;

use crate::clients::{self, Skip};
use crate::harness::{self, Engine, TestServer};

/// What to run of a client that is installed.
struct Program {
    command: PathBuf,
    arguments: Vec<PathBuf>,
    environment: Vec<(String, String)>,
}

impl Program {
    fn new(command: impl Into<PathBuf>, arguments: impl Into<Vec<PathBuf>>) -> Self {
        Self { command: command.into(), arguments: arguments.into(), environment: Vec::new() }
    }

    fn python(interpreter: PathBuf, name: &str) -> Self {
        Self::new(interpreter, [clients::programs().join(name).join("main.py")])
    }
}

async fn passes(engine: Engine, program: Result<Program, Skip>) {
    let program = match program {
        Ok(program) => program,
        Err(reason) => return harness::skip(&reason.to_string()),
    };
    // The programs want to see time move.
    let Some(server) = TestServer::start_in_real_time(engine).await else { return };
    let mut environment = server.client_environment().await;
    environment.extend(program.environment);
    clients::run(&program.command, &program.arguments, environment).await;
}

fn python_connect() -> Result<Program, Skip> {
    Ok(Program::python(clients::python_sdk_1()?, "python_connect"))
}

fn python_rest() -> Result<Program, Skip> {
    Ok(Program::python(clients::python_sdk_0()?, "python_rest"))
}

fn python_grpc() -> Result<Program, Skip> {
    Ok(Program::python(clients::python_grpc()?, "python_grpc"))
}

fn node() -> Result<Program, Skip> {
    Ok(Program::new("node", [clients::node()?.join("main.mjs")]))
}

fn go() -> Result<Program, Skip> {
    Ok(Program::new(clients::go()?, []))
}

fn buf() -> Result<Program, Skip> {
    let buf = clients::buf()?.to_string_lossy().into_owned();
    let mut program = Program::python(clients::plain_python()?, "buf");
    program.environment.push(("SCIMD_BUF".to_owned(), buf));
    Ok(program)
}

macro_rules! on_both_engines {
    ($($client:ident: $program:path;)*) => {$(
        mod $client {
            use super::{Engine, passes};

            #[tokio::test]
            async fn passes_the_scenario_on_sqlite() {
                passes(Engine::Sqlite, $program()).await;
            }

            #[tokio::test]
            async fn passes_the_scenario_on_postgres() {
                passes(Engine::Postgres, $program()).await;
            }
        }
    )*};
}

on_both_engines! {
    gitpod_sdk_1_2_for_python: super::python_connect;
    gitpod_sdk_0_11_for_python: super::python_rest;
    connect_go: super::go;
    grpcio: super::python_grpc;
    connect_node: super::node;
    buf_curl: super::buf;
}
