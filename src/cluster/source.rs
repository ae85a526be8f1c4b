//! `--control` and `--cluster`: where a cluster is, as given by flags.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::mesh::ClusterId;

/// The way to a cluster. It comes from the command line and is therefore trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterSource {
    /// The cluster that this process runs in; outside of one, `KUBECONFIG` or the default kubeconfig.
    Kube,
    /// A kubeconfig file.
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// The context; `None` for its current one.
        context: Option<String>,
    },
    /// A directory of manifests that stands for a cluster.
    Folder {
        /// The directory.
        path: PathBuf,
    },
}

/// A mesh cluster given by `--cluster NAME=SOURCE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedSource {
    /// Its name.
    pub cluster: ClusterId,
    /// Where it is.
    pub source: ClusterSource,
}

/// Why a source could not be understood.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Not one of the known forms.
    #[error("{value:?} is not a cluster source; write {SOURCE_FORMS}")]
    Form {
        /// What was given.
        value: String,
    },
    /// A form that needs a path has none.
    #[error("{value:?} has no path; write {SOURCE_FORMS}")]
    NoPath {
        /// What was given.
        value: String,
    },
    /// `kubeconfig:PATH#` with nothing behind the `#`.
    #[error("{value:?} has an empty context; write kubeconfig:PATH#CONTEXT, or leave the # out")]
    NoContext {
        /// What was given.
        value: String,
    },
    /// No `NAME=`.
    #[error("{value:?} has no cluster name; write NAME=kubeconfig:PATH[#CONTEXT] or NAME=folder:PATH")]
    NoName {
        /// What was given.
        value: String,
    },
    /// `NAME=kube`.
    #[error("{value:?}: `kube` is for --control only; write NAME=kubeconfig:PATH[#CONTEXT] or NAME=folder:PATH")]
    ControlOnly {
        /// What was given.
        value: String,
    },
    /// The same name twice.
    #[error("--cluster {name} is given twice; every cluster needs a name of its own")]
    Duplicate {
        /// The name.
        name: String,
    },
}

const SOURCE_FORMS: &str = "kube, kubeconfig:PATH[#CONTEXT] or folder:PATH";

/// Checks that no two sources have one name.
///
/// # Errors
/// Names the first name that occurs twice.
pub fn check_unique(sources: &[NamedSource]) -> Result<(), SourceError> {
    let mut seen = BTreeSet::new();
    for source in sources {
        if !seen.insert(&source.cluster) {
            return Err(SourceError::Duplicate { name: source.cluster.to_string() });
        }
    }
    Ok(())
}

impl FromStr for ClusterSource {
    type Err = SourceError;

    fn from_str(value: &str) -> Result<Self, SourceError> {
        let text = || value.to_owned();
        if value == "kube" {
            return Ok(Self::Kube);
        }
        let (form, rest) = value.split_once(':').ok_or_else(|| SourceError::Form { value: text() })?;
        match form {
            "folder" if rest.is_empty() => Err(SourceError::NoPath { value: text() }),
            "folder" => Ok(Self::Folder { path: rest.into() }),
            "kubeconfig" => {
                let (path, context) = match rest.rsplit_once('#') {
                    Some((_, "")) => return Err(SourceError::NoContext { value: text() }),
                    Some((path, context)) => (path, Some(context.to_owned())),
                    None => (rest, None),
                };
                if path.is_empty() {
                    return Err(SourceError::NoPath { value: text() });
                }
                Ok(Self::Kubeconfig { path: path.into(), context })
            }
            _ => Err(SourceError::Form { value: text() }),
        }
    }
}

impl fmt::Display for ClusterSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kube => f.write_str("kube"),
            Self::Kubeconfig { path, context: None } => write!(f, "kubeconfig:{}", path.display()),
            Self::Kubeconfig { path, context: Some(context) } => write!(f, "kubeconfig:{}#{context}", path.display()),
            Self::Folder { path } => write!(f, "folder:{}", path.display()),
        }
    }
}

impl FromStr for NamedSource {
    type Err = SourceError;

    fn from_str(value: &str) -> Result<Self, SourceError> {
        let (name, source) = match value.split_once('=') {
            Some((name, source)) if !name.trim().is_empty() => (name.trim(), source),
            _ => return Err(SourceError::NoName { value: value.to_owned() }),
        };
        match source.parse()? {
            ClusterSource::Kube => Err(SourceError::ControlOnly { value: value.to_owned() }),
            source => Ok(Self { cluster: ClusterId::new(name), source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written_alike() {
        for text in ["kube", "kubeconfig:/etc/k#east", "kubeconfig:/etc/k", "folder:/srv/east"] {
            assert_eq!(text.parse::<ClusterSource>().unwrap().to_string(), text);
        }
        let named: NamedSource = "east=folder:a=b".parse().unwrap();
        assert_eq!(named.cluster.as_str(), "east");
        assert_eq!(named.source, ClusterSource::Folder { path: "a=b".into() });
    }

    #[test]
    fn each_mistake_has_its_own_message() {
        let control = |text: &str| text.parse::<ClusterSource>().unwrap_err();
        assert!(matches!(control("cube"), SourceError::Form { .. }));
        assert!(matches!(control("files:/x"), SourceError::Form { .. }));
        assert!(matches!(control("folder:"), SourceError::NoPath { .. }));
        assert!(matches!(control("kubeconfig:#c"), SourceError::NoPath { .. }));
        assert!(matches!(control("kubeconfig:/x#"), SourceError::NoContext { .. }));
        let named = |text: &str| text.parse::<NamedSource>().unwrap_err();
        assert!(matches!(named("=folder:/x"), SourceError::NoName { .. }));
        assert!(matches!(named("folder:/x"), SourceError::NoName { .. }));
        assert!(matches!(named("east=kube"), SourceError::ControlOnly { .. }));
    }

    #[test]
    fn names_are_unique() {
        let east: NamedSource = "east=folder:/a".parse().unwrap();
        let west: NamedSource = "west=folder:/a".parse().unwrap();
        assert!(check_unique(&[east.clone(), west]).is_ok());
        assert_eq!(check_unique(&[east.clone(), east]), Err(SourceError::Duplicate { name: "east".into() }));
    }
}
