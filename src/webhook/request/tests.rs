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
        deliveries: 1,
        turn: Duration::from_secs(1),
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

/// What a server shows to prove that it is `name`, and whom to trust for that.
fn certificate(name: &str) -> (TlsAcceptor, RootCertStore) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([name.to_owned()]).expect("a name is all it needs");
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).expect("it was just made");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("it was just made");
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has these versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("the key is the certificate's");
    (TlsAcceptor::from(Arc::new(config)), roots)
}

/// Takes whatever is sent.
async fn serve(listener: &TcpListener, acceptor: TlsAcceptor) {
    loop {
        let (stream, _) = listener.accept().await.expect("it listens");
        let Ok(mut stream) = acceptor.accept(stream).await else { continue };
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
    }
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let port = listener.local_addr().expect("it listens").port();
    (listener, port)
}

#[tokio::test]
async fn a_host_must_prove_that_it_has_its_name() {
    let (listener, port) = listener().await;
    let (acceptor, roots) = certificate("localhost");
    let checks = async {
        let url = format!("https://localhost:{port}/");
        let trusting = Senders::new(&settings(true), roots).sender();
        assert_eq!(trusting.send(&url, message()).await, Ok(()));
        let refused = Err(Failed { kind: Kind::Tls, status: None });
        // By another name than the certificate's, and where nobody vouches for it.
        let by_address = url.replace("localhost", "127.0.0.1");
        assert_eq!(trusting.send(&by_address, message()).await, refused);
        let public = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        assert_eq!(
            Senders::new(&settings(true), public).sender().send(&url, message()).await,
            refused
        );
    };
    tokio::select! {
        () = serve(&listener, acceptor) => {}
        () = checks => {}
    }
}

#[tokio::test]
async fn who_never_ends_a_tls_handshake_is_given_up_like_who_never_answers() {
    let (_listener, port) = listener().await;
    let settings = WebhookSettings {
        connect_timeout: Duration::from_millis(100),
        timeout: Duration::from_mins(1),
        ..settings(true)
    };
    let sender = Senders::new(&settings, RootCertStore::empty()).sender();
    let url = format!("https://127.0.0.1:{port}/");
    let sent = timeout(Duration::from_secs(10), sender.send(&url, message())).await;
    assert_eq!(sent, Ok(Err(Failed { kind: Kind::Timeout, status: None })));
}

#[tokio::test]
async fn nothing_is_connected_to_that_is_not_public_however_it_is_called() {
    let (_listener, port) = listener().await;
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
