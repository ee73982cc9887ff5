//! Asking servers, over HTTP and HTTPS.

use rustls::crypto::ring;
use std::sync::Arc;
use std::time::Duration;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

/// A server that takes longer to answer the call is not there.
const CONNECT: Duration = Duration::from_secs(10);

/// Who asks. Servers are believed by the certificates that this machine believes.
///
/// `answer` is how long the beginning of an answer may take, `all` how long everything from the call on.
pub(crate) fn agent(answer: Duration, all: Duration) -> Agent {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(answer))
        .timeout_global(Some(all))
        .user_agent(concat!("gopsy/", env!("CARGO_PKG_VERSION")));
    config.build().into()
}
