//! Which clusters.

use anyhow::Context;
use clap::Args;

use crate::cli::parse;
use crate::cluster::source::{ClusterSource, NamedSource, check_unique};
use crate::options::ClusterOptions;

/// Which clusters.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Clusters")]
pub struct ClusterArgs {
    /// Where Dependency records and cluster secrets are: kube (the cluster that this runs in),
    /// kubeconfig:PATH[#CONTEXT] or folder:PATH.
    #[arg(long, env = "FLAGSHIP_CONTROL", value_name = "SOURCE", default_value = "kube")]
    pub control: ClusterSource,
    /// Admiral's way to name the control cluster; empty means kube.
    #[arg(long, alias = "kube_config", value_name = "PATH", hide = true)]
    pub kube_config: Option<String>,
    /// A cluster of the mesh: NAME=kubeconfig:PATH[#CONTEXT] or NAME=folder:PATH. Repeat it, or separate several
    /// by commas. Clusters are also found by secrets in the control cluster.
    #[arg(long = "cluster", env = "FLAGSHIP_CLUSTER", value_name = "NAME=SOURCE", value_delimiter = ',')]
    pub clusters: Vec<NamedSource>,
    /// The namespace of cluster secrets, in the control cluster.
    #[arg(long, env = "FLAGSHIP_SECRET_NAMESPACE", alias = "secret_namespace", value_name = "NAMESPACE")]
    #[arg(default_value = "admiral", value_parser = parse::name)]
    pub secret_namespace: String,
    /// The label, with the value "true", of cluster secrets.
    #[arg(long, env = "FLAGSHIP_SECRET_LABEL", aliases = ["secret-filter-tags", "secret_filter_tags"])]
    #[arg(value_name = "KEY", default_value = "admiral/sync", value_parser = parse::name)]
    pub secret_label: String,
}

impl ClusterArgs {
    /// The options, once their names are known to differ.
    pub fn resolve(self) -> anyhow::Result<ClusterOptions> {
        check_unique(&self.clusters)?;
        let control = match self.kube_config.as_deref() {
            None | Some("") => self.control,
            Some(path) if self.control == ClusterSource::Kube => format!("kubeconfig:{path}")
                .parse()
                .with_context(|| format!("--kube_config {path:?}; write the path of a kubeconfig file"))?,
            Some(path) => anyhow::bail!(
                "--kube_config {path:?} and --control {} both name the control cluster; keep --control",
                self.control
            ),
        };
        Ok(ClusterOptions {
            control,
            named: self.clusters,
            secret_namespace: self.secret_namespace,
            secret_label: self.secret_label,
        })
    }
}
