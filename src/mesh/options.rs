//! The settings of the mesh pipeline, under Admiral's names and with Admiral's defaults.
//!
//! Invariant: a [`MeshOptions`] has passed every check; nothing behind it checks a setting again.

mod entry;
mod extension;
mod policy;
mod routing;
mod workload;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::ops::Deref;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{Kind, name};
pub use entry::EntrySettings;
pub use extension::ExtensionSettings;
pub use policy::PolicySettings;
pub use routing::RoutingSettings;
pub use workload::WorkloadSettings;

/// What the flags say, unchecked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MeshSettings {
    /// `--sync_namespace`: where generated objects live.
    pub sync_namespace: String,
    /// `--dependency_namespace`: where Dependency records live, in the control cluster.
    pub dependency_namespace: String,
    /// `--hostname_suffix`.
    pub hostname_suffix: String,
    /// `--workload_identity_key`: label, else annotation, of the pod template.
    pub workload_identity_key: String,
    /// `--env_key`.
    pub env_key: String,
    /// `--gateway_app`: label `app` of the gateway Service.
    pub gateway_app: String,
    /// The namespace of the gateway Service.
    pub gateway_namespace: String,
    /// `--deployment_annotation`: must be `"true"` on the pod template.
    pub deployment_annotation: String,
    /// `--admiral_ignore_label`: label of the pod template.
    pub admiral_ignore_label: String,
    /// `--se_ip_prefix`: the first two octets of generated addresses.
    pub se_ip_prefix: String,
    /// `--disable_ip_generation`: new hosts get no address.
    pub disable_ip_generation: bool,
    /// `--enable_absolute_fqdn`: a dot ends gateway host names.
    pub enable_absolute_fqdn: bool,
    /// `--enable_absolute_fqdn_for_local_endpoints`: with the former, a dot ends local host names too.
    pub enable_absolute_fqdn_for_local_endpoints: bool,
    /// `--default_warmup_duration_in_seconds`.
    #[serde(serialize_with = "as_text")]
    pub default_warmup_duration: Duration,
    /// `--max_requests_per_connection`.
    pub max_requests_per_connection: u32,
    /// `--disable_default_automatic_failover`.
    pub disable_default_automatic_failover: bool,
    /// `--excluded_identity_list`: nothing is written or deleted for these (exact match).
    pub excluded_identity_list: BTreeSet<String>,
    /// `--se_address_configmap`: Admiral's own record of addresses, read only.
    pub address_configmap: String,
    /// How long the address of a removed host is kept from others.
    #[serde(serialize_with = "as_text")]
    pub address_hold: Duration,
    /// Which workloads count.
    pub workload: WorkloadSettings,
    /// Traffic policies.
    pub policy: PolicySettings,
    /// Options of ServiceEntries.
    pub entry: EntrySettings,
    /// Optional objects.
    pub routing: RoutingSettings,
    /// What Admiral does not have.
    pub extension: ExtensionSettings,
}

impl MeshSettings {
    /// The kinds that are watched with these settings.
    pub fn watched_kinds(&self) -> BTreeSet<Kind> {
        Kind::ALL.into_iter().filter(|kind| kind.is_watched(self)).collect()
    }
}

impl Default for MeshSettings {
    fn default() -> Self {
        Self {
            sync_namespace: "admiral-sync".into(),
            dependency_namespace: "admiral".into(),
            hostname_suffix: "global".into(),
            workload_identity_key: "identity".into(),
            env_key: "admiral.io/env".into(),
            gateway_app: "istio-ingressgateway".into(),
            gateway_namespace: "istio-system".into(),
            deployment_annotation: "sidecar.istio.io/inject".into(),
            admiral_ignore_label: "admiral-ignore".into(),
            se_ip_prefix: "240.0".into(),
            disable_ip_generation: false,
            enable_absolute_fqdn: true,
            enable_absolute_fqdn_for_local_endpoints: false,
            default_warmup_duration: Duration::from_secs(45),
            max_requests_per_connection: 100,
            disable_default_automatic_failover: false,
            excluded_identity_list: BTreeSet::new(),
            address_configmap: "se-address-configmap".into(),
            address_hold: Duration::from_hours(24),
            workload: WorkloadSettings::default(),
            policy: PolicySettings::default(),
            entry: EntrySettings::default(),
            routing: RoutingSettings::default(),
            extension: ExtensionSettings::default(),
        }
    }
}

/// A setting that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("--{flag} {value}: {cause}; {remedy}")]
pub struct OptionError {
    /// The flag, without dashes in front.
    pub flag: &'static str,
    /// Its value, quoted.
    pub value: String,
    /// What is wrong.
    pub cause: String,
    /// What to do.
    pub remedy: &'static str,
}

/// Checked settings; read the fields of [`MeshSettings`] through it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshOptions {
    settings: MeshSettings,
    prefix: [u8; 2],
}

