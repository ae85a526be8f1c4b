//! Clients: the SDK's usual configuration, with our own bounds on time and no retries.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;

/// Where a table is, and as whom it is used.
#[derive(Clone, Debug)]
pub struct Access {
    /// Region of the table; by default the SDK's own search.
    pub region: Option<String>,
    /// Role to assume on top of the SDK's own credentials.
    pub assume_role: Option<String>,
    /// Bound on one call, from connecting to the last byte.
    pub request_timeout: Duration,
    /// The name of the session with that role, for audit logs.
    pub session: &'static str,
}

/// A client of its own; shares nothing with others. Makes no request to a table.
pub async fn connect(access: &Access) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(access.request_timeout)
        .operation_timeout(access.request_timeout)
        .operation_attempt_timeout(access.request_timeout)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(https_client())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::disabled());
    if let Some(region) = &access.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let shared = loader.load().await;
    let shared = match &access.assume_role {
        Some(role) => with_role(shared, role, access.session).await,
        None => shared,
    };
    Client::new(&shared)
}

async fn with_role(shared: SdkConfig, role: &str, session: &str) -> SdkConfig {
    let provider =
        aws_config::sts::AssumeRoleProvider::builder(role).session_name(session).configure(&shared).build().await;
    shared
        .into_builder()
        .credentials_provider(aws_sdk_dynamodb::config::SharedCredentialsProvider::new(provider))
        .build()
}

fn https_client() -> aws_sdk_dynamodb::config::SharedHttpClient {
    use aws_smithy_http_client::tls;
    aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build_https()
}
