//! Settings of generated ServiceEntries: who sees them, whom they trust, which gateway they name.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{OptionError, name, refuse};

/// Options of generated ServiceEntries and of the DestinationRules beside them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EntrySettings {
    /// `--enable_sw_aware_ns_caches`: objects are exported to client namespaces only (reconcile-spec W5).
    pub export_to_clients: bool,
    /// `--exportto_identity_list`: for these identities; `*` means for all.
    pub export_identities: BTreeSet<String>,
    /// `--exportto_max_namespaces`: beyond so many an object is exported to all.
    pub export_max_namespaces: u32,
    /// `--enable_san`: ServiceEntries carry subjectAltNames.
    pub subject_alt_names: bool,
    /// `--san_prefix`: the trust domain of subjectAltNames; may be empty.
    pub san_prefix: String,
    /// `--nlb_enabled_clusters`: here the gateway of `nlb_gateway_app` goes first (reconcile-spec 3.2.5).
    pub nlb_clusters: BTreeSet<String>,
    /// `--nlb_ingress_label`: label `app` of that gateway's Service.
    pub nlb_gateway_app: String,
}

impl Default for EntrySettings {
    fn default() -> Self {
        Self {
            export_to_clients: false,
            export_identities: BTreeSet::from(["*".to_owned()]),
            export_max_namespaces: 35,
            subject_alt_names: false,
            san_prefix: String::new(),
            nlb_clusters: BTreeSet::new(),
            nlb_gateway_app: "istio-ingressgateway-nlb".into(),
        }
    }
}

impl EntrySettings {
    /// # Errors
    /// Names the first flag whose value cannot work.
    pub(super) fn check(&self) -> Result<(), OptionError> {
        let sound = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        let prefix = match self.san_prefix.chars().find(|c| !sound(*c)) {
            Some(c) => Err(format!("no trust domain contains {c:?}")),
            None if self.san_prefix.starts_with('/') || self.san_prefix.ends_with('/') => {
                Err("it begins or ends with a slash".to_owned())
            }
            None => Ok(()),
        };
        refuse(
            "san-prefix",
            &self.san_prefix,
            prefix,
            "give a trust domain such as prod.example.com, without spiffe://",
        )?;
        let app = &self.nlb_gateway_app;
        refuse("nlb-ingress-label", app, name::check_label_value(app), "give the value of the label app of a Service")
    }
}