impl MeshOptions {
    /// Checks `settings`.
    ///
    /// # Errors
    /// Names the first flag whose value cannot work.
    pub fn new(settings: MeshSettings) -> Result<Self, OptionError> {
        let s = &settings;
        for (flag, value) in [
            ("sync-namespace", &s.sync_namespace),
            ("dependency-namespace", &s.dependency_namespace),
            ("gateway-namespace", &s.gateway_namespace),
            ("istio-namespace", &s.routing.istio_namespace),
        ] {
            check_namespace(flag, value)?;
        }
        refuse(
            "hostname-suffix",
            &s.hostname_suffix,
            name::check_host(&s.hostname_suffix.to_lowercase()),
            "give a DNS suffix such as global",
        )?;
        for (flag, value) in
            [("workload-identity-key", &s.workload_identity_key), ("deployment-annotation", &s.deployment_annotation)]
        {
            refuse(flag, value, check_key(value), "give the key of a label or annotation")?;
        }
        s.policy.check()?;
        s.entry.check()?;
        refuse("env-key", &s.env_key, check_key(&s.env_key), "give a label key such as admiral.io/env")?;
        refuse(
            "se-address-configmap",
            &s.address_configmap,
            name::check_host(&s.address_configmap),
            "give the name of Admiral's ConfigMap, se-address-configmap unless it was changed there",
        )?;
        refuse(
            "default-warmup-duration-in-seconds",
            &s.default_warmup_duration.as_secs().to_string(),
            if s.default_warmup_duration < Duration::from_secs(1) {
                Err("Istio wants 1 s at least".into())
            } else {
                Ok(())
            },
            "give a number of seconds such as 45",
        )?;
        s.routing.check()?;
        let prefix = parse_prefix(&s.se_ip_prefix)?;
        Ok(Self { settings, prefix })
    }

    /// How many addresses the prefix has: third octet 10 to 255, fourth 1 to 254.
    pub const SLOTS: u32 = 246 * 254;

    /// The address of a slot; slots from [`Self::SLOTS`] on count from 0 again.
    pub fn address(&self, slot: u32) -> Ipv4Addr {
        let slot = slot % Self::SLOTS;
        let [a, b] = self.prefix;
        // Both fit: slot / 254 <= 245, slot % 254 <= 253.
        let octet = |n: u32, from: u8| u8::try_from(n).unwrap_or(u8::MAX - from).saturating_add(from);
        Ipv4Addr::new(a, b, octet(slot / 254, 10), octet(slot % 254, 1))
    }
}

impl Default for MeshOptions {
    fn default() -> Self {
        Self { settings: MeshSettings::default(), prefix: [240, 0] }
    }
}

impl Deref for MeshOptions {
    type Target = MeshSettings;
    fn deref(&self) -> &MeshSettings {
        &self.settings
    }
}

fn as_text<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*duration))
}

fn refuse(flag: &'static str, value: &str, check: Result<(), String>, remedy: &'static str) -> Result<(), OptionError> {
    check.map_err(|cause| OptionError { flag, value: name::shown(value), cause, remedy })
}

fn check_namespace(flag: &'static str, value: &str) -> Result<(), OptionError> {
    let sound = !value.is_empty()
        && value.len() <= name::MAX_LABEL
        && value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !value.starts_with('-')
        && !value.ends_with('-');
    let check = if sound { Ok(()) } else { Err("no Kubernetes namespace can have this name".to_owned()) };
    refuse(flag, value, check, "give lower-case letters, digits and '-', at most 63")
}

/// A key of labels: an optional DNS prefix and a name.
fn check_key(key: &str) -> Result<(), String> {
    let name = match key.split_once('/') {
        Some((prefix, name)) => {
            name::check_host(prefix)?;
            name
        }
        None => key,
    };
    if name.is_empty() { Err("the key is empty".to_owned()) } else { name::check_label_value(name) }
}

fn parse_prefix(prefix: &str) -> Result<[u8; 2], OptionError> {
    let octets: Option<Vec<u8>> = prefix.split('.').map(|o| o.parse().ok()).collect();
    match octets.as_deref() {
        Some([a, b]) if *a != 0 && *a != 127 => Ok([*a, *b]),
        _ => Err(OptionError {
            flag: "se-ip-prefix",
            value: name::shown(prefix),
            cause: "not the first two octets of an IPv4 network".into(),
            remedy: "give two numbers such as 240.0",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(change: impl FnOnce(&mut MeshSettings)) -> String {
        let mut settings = MeshSettings::default();
        change(&mut settings);
        MeshOptions::new(settings).unwrap_err().to_string()
    }

    #[test]
    fn defaults_pass_their_own_checks() {
        assert_eq!(MeshOptions::new(MeshSettings::default()), Ok(MeshOptions::default()));
    }

    #[test]
    fn errors_name_flag_value_and_remedy() {
        let text = error(|s| s.se_ip_prefix = "240.0.1".into());
        assert_eq!(
            text,
            "--se-ip-prefix \"240.0.1\": not the first two octets of an IPv4 network; give two numbers such as 240.0"
        );
        assert!(error(|s| s.se_ip_prefix = "240.256".into()).contains("--se-ip-prefix"));
        assert!(error(|s| s.sync_namespace = "Sync".into()).contains("--sync-namespace"));
        assert!(error(|s| s.hostname_suffix = "a.1".into()).contains("is a number"));
        assert!(error(|s| s.env_key = String::new()).contains("--env-key"));
        assert!(error(|s| s.default_warmup_duration = Duration::ZERO).contains("warmup"));
        assert!(error(|s| s.policy.priority_key = "a b".into()).contains("--priority-key"));
        assert!(error(|s| s.entry.san_prefix = "spiffe://x".into()).contains("--san-prefix"));
        assert!(error(|s| s.entry.nlb_gateway_app = "-".into()).contains("--nlb-ingress-label"));
    }

    #[test]
    fn slots_span_the_prefix_once() {
        let options = MeshOptions::default();
        assert_eq!(options.address(0), Ipv4Addr::new(240, 0, 10, 1));
        assert_eq!(options.address(253), Ipv4Addr::new(240, 0, 10, 254));
        assert_eq!(options.address(254), Ipv4Addr::new(240, 0, 11, 1));
        assert_eq!(options.address(MeshOptions::SLOTS - 1), Ipv4Addr::new(240, 0, 255, 254));
        assert_eq!(options.address(MeshOptions::SLOTS), options.address(0));
    }
}
