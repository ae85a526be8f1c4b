//! Reads typed fields out of JSON objects: strict about what is used, blind to everything else.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::mesh::name;

/// A field that is used has a type or value that it cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}, but must be {expected}")]
pub struct DecodeError {
    /// Path of the field, such as `spec.ports[0].port`.
    pub field: String,
    /// What it is, shortened.
    pub value: String,
    /// What it must be.
    pub expected: &'static str,
}

/// A place in an object. An absent field and `null` are the same.
#[derive(Clone, Debug)]
pub struct At<'a> {
    value: &'a Value,
    path: String,
}

impl<'a> At<'a> {
    /// The object itself.
    pub fn root(object: &'a Value) -> Self {
        Self { value: object, path: String::new() }
    }

    /// The field at a dotted `path` below this place.
    ///
    /// # Errors
    /// When something on the way is not an object.
    pub fn field(&self, path: &str) -> Result<Self, DecodeError> {
        let mut at = self.clone();
        for name in path.split('.') {
            let value = match at.value {
                Value::Object(fields) => fields.get(name).unwrap_or(&Value::Null),
                Value::Null => &Value::Null,
                _ => return Err(at.error("an object")),
            };
            let path = if at.path.is_empty() { name.to_owned() } else { format!("{}.{name}", at.path) };
            at = Self { value, path };
        }
        Ok(at)
    }

    /// A string.
    ///
    /// # Errors
    /// When it is something else.
    pub fn text(&self) -> Result<Option<&'a str>, DecodeError> {
        match self.value {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text)),
            _ => Err(self.error("a string")),
        }
    }

    /// A port number; 0 is absent, as in Kubernetes' own types.
    ///
    /// # Errors
    /// When it is no integer up to 65535.
    pub fn port(&self) -> Result<Option<u16>, DecodeError> {
        match self.value {
            Value::Null => Ok(None),
            value => match value.as_u64().and_then(|n| u16::try_from(n).ok()) {
                Some(0) => Ok(None),
                Some(port) => Ok(Some(port)),
                None => Err(self.error("a port number")),
            },
        }
    }

    /// A whole number from 0.
    ///
    /// # Errors
    /// When it is something else, or larger than 4294967295.
    pub fn count(&self) -> Result<Option<u32>, DecodeError> {
        match self.value {
            Value::Null => Ok(None),
            value => match value.as_u64().and_then(|n| u32::try_from(n).ok()) {
                Some(count) => Ok(Some(count)),
                None => Err(self.error("a number from 0")),
            },
        }
    }

    /// The elements of a list.
    ///
    /// # Errors
    /// When it is something else.
    pub fn items(&self) -> Result<Vec<At<'a>>, DecodeError> {
        match self.value {
            Value::Null => Ok(Vec::new()),
            Value::Array(items) => Ok(items
                .iter()
                .enumerate()
                .map(|(i, value)| Self { value, path: format!("{}[{i}]", self.path) })
                .collect()),
            _ => Err(self.error("a list")),
        }
    }

    /// A map of strings; entries that are `null` are left out.
    ///
    /// # Errors
    /// When it is something else, or one of its values is.
    pub fn strings(&self) -> Result<BTreeMap<&'a str, &'a str>, DecodeError> {
        let fields = match self.value {
            Value::Null => return Ok(BTreeMap::new()),
            Value::Object(fields) => fields,
            _ => return Err(self.error("a map of strings")),
        };
        let mut strings = BTreeMap::new();
        for (key, value) in fields {
            // The key may contain dots, so it is no path.
            let at = Self { value, path: format!("{}[{key:?}]", self.path) };
            if let Some(text) = at.text()? {
                strings.insert(key.as_str(), text);
            }
        }
        Ok(strings)
    }

    /// A time, in seconds since the Unix epoch.
    ///
    /// # Errors
    /// When it is no RFC 3339 time.
    pub fn time(&self) -> Result<Option<i64>, DecodeError> {
        match self.text()? {
            None => Ok(None),
            Some(text) => match parse_time(text) {
                Some(seconds) => Ok(Some(seconds)),
                None => Err(self.error("a time such as 2024-01-31T00:00:00Z")),
            },
        }
    }

    /// The JSON value.
    pub fn value(&self) -> &'a Value {
        self.value
    }

    /// The value for a message, cut if it is long.
    pub fn shown(&self) -> String {
        match self.value {
            Value::Null => "absent".to_owned(),
            Value::String(text) => name::shown(text),
            other => shorten(&other.to_string()),
        }
    }

    /// An error about this place.
    pub fn error(&self, expected: &'static str) -> DecodeError {
        let value = self.shown();
        let field = if self.path.is_empty() { "the object".to_owned() } else { self.path.clone() };
        DecodeError { field, value, expected }
    }
}

fn shorten(json: &str) -> String {
    if json.chars().count() <= 80 { json.to_owned() } else { json.chars().take(80).collect::<String>() + "..." }
}

/// RFC 3339 to Unix seconds; fractions are dropped.
fn parse_time(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u16>().ok().map(i64::from);
    let is = |at: usize, c: &str| text.get(at..at + 1).is_some_and(|s| c.contains(s));
    if !(is(4, "-") && is(7, "-") && is(10, "Tt ") && is(13, ":") && is(16, ":")) {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 24 || minute > 59 || second > 60 {
        return None;
    }
    let zone = text.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset_s = match zone {
        "Z" | "z" => 0,
        _ => {
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
            sign * (i64::from(hours.parse::<u8>().ok()?) * 3600 + i64::from(minutes.parse::<u8>().ok()?) * 60)
        }
    };
    Some(days_since_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset_s)
}

/// The civil calendar as a count of days, with years that begin in March.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn errors_name_the_field_and_its_value() {
        let object = json!({"spec": {"ports": [{"port": "eighty"}], "selector": {"a.b": 1}}});
        let root = At::root(&object);
        let ports = root.field("spec.ports").unwrap().items().unwrap();
        let error = ports[0].field("port").unwrap().port().unwrap_err();
        assert_eq!(error.to_string(), "spec.ports[0].port is \"eighty\", but must be a port number");
        let error = root.field("spec.selector").unwrap().strings().unwrap_err();
        assert_eq!(error.to_string(), "spec.selector[\"a.b\"] is 1, but must be a string");
        assert_eq!(root.field("spec.ports.x").unwrap_err().expected, "an object");
        assert!(root.field("status.x.y").unwrap().text().unwrap().is_none());
    }

    #[test]
    fn times() {
        let seconds = |text: &str| At::root(&json!(text)).time();
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Ok(Some(0)));
        assert_eq!(seconds("2024-02-29T12:00:01.5Z"), Ok(Some(1_709_208_001)));
        assert_eq!(seconds("2024-02-29T14:00:01+02:00"), Ok(Some(1_709_208_001)));
        for bad in
            ["", "yesterday", "2024-13-01T00:00:00Z", "2024-01-01", "2024-01-01T00:00:00", "2024-01-01T00:00:00é"]
        {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
