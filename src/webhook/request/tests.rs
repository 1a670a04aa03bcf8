//! Who is connected to, and who is believed to be who they say.

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;

fn settings(allow_private: bool) -> WebhookSettings {
    WebhookSettings {
        keys: None,
        policy: WebhookPolicy { allow_http: true, allow_private },
        connect_timeout: Duration::from_secs(2),
        timeout: Duration::from_secs(3),
    }
}

fn message() -> Message {
    Message {
        id: "a_1".to_owned(),
        timestamp: 1,
        signatures: "v1,x".to_owned(),
        body: Bytes::from_static(b"{}"),
    }
}

/// A server that shows a certificate for `name`, and that certificate as the one
/// to trust.
async fn tls_server(name: &str) -> (u16, RootCertStore) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([name.to_owned()]).expect("a name is all it needs");
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).expect("it was just made");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has these versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![cert.der().clone()],
            PrivateKeyDer::try_from(signing_key.serialize_der()).expect("it was just made"),
        )
        .expect("the key is the certificate's");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let port = listener.local_addr().expect("it listens").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = vec![0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    });
    (port, roots)
}

#[tokio::test]
async fn a_host_must_prove_that_it_has_its_name() {
    let (port, roots) = tls_server("localhost").await;
    let url = format!("https://localhost:{port}/");
    let trusting = Sender::new(&settings(true), roots.clone());
    assert_eq!(trusting.send(&url, message()).await, Ok(()));
    let refused = Err(Failed { kind: Kind::Tls, status: None });
    // By another name than the certificate's, and by one that nobody vouches for.
    let by_address = url.replace("localhost", "127.0.0.1");
    assert_eq!(trusting.send(&by_address, message()).await, refused);
    let public = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    assert_eq!(Sender::new(&settings(true), public).send(&url, message()).await, refused);
}

#[tokio::test]
async fn nothing_is_connected_to_that_is_not_public_however_it_is_called() {
    let (port, _) = tls_server("localhost").await;
    let connect = async |host: &str, allow_private| {
        let connector = Connector { allow_private, timeout: Duration::from_secs(2) };
        let url = format!("http://{host}:{port}/").parse().expect("a URL");
        connector.connect(url).await
    };
    for host in ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "127.1"] {
        assert!(matches!(connect(host, false).await, Err(Unconnected::Address)), "{host}");
    }
    assert!(connect("localhost", true).await.is_ok());
}
