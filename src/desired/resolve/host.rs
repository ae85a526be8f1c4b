//! The hosts of an identity and env, if Kubernetes and Istio accept them and the names that are made from them.

use crate::desired::{HostRole, names};
use crate::index::WorkloadRef;
use crate::mesh::{Condition, MeshOptions, Reason, name};

use super::condition;

/// The host of this role, spelt as the oldest workload asks; `None`, with a condition, if it cannot be used.
pub fn host(
    options: &MeshOptions,
    oldest: &WorkloadRef<'_>,
    role: HostRole,
    conditions: &mut Vec<Condition>,
) -> Option<String> {
    let (identity, env) = (&oldest.workload.identity, &oldest.workload.env);
    let dot = if role.prefix().is_empty() { "" } else { "." };
    // Before lower case, which could turn a foreign letter into an ASCII one.
    let host = format!("{}{dot}{env}.{identity}.{}", role.prefix(), options.hostname_suffix);
    let longest_name = names::rule(&host).len();
    let problem = if let Err(cause) = name::check_host(env).and_then(|()| name::check_label_value(env)) {
        Some(("env", env, cause))
    } else if let Err(cause) = name::check_host(&host) {
        Some(("identity", identity, format!("the host would not be valid: {cause}")))
    } else if longest_name > name::MAX_NAME {
        Some(("identity", identity, format!("object names would have {longest_name} characters, more than 253")))
    } else {
        None
    };
    let Some((field, value, cause)) = problem else {
        return Some(if oldest.workload.case_sensitive { host } else { host.to_lowercase() });
    };
    let message = format!(
        "{field} {} cannot be part of a host: {cause}; use letters, digits, '-' and '.', with labels of at most 63",
        name::shown(value)
    );
    conditions.push(condition(oldest, Reason::InvalidName, message));
    None
}
