//! Kubeconfigs that come out of secrets. Whoever may write such a secret must not be able to run a program or
//! read a file here, so they are read as untrusted input.
//!
//! Invariant: what comes out holds one context with one cluster and one user, built field by field from what
//! is allowed. Error messages name fields and lines, never values that may be secret.

use kube::config::{AuthInfo, Cluster, Context, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};

/// Why a kubeconfig from a secret is not used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UntrustedError {
    /// No bytes at all.
    #[error("it is empty; put a kubeconfig into it, or remove the key")]
    Empty,
    /// Not YAML.
    #[error("it is not YAML (line {line}, column {column}); put a kubeconfig into it")]
    Syntax {
        /// Line from 1; 0 when unknown.
        line: u64,
        /// Column from 1; 0 when unknown.
        column: u64,
    },
    /// YAML, but without the form of a kubeconfig.
    #[error("it is not a kubeconfig; make one with `kubectl config view --minify --flatten --raw`")]
    Shape,
    /// Something that a connection needs is missing.
    #[error(
        "{field} is missing or names nothing; make the kubeconfig with `kubectl config view --minify --flatten --raw`"
    )]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// Something that a kubeconfig from a secret may not have.
    #[error("{field} is not allowed in a kubeconfig that comes from a secret; {remedy}")]
    Forbidden {
        /// The field.
        field: &'static str,
        /// What to do instead.
        remedy: &'static str,
    },
}

/// Reads the bytes of a secret. The current context counts; the rest is dropped.
///
/// # Errors
/// Names the field that is missing or not allowed, and the remedy.
pub fn parse_untrusted(bytes: &[u8]) -> Result<Kubeconfig, UntrustedError> {
    let text = std::str::from_utf8(bytes).map_err(|_| UntrustedError::Syntax { line: 0, column: 0 })?;
    if text.trim().is_empty() {
        return Err(UntrustedError::Empty);
    }
    let value: serde_json::Value = serde_saphyr::from_str(text).map_err(|error| {
        let (line, column) = error.location().map_or((0, 0), |at| (at.line(), at.column()));
        UntrustedError::Syntax { line, column }
    })?;
    if !value.is_object() {
        return Err(UntrustedError::Shape);
    }
    // The cause is left out: serde quotes values, and values may be tokens.
    let config: Kubeconfig = serde_json::from_value(value).map_err(|_| UntrustedError::Shape)?;
    reduced(config)
}

fn reduced(config: Kubeconfig) -> Result<Kubeconfig, UntrustedError> {
    let missing = |field| UntrustedError::Missing { field };
    let name = config.current_context.filter(|name| !name.is_empty()).ok_or(missing("current-context"))?;
    let context = config.contexts.into_iter().find(|c| c.name == name).and_then(|c| c.context);
    let context = context.ok_or(missing("contexts[].name of current-context"))?;
    let user_name = context.user.ok_or(missing("context.user"))?;
    let cluster = config.clusters.into_iter().find(|c| c.name == context.cluster).and_then(|c| c.cluster);
    let cluster = allowed_cluster(cluster.ok_or(missing("context.cluster"))?)?;
    let user = config.auth_infos.into_iter().find(|u| u.name == user_name).and_then(|u| u.auth_info);
    let user = allowed_user(user.ok_or(missing("context.user"))?)?;
    let one = || "secret".to_owned();
    Ok(Kubeconfig {
        current_context: Some(one()),
        contexts: vec![NamedContext {
            name: one(),
            context: Some(Context { cluster: one(), user: Some(one()), ..Context::default() }),
            ..NamedContext::default()
        }],
        clusters: vec![NamedCluster { name: one(), cluster: Some(cluster), ..NamedCluster::default() }],
        auth_infos: vec![NamedAuthInfo { name: one(), auth_info: Some(user), ..NamedAuthInfo::default() }],
        ..Kubeconfig::default()
    })
}

fn allowed_cluster(cluster: Cluster) -> Result<Cluster, UntrustedError> {
    forbid(
        cluster.certificate_authority.is_some(),
        "cluster.certificate-authority",
        "put the certificate itself into certificate-authority-data (kubectl config view --flatten)",
    )?;
    forbid(
        cluster.insecure_skip_tls_verify == Some(true),
        "cluster.insecure-skip-tls-verify",
        "put the server's CA into certificate-authority-data",
    )?;
    forbid(cluster.proxy_url.is_some(), "cluster.proxy-url", "make the API server reachable without a proxy")?;
    let server = cluster.server.filter(|s| !s.is_empty()).ok_or(UntrustedError::Missing { field: "cluster.server" })?;
    forbid(!server.starts_with("https://"), "cluster.server without https://", "use the server's https URL")?;
    Ok(Cluster {
        server: Some(server),
        certificate_authority_data: cluster.certificate_authority_data,
        tls_server_name: cluster.tls_server_name,
        ..Cluster::default()
    })
}

