//! Connections to where they may go.
//!
//! Addresses are checked when a connection is made, behind the look-up of the
//! name: what a name stood for when its URL was entered says nothing of what it
//! stands for now.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};
use tower::{BoxError, Service};

use crate::model::is_public;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum Unconnected {
    /// The host has no address.
    #[error("the name has no address")]
    Name(#[source] Option<io::Error>),
    /// It has only such as nothing may be sent to.
    #[error("the addresses are not allowed")]
    Address,
    /// None of them answers in time.
    #[error("no answer in time")]
    Timeout,
    /// None of them takes the connection.
    #[error("no connection")]
    Refused(#[source] io::Error),
}

/// Looks up hosts and connects to them.
#[derive(Clone, Debug)]
pub struct Connector {
    /// Whether addresses are taken that are not of the public internet.
    pub allow_private: bool,
    /// Until a connection stands.
    pub timeout: Duration,
}

impl Connector {
    /// The same for `https` as well, which trusts `roots` alone.
    pub fn with_tls(self, roots: RootCertStore) -> TlsConnector {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has what these versions need")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let timeout = self.timeout;
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .wrap_connector(self);
        TlsConnector { connector, timeout }
    }

    /// Connects to the host of a URL.
    pub async fn connect(self, url: Uri) -> Result<TcpStream, Unconnected> {
        let end = Instant::now() + self.timeout;
        let addresses = timeout_at(end, self.addresses(&url)).await;
        connect_to_any(&addresses.unwrap_or(Err(Unconnected::Timeout))?, end).await
    }

    /// Where the host may be reached.
    async fn addresses(&self, url: &Uri) -> Result<Vec<SocketAddr>, Unconnected> {
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
        let default = if url.scheme_str() == Some("http") { 80 } else { 443 };
        let port = url.port_u16().unwrap_or(default);
        // An address is none to look up, but to check like any other.
        let found: Vec<_> = if let Ok(address) = host.parse::<IpAddr>() {
            vec![SocketAddr::new(address, port)]
        } else {
            let found = lookup_host((host, port)).await;
            found.map_err(|error| Unconnected::Name(Some(error)))?.collect()
        };
        if found.is_empty() {
            return Err(Unconnected::Name(None));
        }
        let allowed = |address: &SocketAddr| self.allow_private || is_public(address.ip());
        Ok(found.into_iter().filter(allowed).collect())
    }
}

/// Connects to the first of `addresses` that answers. Each has its part of the time
/// until `end`, so that a network that goes nowhere leaves some to another.
async fn connect_to_any(addresses: &[SocketAddr], end: Instant) -> Result<TcpStream, Unconnected> {
    let mut failure = Unconnected::Address;
    for (left, address) in
        (1..=u32::try_from(addresses.len()).unwrap_or(u32::MAX)).rev().zip(addresses)
    {
        let part = end.saturating_duration_since(Instant::now()) / left;
        match timeout(part, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // A request is sent whole: to wait would only delay it.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => failure = Unconnected::Refused(error),
            Err(_elapsed) => failure = Unconnected::Timeout,
        }
    }
    Err(failure)
}

/// A [`Connector`] for `https` as well. It has no more time: hyper finishes a
/// connection that it has begun, also where nobody waits for it any longer.
#[derive(Clone)]
pub struct TlsConnector {
    connector: HttpsConnector<Connector>,
    timeout: Duration,
}

impl Service<Uri> for TlsConnector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let connected = timeout(self.timeout, self.connector.call(url));
        Box::pin(async move { connected.await.unwrap_or(Err(Unconnected::Timeout.into())) })
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = Unconnected;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Unconnected>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unconnected>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(url).await.map(TokioIo::new) })
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpSocket;

    use super::*;

    #[tokio::test]
    async fn an_address_that_does_not_answer_leaves_time_for_the_next_one() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        // Who waits to be accepted fills it up: it answers nobody else.
        let silent = TcpSocket::new_v4().unwrap();
        silent.bind(any).unwrap();
        let silent = silent.listen(1).unwrap();
        let silent = silent.local_addr().map(|address| (silent, address)).unwrap();
        let mut waiting = Vec::new();
        while let Ok(connected) =
            timeout(Duration::from_millis(200), TcpStream::connect(silent.1)).await
        {
            waiting.push(connected.unwrap());
        }
        let good = tokio::net::TcpListener::bind(any).await.unwrap();
        let addresses = [silent.1, good.local_addr().unwrap()];
        let end = Instant::now() + Duration::from_secs(1);
        let connected = connect_to_any(&addresses, end).await.unwrap();
        assert_eq!(connected.peer_addr().unwrap(), addresses[1]);
    }
}
