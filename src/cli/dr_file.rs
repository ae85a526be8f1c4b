//! Admiral's `--dr_state_store_config_path`: a YAML file with the lease's settings. Flags and variables win.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use super::admiral_yaml::{AdmiralYamlError, Form, Section, refused};

/// What the file says; nothing where it is silent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrFile {
    /// `leaseName`
    pub lease_name: Option<String>,
    /// `podIdentifier`
    pub pod_identifier: Option<String>,
    /// `tableName`
    pub table_name: Option<String>,
    /// `role`
    pub role: Option<String>,
    /// `region`
    pub region: Option<String>,
    /// `waitTimeInSeconds` x `failureThreshold`: after that long Admiral takes a lease for abandoned.
    pub stale_after: Option<Duration>,
}

const FORM: Form = Form {
    flag: "--dr-state-store-config-path",
    if_unreadable: "give the path of Admiral's YAML file",
    if_no_yaml: "see `dynamoDB:` in Admiral's documentation",
};

/// Reads the file. The second value is what should be warned of.
///
/// # Errors
/// When it cannot be read, is no YAML, or has a field of the wrong type.
pub fn read(path: &Path) -> Result<(DrFile, Vec<String>), AdmiralYamlError> {
    parse(path, &FORM.read(path)?)
}

const SECTION: &str = "dynamoDB";
const KNOWN: [&str; 7] =
    ["leaseName", "podIdentifier", "waitTimeInSeconds", "failureThreshold", "tableName", "role", "region"];

fn parse(path: &Path, text: &str) -> Result<(DrFile, Vec<String>), AdmiralYamlError> {
    let value = FORM.parse(path, text)?;
    let root = value.as_object().ok_or_else(|| refused(path, "the whole file", &value, "a section `dynamoDB:`"))?;
    let section = root.get(SECTION).unwrap_or(&Value::Null);
    let fields = section.as_object();
    let fields = fields.ok_or_else(|| refused(path, SECTION, section, "a section with leaseName: and so on"))?;
    let section = Section { path, name: SECTION, fields };
    let stale_after = match (section.number("waitTimeInSeconds")?, section.number("failureThreshold")?) {
        (Some(wait), Some(threshold)) => Some(Duration::from_secs(wait * threshold)),
        (None, None) => None,
        (Some(_), None) => {
            return Err(section.refuse("failureThreshold", &Value::Null, "how many waits it takes, such as 3"));
        }
        (None, Some(_)) => {
            return Err(section.refuse("waitTimeInSeconds", &Value::Null, "a number of seconds, such as 15"));
        }
    };
    let file = DrFile {
        lease_name: section.text("leaseName")?,
        pod_identifier: section.text("podIdentifier")?,
        table_name: section.text("tableName")?,
        role: section.text("role")?,
        region: section.text("region")?,
        stale_after,
    };
    Ok((file, unknown(path, root, fields)))
}

fn unknown(path: &Path, root: &Map<String, Value>, fields: &Map<String, Value>) -> Vec<String> {
    let outside = root.keys().filter(|key| *key != "dynamoDB").cloned();
    let inside = fields.keys().filter(|key| !KNOWN.contains(&key.as_str())).map(|key| format!("dynamoDB.{key}"));
    outside.chain(inside).map(|key| format!("{}: {key} is not known and has no effect", path.display())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(DrFile, Vec<String>), String> {
        parse(Path::new("dr.yaml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn admirals_own_example() {
        let text = "dynamoDB:\n  leaseName: qal            # record\n  podIdentifier: admiral-a\n  waitTimeInSeconds: 15\n  \
                    failureThreshold: 3\n  tableName: admiral-lease\n  role: arn:aws:iam::1:role/x\n  region: us-west-2\n";
        let (file, warnings) = parsed(text).unwrap();
        assert_eq!(file.lease_name.as_deref(), Some("qal"));
        assert_eq!(file.role.as_deref(), Some("arn:aws:iam::1:role/x"));
        assert_eq!(file.stale_after, Some(Duration::from_secs(45)));
        assert!(warnings.is_empty());
    }

    #[test]
    fn wrong_types_name_file_field_value_and_remedy() {
        for (text, words) in [
            ("dynamoDB:\n  leaseName: 7\n", ["dr.yaml", "dynamoDB.leaseName", "7", "a text"]),
            (
                "dynamoDB:\n  waitTimeInSeconds: soon\n",
                ["dr.yaml", "dynamoDB.waitTimeInSeconds", "\"soon\"", "whole number"],
            ),
            ("dynamoDB:\n  failureThreshold: 0\n", ["dr.yaml", "dynamoDB.failureThreshold", "0", "whole number"]),
            ("dynamoDB:\n  waitTimeInSeconds: 15\n", ["dr.yaml", "dynamoDB.failureThreshold", "null", "such as 3"]),
            ("dynamoDB: 5\n", ["dr.yaml", "dynamoDB", "5", "section"]),
            ("lease: {}\n", ["dr.yaml", "dynamoDB", "null", "section"]),
            ("- a\n", ["dr.yaml", "whole file", "[\"a\"]", "section"]),
            ("a: [", ["dr.yaml", "is not YAML", "", "dynamoDB"]),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(words.iter().all(|word| error.contains(word)), "{text:?}: {error}");
        }
    }

    #[test]
    fn unknown_keys_are_warned_of() {
        let (_, warnings) = parsed("other: 1\ndynamoDB:\n  leaseNam: x\n").unwrap();
        assert_eq!(warnings.len(), 2);
        assert!(warnings[1].contains("dynamoDB.leaseNam"), "{warnings:?}");
    }
}
