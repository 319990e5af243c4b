//! A server that speaks TLS and cannot show who it is.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::AsyncReadExt;
use tokio_rustls::TlsAcceptor;

use super::Server;

/// What is wrong with its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Certificate {
    Unknown,
    Expired,
    OtherHost,
}

impl Certificate {
    const fn der(self) -> &'static [u8] {
        match self {
            Self::Unknown => include_bytes!("certificates/unknown.der"),
            Self::Expired => include_bytes!("certificates/expired.der"),
            Self::OtherHost => include_bytes!("certificates/other.der"),
        }
    }
}

/// A server with this certificate, which would read whatever it is sent.
pub(crate) async fn server(certificate: Certificate) -> Server {
    let chain = vec![CertificateDer::from(certificate.der())];
    let key: &[u8] = include_bytes!("certificates/key.der");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key));
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    Server::accepting(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            let mut request = Vec::new();
            let read = stream.read_to_end(&mut request).await;
            assert!(
                read.is_err() || request.is_empty(),
                "a request with a key went to a server that nobody knows"
            );
        }
    })
    .await
}
