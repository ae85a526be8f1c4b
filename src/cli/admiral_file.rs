//! Admiral's `--secret_resolver_config_path`: a YAML file whose section `ignoreIdentityList` says where the table of
//! suspended identities is (reconcile-spec 6.3). Flags and variables win.

use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use super::admiral_yaml::{AdmiralYamlError, Form, Section, refused};

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

const FORM: Form = Form {
    flag: "--secret-resolver-config-path",
    if_unreadable: "give the path of Admiral's YAML file, or leave the flag out",
    if_no_yaml: "correct it, or leave --secret-resolver-config-path out",
};
const SECTION: &str = "ignoreIdentityList";
const PERIOD: &str = "stateCheckerPeriodInSeconds";
const TABLE: &str = "dynamoDB";
const KNOWN: [&str; 4] = ["tableName", "clusterEnvironment", "region", "role"];

/// Reads the file. The second value is what should be warned of.
///
/// # Errors
/// When it cannot be read, is no YAML, or has a field of the wrong type.
pub fn read(path: &Path) -> Result<(AdmiralFile, Vec<String>), AdmiralYamlError> {
    parse(path, &FORM.read(path)?)
}

fn parse(path: &Path, text: &str) -> Result<(AdmiralFile, Vec<String>), AdmiralYamlError> {
    let root = FORM.parse(path, text)?;
    let map = |field: &str, value: Option<&Value>| match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(fields)) => Ok(fields.clone()),
        Some(other) => Err(refused(path, field, other, "a section, as in Admiral's documentation")),
    };
    let root = map("the whole file", Some(&root))?;
    let section = map(SECTION, root.get(SECTION))?;
    let of_table = format!("{SECTION}.{TABLE}");
    let table = map(&of_table, section.get(TABLE))?;
    let text = |name| Section { path, name: &of_table, fields: &table }.text(name);
    let period = Section { path, name: SECTION, fields: &section }.number(PERIOD)?.map(Duration::from_secs);
    let file = AdmiralFile {
        table_name: text("tableName")?,
        cluster_environment: text("clusterEnvironment")?,
        region: text("region")?,
        role: text("role")?,
        period,
    };
    let outside = root.keys().filter(|key| *key != SECTION).cloned();
    let inside = section.keys().filter(|key| ![PERIOD, TABLE].contains(&key.as_str()));
    let within = table.keys().filter(|key| !KNOWN.contains(&key.as_str()));
    let unknown = outside
        .chain(inside.map(|key| format!("{SECTION}.{key}")))
        .chain(within.map(|key| format!("{of_table}.{key}")));
    let warnings = unknown.map(|key| format!("{}: {key} is not read and has no effect", path.display())).collect();
    Ok((file, warnings))
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
