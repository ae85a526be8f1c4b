//! Connections: from a source or a secret's kubeconfig to a [`Target`].
//!
//! Invariant: every client has the lock around it, retries nothing by itself (a retried write would be a
//! second write) and belongs to one cluster, so that a slow cluster fills no queue of another.

use std::path::Path;
use std::time::Duration;

use http::{Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tower::{BoxError, Layer, Service};

use super::folder::FolderTarget;
use super::kubeconfig::{UntrustedError, parse_untrusted};
use super::lock::LockLayer;
use super::source::ClusterSource;
use super::target::{KubeTarget, Target};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a response may pause. Longer than a watch call (see [`super::watch`]), whose end the server sends.
const READ_TIMEOUT: Duration = Duration::from_secs(45);
/// How long sending may stall.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A kubeconfig named by a flag cannot be used.
    #[error("{source_name}: {cause}; check the file and its context")]
    Kubeconfig {
        /// The flag's value.
        source_name: String,
        /// What is wrong.
        cause: String,
    },
    /// Neither in a cluster nor a kubeconfig.
    #[error("kube: not in a cluster ({in_cluster}) and no kubeconfig ({kubeconfig}); set KUBECONFIG or name a source")]
    NoDefault {
        /// Why the process is not in a cluster.
        in_cluster: String,
        /// Why there is no default kubeconfig.
        kubeconfig: String,
    },
    /// A kubeconfig from a secret.
    #[error("the kubeconfig cannot be used: {0}")]
    Untrusted(#[from] UntrustedError),
    /// A folder that cannot be read.
    #[error("folder:{path}: {cause}; name an existing directory that this process may read")]
    Folder {
        /// The directory.
        path: String,
        /// What is wrong.
        cause: String,
    },
    /// Certificates, keys or URL cannot be used.
    #[error("no client can be made: {cause}; check server, certificates and keys")]
    Client {
        /// What is wrong.
        cause: String,
    },
}

/// Opens a source named by a flag. Connects lazily: an unreachable API server is not an error here.
///
/// # Errors
/// When the source's files are missing or not usable.
pub async fn open(source: &ClusterSource) -> Result<Target, ConnectError> {
    let named = |cause: String| ConnectError::Kubeconfig { source_name: source.to_string(), cause };
    let config = match source {
        ClusterSource::Folder { path } => return Ok(Target::Folder(FolderTarget::open(path).await?)),
        ClusterSource::Kube => default_config().await?,
        ClusterSource::Kubeconfig { path, context } => {
            let kubeconfig = read_file(path.clone()).await.map_err(named)?;
            let options = KubeConfigOptions { context: context.clone(), ..KubeConfigOptions::default() };
            Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|e| named(e.to_string()))?
        }
    };
    locked(config).await.map(Target::Kube)
}

/// Opens the cluster of a kubeconfig that comes from a secret, as untrusted input.
///
/// # Errors
/// Names the field that is missing, broken or not allowed; never a value.
pub async fn open_untrusted(kubeconfig: &[u8]) -> Result<Target, ConnectError> {
    let kubeconfig = parse_untrusted(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    locked(config.map_err(|e| ConnectError::Client { cause: e.to_string() })?).await.map(Target::Kube)
}

/// A client of its own for `config`, with the lock around it.
///
/// # Errors
/// When certificates or keys cannot be used.
pub async fn locked(mut config: Config) -> Result<KubeTarget, ConnectError> {
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.write_timeout = Some(WRITE_TIMEOUT);
    config.reset_reader_on_write = true;
    config.default_retry = false;
    let server = config.cluster_url.to_string();
    // Building may run a trusted kubeconfig's exec plugin, which blocks.
    let build = move || {
        let builder = ClientBuilder::try_from(config)?;
        Ok::<_, kube::Error>(builder.with_layer(&LockLayer).build())
    };
    let client = tokio::task::spawn_blocking(build).await.map_err(|e| ConnectError::Client { cause: e.to_string() })?;
    let client = client.map_err(|e| ConnectError::Client { cause: e.to_string() })?;
    Ok(KubeTarget::new(client, server.trim_end_matches('/')))
}

/// The same over a transport of the caller's own, such as a cluster in memory. What it does with a request that the lock
/// let through is up to it; the lock is around it in any case.
pub fn locked_service<S>(service: S, server: &str) -> KubeTarget
where
    S: Service<Request<Body>, Response = Response<Body>, Error = BoxError> + Send + 'static,
    S::Future: Send + 'static,
{
    KubeTarget::new(Client::new(LockLayer.layer(service), "default"), server)
}

async fn default_config() -> Result<Config, ConnectError> {
    let in_cluster = match Config::incluster() {
        Ok(config) => return Ok(config),
        Err(error) => error.to_string(),
    };
    Config::from_kubeconfig(&KubeConfigOptions::default())
        .await
        .map_err(|error| ConnectError::NoDefault { in_cluster, kubeconfig: error.to_string() })
}

async fn read_file(path: impl AsRef<Path> + Send + 'static) -> Result<Kubeconfig, String> {
    let read = tokio::task::spawn_blocking(move || Kubeconfig::read_from(path)).await;
    read.map_err(|e| e.to_string())?.map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_kubeconfig_names_its_flag() {
        let source = "kubeconfig:/nonexistent/k#east".parse().unwrap();
        let error = open(&source).await.unwrap_err().to_string();
        assert!(error.contains("kubeconfig:/nonexistent/k#east"), "{error}");
    }
}
