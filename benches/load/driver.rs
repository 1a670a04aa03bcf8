//! The load: connections that each send the next request when they have read
//! the last answer.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use axum::body::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::gauge::{Gauge, Span};
use crate::measure::{Cpu, Figures, Latencies};
use crate::operations::Operation;
use crate::requests::{Answer, Requests};
use crate::world::{Counters, Draw, World};

/// Of so many answers one is read closely.
const READ_CLOSELY: u64 = 64;

/// One connection.
pub enum Connection {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    pub async fn open(address: &str, is_http2: bool) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| address.to_owned())?;
        stream.set_nodelay(true)?;
        let io = TokioIo::new(stream);
        if is_http2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            tokio::spawn(connection);
            Ok(Self::Http2(sender))
        } else {
            let (sender, connection) = http1::handshake(io).await?;
            tokio::spawn(connection);
            Ok(Self::Http1(sender))
        }
    }

    /// Sends a request and reads all of the answer, which is kept only if wanted.
    pub async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
        keep: bool,
    ) -> anyhow::Result<Answer> {
        let response = match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let (parts, mut body) = response.into_parts();
        let (mut kept, mut trailers) = (Vec::new(), None);
        // An error is told in full.
        let keep = keep || !parts.status.is_success();
        while let Some(frame) = body.frame().await {
            match frame?.into_data() {
                Ok(data) if keep => kept.extend_from_slice(&data),
                Ok(_) => {}
                Err(frame) => trailers = frame.into_trailers().ok(),
            }
        }
        let (status, headers) = (parts.status, parts.headers);
        Ok(Answer { status, headers, body: kept.into(), trailers })
    }
}

/// Whom to load.
#[derive(Clone)]
pub struct Target {
    /// `127.0.0.1:8080`
    pub address: String,
    /// Whose CPU time is measured.
    pub process: u32,
    /// The database server, if it is another process.
    pub database: Option<u32>,
    /// Whether it answers always the same, whatever it is asked.
    pub is_constant: bool,
}

/// Loads `target` with one operation.
pub async fn run(
    target: &Target,
    world: &World,
    operation: &Operation,
    counters: &Arc<Counters>,
    seed: u64,
    span: &Span,
) -> anyhow::Result<Figures> {
    let gauge = Gauge::new(span);
    let requests = Arc::new(Requests::new(world, &target.address)?);
    let mut lanes = JoinSet::new();
    for lane in 0..operation.connections {
        let connection = Connection::open(&target.address, operation.protocol.is_http2()).await?;
        lanes.spawn(
            Lane {
                connection,
                operation: operation.clone(),
                world: world.clone(),
                requests: Arc::clone(&requests),
                is_constant: target.is_constant,
                draw: Draw::new(counters, seed, lane, operation.connections),
                gauge: Arc::clone(&gauge),
                latencies: Latencies::default(),
            }
            .run(),
        );
    }
    gauge.warm_up(span).await;
    let before = Cpu::of(target.process, target.database)?;
    let wall = gauge.measured(span).await;
    gauge.end();
    let after = Cpu::of(target.process, target.database)?;
    let mut latencies = Latencies::default();
    while let Some(lane) = lanes.join_next().await {
        latencies.merge(&lane??);
    }
    ensure!(latencies.len() > 0, "{}: nothing was answered in time", operation.name);
    Ok(Figures::new(&latencies, before, after, wall))
}

struct Lane {
    connection: Connection,
    operation: Operation,
    world: World,
    requests: Arc<Requests>,
    is_constant: bool,
    draw: Draw,
    gauge: Arc<Gauge>,
    latencies: Latencies,
}

impl Lane {
    async fn run(mut self) -> anyhow::Result<Latencies> {
        let mut sent = 0_u64;
        while self.gauge.go_on() {
            let mut subject = self.operation.subject(&self.world, &mut self.draw);
            for phase in 0..self.operation.phases() {
                self.operation.turn(&mut subject, phase);
                let request = self.requests.build(&self.operation, &subject);
                let closely = sent.is_multiple_of(READ_CLOSELY);
                let begun = Instant::now();
                let answer = self.connection.send(request, closely).await?;
                let took = begun.elapsed();
                self.operation.check_status(&answer)?;
                if closely && !self.is_constant {
                    self.operation.check_content(&subject, &answer)?;
                }
                if self.gauge.counts() {
                    self.latencies.add(took);
                }
                sent += 1;
            }
        }
        Ok(self.latencies)
    }
}

/// Sends one request of an operation in each of its phases, and reads the
/// answers closely.
pub async fn once(
    address: &str,
    world: &World,
    operation: &Operation,
    draw: &mut Draw,
    mut heard: impl FnMut(&Answer) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let requests = Requests::new(world, address)?;
    let mut connection = Connection::open(address, operation.protocol.is_http2()).await?;
    let mut subject = operation.subject(world, draw);
    for phase in 0..operation.phases() {
        operation.turn(&mut subject, phase);
        let answer = connection.send(requests.build(operation, &subject), true).await?;
        operation.check_status(&answer)?;
        operation.check_content(&subject, &answer)?;
        heard(&answer)?;
    }
    Ok(())
}
