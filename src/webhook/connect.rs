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
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpStream, lookup_host};
use tower::Service;

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
    pub fn with_tls(self, roots: RootCertStore) -> HttpsConnector<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has what these versions need")
            .with_root_certificates(roots)
            .with_no_client_auth();
        HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .wrap_connector(self)
    }

    /// Connects to the host of a URL.
    pub async fn connect(self, url: Uri) -> Result<TcpStream, Unconnected> {
        let connected = tokio::time::timeout(self.timeout, self.connect_to_any(&url)).await;
        connected.unwrap_or(Err(Unconnected::Timeout))
    }

    async fn connect_to_any(&self, url: &Uri) -> Result<TcpStream, Unconnected> {
        let mut failure = None;
        for address in self.addresses(url).await? {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // A request is sent whole: to wait would only delay it.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => failure = Some(Unconnected::Refused(error)),
            }
        }
        Err(failure.unwrap_or(Unconnected::Address))
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
