//! `flagship explain` without an instance: from what the clusters hold now.

use std::time::Duration;

use super::render::observe;
use crate::clock::{Clock, SystemClock};
use crate::explain::{self, Explanation};
use crate::mesh::MeshOptions;
use crate::options::ExplainOptions;
use crate::plan::Planner;

/// How long the first lists may take. A cluster that has not delivered them by then is a part of the answer.
const LISTS_WITHIN: Duration = Duration::from_secs(20);

/// Answers the question from one look at the clusters.
///
/// # Errors
/// When a setting is wrong or a cluster's source cannot be opened.
pub async fn explain(options: ExplainOptions) -> anyhow::Result<Explanation> {
    let mut planner = Planner::new(MeshOptions::new(options.mesh.clone())?);
    match tokio::time::timeout(LISTS_WITHIN, observe(&options.clusters, &options.mesh, &mut planner)).await {
        Ok(Ok(0)) => {}
        Ok(Ok(problems)) => tracing::warn!("{problems} inputs could not be read; the answer is made from the rest"),
        Ok(Err(error)) => return Err(error),
        Err(_) => tracing::warn!("not every cluster has delivered its first lists within {LISTS_WITHIN:?}"),
    }
    planner.plan(SystemClock.wall());
    Ok(explain::explain(&planner, &options.question))
}
