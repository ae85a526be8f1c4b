//! Admiral's `--secret_resolver_config_path`: a YAML file whose section `ignoreIdentityList` says where the table of
//! suspended identities is (reconcile-spec 6.3). Flags and variables win.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

/// What the section says; nothing where it is silent or missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdmiralFile {
    /// `dynamoDB.tableName`
    pub table_name: Option<String>,
    /// `dynamoDB.clusterEnvironment`
    pub cluster_environment: Option<String>,
    /// `dynamoDB.region`
    pub region: Option<String>,
    /// `dynamoDB.role`
    pub role: Option<String>,
    /// `stateCheckerPeriodInSeconds`
    pub period: Option<Duration>,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AdmiralFileError {
    /// It cannot be read.
    #[error("--secret-resolver-config-path {path}: {source}; give the path of Admiral's YAML file, or leave the flag out", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is not YAML.
    #[error("{path} is not YAML: {message}; correct it, or leave --secret-resolver-config-path out", path = path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        message: String,
    },
    /// A field has a value that it cannot have.
    #[error("{path}: {field} is {value}; write {remedy}", path = path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
        /// Its value, as JSON.
        value: String,
        /// What it should be.
        remedy: &'static str,
    },
}

const SECTION: &str = "ignoreIdentityList";
const PERIOD: &str = "stateCheckerPeriodInSeconds";
const TABLE: &str = "dynamoDB";
const KNOWN: [&str; 4] = ["tableName", "clusterEnvironment", "region", "role"];

/// Reads the file. The second value is what should be warned of.
///
/// # Errors
/// When it cannot be read, is no YAML, or has a field of the wrong type.
pub fn read(path: &Path) -> Result<(AdmiralFile, Vec<String>), AdmiralFileError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| AdmiralFileError::Read { path: path.to_owned(), source })?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<(AdmiralFile, Vec<String>), AdmiralFileError> {
    let root: Value = serde_saphyr::from_str(text)
        .map_err(|error| AdmiralFileError::Yaml { path: path.to_owned(), message: error.to_string() })?;
    let nothing = Map::new();
    let map = |field: &str, value: Option<&Value>| match value {
        None | Some(Value::Null) => Ok(nothing.clone()),
        Some(Value::Object(fields)) => Ok(fields.clone()),
        Some(other) => Err(refused(path, field, other, "a section, as in Admiral's documentation")),
    };
    let root = map("the whole file", Some(&root))?;
    let section = map(SECTION, root.get(SECTION))?;
    let table = map(&format!("{SECTION}.{TABLE}"), section.get(TABLE))?;
    let text = |name: &str| match table.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => {
            let field = format!("{SECTION}.{TABLE}.{name}");
            Err(refused(path, &field, other, "a text, in quotes if it looks like a number"))
        }
    };
    let period = match section.get(PERIOD) {
        None | Some(Value::Null) => None,
        Some(value) => match value.as_u64() {
            Some(seconds @ 1..=86_400) => Some(Duration::from_secs(seconds)),
            _ => return Err(refused(path, &format!("{SECTION}.{PERIOD}"), value, "a whole number from 1 to 86400")),
        },
    };
    let file = AdmiralFile {
        table_name: text("tableName")?,
        cluster_environment: text("clusterEnvironment")?,
        region: text("region")?,
        role: text("role")?,
        period,
    };
    let outside = root.keys().filter(|key| *key != SECTION).cloned();
    let inside = section.keys().filter(|key| ![PERIOD, TABLE].contains(&key.as_str()));
    let of_table = table.keys().filter(|key| !KNOWN.contains(&key.as_str()));
    let unknown = outside
        .chain(inside.map(|key| format!("{SECTION}.{key}")))
        .chain(of_table.map(|key| format!("{SECTION}.{TABLE}.{key}")));
    let warnings = unknown.map(|key| format!("{}: {key} is not read and has no effect", path.display())).collect();
    Ok((file, warnings))
}

fn refused(path: &Path, field: &str, value: &Value, remedy: &'static str) -> AdmiralFileError {
    AdmiralFileError::Field { path: path.to_owned(), field: field.to_owned(), value: value.to_string(), remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(AdmiralFile, Vec<String>), String> {
        parse(Path::new("admiral.yaml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_section_is_read_and_the_others_are_warned_of() {
        let text = "idps:\n  api-key-id: x\nignoreIdentityList:\n  stateCheckerPeriodInSeconds: 60\n  dynamoDB:\n    \
                    region: us-east-2\n    role: arn:aws:iam::1:role/x\n    tableName: admiral-ignore-identity-state\n    \
                    clusterEnvironment: dev\n";
        let (file, warnings) = parsed(text).unwrap();
        assert_eq!(file.table_name.as_deref(), Some("admiral-ignore-identity-state"));
        assert_eq!((file.cluster_environment.as_deref(), file.region.as_deref()), (Some("dev"), Some("us-east-2")));
        assert_eq!((file.role.as_deref(), file.period), (Some("arn:aws:iam::1:role/x"), Some(Duration::from_secs(60))));
        assert_eq!(warnings, ["admiral.yaml: idps is not read and has no effect"]);
    }

    #[test]
    fn without_the_section_nothing_is_followed() {
        assert_eq!(parsed("workloadDynamoDB: {}\n").unwrap().0, AdmiralFile::default());
        assert_eq!(parsed("").unwrap(), (AdmiralFile::default(), Vec::new()));
    }

    #[test]
    fn wrong_types_name_file_field_value_and_remedy() {
        for (text, words) in [
            ("ignoreIdentityList: 5\n", ["ignoreIdentityList", "5", "section"]),
            ("ignoreIdentityList:\n  dynamoDB: []\n", ["ignoreIdentityList.dynamoDB", "[]", "section"]),
            ("ignoreIdentityList:\n  stateCheckerPeriodInSeconds: 0\n", ["PeriodInSeconds", "0", "whole number"]),
            ("ignoreIdentityList:\n  dynamoDB:\n    tableName: 7\n", ["dynamoDB.tableName", "7", "a text"]),
            ("- a\n", ["whole file", "[\"a\"]", "section"]),
            ("a: [", ["not YAML", "", "leave --secret-resolver-config-path out"]),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains("admiral.yaml") && words.iter().all(|w| error.contains(w)), "{text:?}: {error}");
        }
    }
}
