//! What reading any of Admiral's own YAML files of settings has in common.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AdmiralYamlError {
    /// It cannot be read.
    #[error("{flag} {path}: {source}; {remedy}", path = path.display())]
    Read {
        /// The flag that names the file.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// It is not YAML.
    #[error("{path} is not YAML: {message}; {remedy}", path = path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        message: String,
        /// What to do.
        remedy: &'static str,
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

/// One kind of file, for its messages.
pub struct Form {
    /// The flag that names such a file.
    pub flag: &'static str,
    /// What to do if it cannot be read.
    pub if_unreadable: &'static str,
    /// What to do if it is not YAML.
    pub if_no_yaml: &'static str,
}

impl Form {
    /// The text of the file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, path: &Path) -> Result<String, AdmiralYamlError> {
        let (flag, remedy) = (self.flag, self.if_unreadable);
        let path = path.to_owned();
        std::fs::read_to_string(&path).map_err(|source| AdmiralYamlError::Read { flag, path, source, remedy })
    }

    /// The text as a value.
    ///
    /// # Errors
    /// When it is not YAML.
    pub fn parse(&self, path: &Path, text: &str) -> Result<Value, AdmiralYamlError> {
        let no_yaml = |message| AdmiralYamlError::Yaml { path: path.to_owned(), message, remedy: self.if_no_yaml };
        serde_saphyr::from_str(text).map_err(|error| no_yaml(error.to_string()))
    }
}

/// A section of a file.
pub struct Section<'a> {
    /// The file.
    pub path: &'a Path,
    /// Where it is, such as `dynamoDB`.
    pub name: &'a str,
    /// What it holds.
    pub fields: &'a Map<String, Value>,
}

impl Section<'_> {
    /// A text; `None` if it is absent, null or empty.
    ///
    /// # Errors
    /// When it is something else.
    pub fn text(&self, name: &str) -> Result<Option<String>, AdmiralYamlError> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Some(other) => Err(self.refuse(name, other, "a text, in quotes if it looks like a number")),
        }
    }

    /// A number of seconds or times, from 1 to a day's seconds; `None` if it is absent or null.
    ///
    /// # Errors
    /// When it is something else.
    pub fn number(&self, name: &str) -> Result<Option<u64>, AdmiralYamlError> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_u64() {
                Some(number @ 1..=86_400) => Ok(Some(number)),
                _ => Err(self.refuse(name, value, "a whole number from 1 to 86400")),
            },
        }
    }

    /// That a field of the section has a value that it cannot have.
    pub fn refuse(&self, name: &str, value: &Value, remedy: &'static str) -> AdmiralYamlError {
        refused(self.path, &format!("{}.{name}", self.name), value, remedy)
    }
}

/// That a field has a value that it cannot have.
pub fn refused(path: &Path, field: &str, value: &Value, remedy: &'static str) -> AdmiralYamlError {
    AdmiralYamlError::Field { path: path.to_owned(), field: field.to_owned(), value: value.to_string(), remedy }
}