fn allowed_user(user: AuthInfo) -> Result<AuthInfo, UntrustedError> {
    const INLINE: &str = "put the content itself into the field that ends in -data (kubectl config view --flatten)";
    const TOKEN: &str = "put the token of a service account into user.token";
    forbid(user.exec.is_some(), "user.exec", TOKEN)?;
    forbid(user.auth_provider.is_some(), "user.auth-provider", TOKEN)?;
    forbid(user.token_file.is_some(), "user.tokenFile", TOKEN)?;
    forbid(user.client_certificate.is_some(), "user.client-certificate", INLINE)?;
    forbid(user.client_key.is_some(), "user.client-key", INLINE)?;
    Ok(AuthInfo {
        username: user.username,
        password: user.password,
        token: user.token,
        client_certificate_data: user.client_certificate_data,
        client_key_data: user.client_key_data,
        // Dropping these would act with more rights than the author of the kubeconfig meant to give.
        impersonate: user.impersonate,
        impersonate_uid: user.impersonate_uid,
        impersonate_groups: user.impersonate_groups,
        impersonate_user_extra: user.impersonate_user_extra,
        ..AuthInfo::default()
    })
}

fn forbid(present: bool, field: &'static str, remedy: &'static str) -> Result<(), UntrustedError> {
    if present { Err(UntrustedError::Forbidden { field, remedy }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubeconfig(cluster: &str, user: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts:\n- name: c\n  context: {{cluster: k, user: u}}\n\
             clusters:\n- name: k\n  cluster: {{server: 'https://example:6443'{cluster}}}\n\
             users:\n- name: u\n  user: {{token: s3cret{user}}}\n- name: other\n  user: {{exec: {{command: evil}}}}\n"
        )
    }

    #[test]
    fn a_plain_one_is_reduced_to_its_context() {
        let config = parse_untrusted(kubeconfig("", "").as_bytes()).unwrap();
        assert_eq!(config.auth_infos.len(), 1);
        assert!(config.auth_infos[0].auth_info.as_ref().unwrap().exec.is_none());
        assert_eq!(config.clusters[0].cluster.as_ref().unwrap().server.as_deref(), Some("https://example:6443"));
    }

    #[test]
    fn what_runs_programs_or_reads_files_is_refused_by_name() {
        let cases = [
            (", certificate-authority: /etc/passwd", "", "cluster.certificate-authority"),
            (", insecure-skip-tls-verify: true", "", "cluster.insecure-skip-tls-verify"),
            (", proxy-url: 'http://x'", "", "cluster.proxy-url"),
            ("", ", exec: {apiVersion: client.authentication.k8s.io/v1, command: sh}", "user.exec"),
            ("", ", auth-provider: {name: gcp, config: {}}", "user.auth-provider"),
            ("", ", tokenFile: /etc/passwd", "user.tokenFile"),
            ("", ", client-certificate: /x", "user.client-certificate"),
            ("", ", client-key: /x", "user.client-key"),
        ];
        for (cluster, user, expected) in cases {
            let error = parse_untrusted(kubeconfig(cluster, user).as_bytes()).unwrap_err();
            assert!(matches!(&error, UntrustedError::Forbidden { field, .. } if *field == expected), "{error}");
            assert!(!error.to_string().contains("s3cret"));
        }
        let plain = kubeconfig("", "").replace("https://", "http://");
        assert!(matches!(parse_untrusted(plain.as_bytes()), Err(UntrustedError::Forbidden { .. })));
    }

    #[test]
    fn garbage_is_named_without_being_quoted() {
        assert_eq!(parse_untrusted(b" \n").unwrap_err(), UntrustedError::Empty);
        assert!(matches!(parse_untrusted(b"\xff\xfe"), Err(UntrustedError::Syntax { .. })));
        assert!(matches!(parse_untrusted(b"token: [s3cret"), Err(UntrustedError::Syntax { line: 1.., .. })));
        assert_eq!(parse_untrusted(b"s3cret").unwrap_err(), UntrustedError::Shape);
        assert_eq!(parse_untrusted(b"clusters: s3cret").unwrap_err(), UntrustedError::Shape);
        assert!(matches!(parse_untrusted(b"kind: Config"), Err(UntrustedError::Missing { .. })));
    }
}
