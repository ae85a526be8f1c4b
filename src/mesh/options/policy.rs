//! Settings of traffic policies (reconcile-spec 3.4, 3.5).

use serde::Serialize;

use super::{OptionError, check_key, refuse};

/// How policies are found and what applies without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicySettings {
    /// `--admiral_crd_identity_label`: names the identity of a policy.
    pub crd_identity_label: String,
    /// `--priority_key`: label of a GlobalTrafficPolicy; the highest number wins.
    pub priority_key: String,
    /// `--enable_active_passive`: without a policy the first region stays primary.
    pub active_passive: bool,
    /// `--enable_client_connection_config_processing`.
    pub client_connection_config: bool,
    /// `--prevent_split_brain`: a newly preferred region is written first.
    pub prevent_split_brain: bool,
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self {
            crd_identity_label: "identity".into(),
            priority_key: "priority".into(),
            active_passive: false,
            client_connection_config: false,
            prevent_split_brain: true,
        }
    }
}

impl PolicySettings {
    /// # Errors
    /// Names the first flag whose value cannot work.
    pub(super) fn check(&self) -> Result<(), OptionError> {
        for (flag, key) in
            [("admiral-crd-identity-label", &self.crd_identity_label), ("priority-key", &self.priority_key)]
        {
            refuse(flag, key, check_key(key), "give the key of a label")?;
        }
        Ok(())
    }
}
