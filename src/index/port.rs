//! Ports of Services, and how their protocol is found (reconcile-spec 2.5).

use serde_json::Value;

use super::decode::{At, DecodeError};
use crate::mesh::MeshOptions;

/// Ports whose servers speak first, which Istio takes for TCP unless it is told otherwise: SMTP, DNS, MySQL, MongoDB.
const SERVER_FIRST: [u16; 4] = [25, 53, 3306, 27017];

/// A port of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// The Service's own number.
    pub number: u16,
    /// The number behind it, by which a workload's annotation names it.
    pub target: u16,
    /// By its name, and with `--istio-protocols` by `appProtocol`.
    pub protocol: Protocol,
}

impl Port {
    /// Its name as a further port of a ServiceEntry.
    pub fn name(self) -> String {
        format!("{}-{}", self.protocol.as_str(), self.number)
    }
}

/// The protocols of ServiceEntry ports. Admiral knows the first four (reconcile-spec P3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// `grpc-web`.
    GrpcWeb,
    /// `grpc`.
    Grpc,
    /// `http2`.
    Http2,
    /// Everything that is not named otherwise.
    Http,
    /// `https`.
    Https,
    /// `tls`.
    Tls,
    /// `tcp`.
    Tcp,
    /// `mongo`.
    Mongo,
    /// `mysql`.
    Mysql,
    /// `redis`.
    Redis,
}

impl Protocol {
    /// The word that Istio knows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GrpcWeb => "grpc-web",
            Self::Grpc => "grpc",
            Self::Http2 => "http2",
            Self::Http => "http",
            Self::Https => "https",
            Self::Tls => "tls",
            Self::Tcp => "tcp",
            Self::Mongo => "mongo",
            Self::Mysql => "mysql",
            Self::Redis => "redis",
        }
    }

    /// As Admiral finds it: by the beginning of the port's name.
    fn by_prefix(name: &str) -> Self {
        let known = [Self::GrpcWeb, Self::Grpc, Self::Http2];
        known.into_iter().find(|p| name.starts_with(p.as_str())).unwrap_or(Self::Http)
    }

    /// As Istio finds it ("Protocol Selection" in its documentation): by `appProtocol`, else by the port's name up to
    /// the first dash. What Istio would find out from the traffic is HTTP.
    fn by_istio(name: &str, app_protocol: Option<&str>, number: u16) -> Self {
        let word = match app_protocol {
            Some("kubernetes.io/h2c") => "http2",
            Some("kubernetes.io/ws") => "http",
            Some("kubernetes.io/wss") => "https",
            Some(other) => other,
            None => name,
        };
        let word = word.to_ascii_lowercase();
        if word.starts_with(Self::GrpcWeb.as_str()) {
            return Self::GrpcWeb;
        }
        match word.split('-').next().unwrap_or_default() {
            "grpc" => Self::Grpc,
            "http2" => Self::Http2,
            "http" => Self::Http,
            "https" => Self::Https,
            "tls" => Self::Tls,
            "tcp" => Self::Tcp,
            "mongo" => Self::Mongo,
            "mysql" => Self::Mysql,
            "redis" => Self::Redis,
            _ if SERVER_FIRST.contains(&number) => Self::Tcp,
            _ => Self::Http,
        }
    }
}

/// The ports of a Service, in their order. Where more than HTTP counts, those that are not TCP do not.
///
/// # Errors
/// When a field that is used has a wrong type.
pub fn ports(root: &At<'_>, options: &MeshOptions) -> Result<Vec<Port>, DecodeError> {
    let mut ports = Vec::new();
    for at in root.field("spec.ports")?.items()? {
        let is_tcp = at.field("protocol")?.text()?.is_none_or(|protocol| protocol.is_empty() || protocol == "TCP");
        if is_tcp || !(options.extension.istio_protocols || options.extension.all_ports) {
            ports.push(port(&at, options)?);
        }
    }
    Ok(ports)
}

fn port(at: &At<'_>, options: &MeshOptions) -> Result<Port, DecodeError> {
    let number = at.field("port")?;
    let number = number.port()?.ok_or_else(|| number.error("a port number"))?;
    let target = at.field("targetPort")?;
    // A name says nothing about the number behind it (reconcile-spec P2).
    let target = match target.value() {
        Value::String(text) => text.parse().ok(),
        _ => target.port()?,
    };
    let name = at.field("name")?.text()?.unwrap_or_default();
    let protocol = if options.extension.istio_protocols {
        Protocol::by_istio(name, at.field("appProtocol")?.text()?.filter(|text| !text.is_empty()), number)
    } else {
        Protocol::by_prefix(name)
    };
    Ok(Port { number, target: target.unwrap_or(number), protocol })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_by_istios_rules() {
        for (name, app_protocol, number, expected) in [
            ("tcp-db", None, 80, Protocol::Tcp),
            ("mongo", None, 80, Protocol::Mongo),
            ("mysql-main", None, 1, Protocol::Mysql),
            ("redis", None, 1, Protocol::Redis),
            ("tls", None, 1, Protocol::Tls),
            ("https-x", None, 1, Protocol::Https),
            ("GRPC-web-x", None, 1, Protocol::GrpcWeb),
            ("http2x", None, 1, Protocol::Http),
            ("main", None, 3306, Protocol::Tcp),
            ("main", None, 8080, Protocol::Http),
            ("http", Some("tcp"), 1, Protocol::Tcp),
            ("http", Some("kubernetes.io/h2c"), 1, Protocol::Http2),
            ("tcp", Some("example.com/odd"), 1, Protocol::Http),
        ] {
            assert_eq!(Protocol::by_istio(name, app_protocol, number), expected, "{name} {app_protocol:?}");
        }
        assert_eq!(Protocol::by_prefix("tcp-db"), Protocol::Http, "Admiral's rule");
    }
}
