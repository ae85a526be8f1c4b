//! A command line of Admiral: flags that change nothing here are taken, so that it starts, and warned of.

mod no_effect;

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use no_effect::{NoEffect, by_letter, by_name};

use crate::http::parse_go_bool;

/// The arguments without those flags, and one warning for each of them.
pub fn without_ignored(args: impl IntoIterator<Item = OsString>) -> (Vec<OsString>, Vec<String>) {
    let mut kept = Vec::new();
    let mut warnings = BTreeSet::new();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        if arg == "--" {
            kept.push(arg);
            kept.extend(args);
            break;
        }
        let Some((flag, value)) = known(&arg) else {
            kept.push(arg);
            continue;
        };
        warnings.extend(warning(flag, value));
        if flag.takes_value && value.is_none() {
            args.next();
        }
    }
    (kept, warnings.into_iter().collect())
}

/// The flag that `arg` names, and the value in it.
fn known(arg: &OsStr) -> Option<(&'static NoEffect, Option<&str>)> {
    let text = arg.to_str()?;
    if let Some(flag) = text.strip_prefix("--") {
        let (name, value) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
        return Some((by_name(name)?, value));
    }
    // -e VALUE, -eVALUE, -e=VALUE
    let mut rest = text.strip_prefix('-')?.chars();
    let flag = by_letter(rest.next()?)?;
    let value = rest.as_str();
    Some((flag, (!value.is_empty()).then(|| value.strip_prefix('=').unwrap_or(value))))
}

fn warning(flag: &NoEffect, value: Option<&str>) -> Option<String> {
    let NoEffect { name, why, .. } = flag;
    // What is asked for is what always happens.
    let is_granted =
        *name == "enable_dependency_processing" && value.is_none_or(|value| parse_go_bool(value) == Ok(true));
    (!is_granted).then(|| format!("--{name} has no effect: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(line: &str) -> (String, Vec<String>) {
        let (kept, warnings) = without_ignored(line.split(' ').map(OsString::from));
        let kept: Vec<_> = kept.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
        (kept.join(" "), warnings)
    }

    #[test]
    fn ignored_flags_go_with_their_values_and_are_warned_of_once() {
        let (kept, warnings) = cleaned(
            "flagship run --sync_period 20s --gateway_app gw --sync_period=5m --enable_diff_check=true \
             --enable_outlierdetection --env_key e -e *=id1 -d=c1=* -exyz -x",
        );
        assert_eq!(kept, "flagship run --gateway_app gw --env_key e -x");
        assert_eq!(warnings.len(), 5, "{warnings:?}");
        assert_eq!(
            warnings[0],
            "--enable_diff_check has no effect: only differences are ever written; Admiral itself never reads this flag"
        );
    }

    #[test]
    fn each_is_listed_once_with_a_reason() {
        let mut names = BTreeSet::new();
        for flag in no_effect::NO_EFFECT {
            assert!(names.insert(flag.name), "{} twice", flag.name);
            assert!(flag.why.len() > 20 && !flag.why.ends_with('.'), "{}: {}", flag.name, flag.why);
        }
    }

    #[test]
    fn dependency_processing_is_warned_of_only_when_switched_off() {
        assert!(cleaned("f --enable_dependency_processing").1.is_empty());
        assert!(cleaned("f --enable_dependency_processing=T").1.is_empty());
        let (kept, warnings) = cleaned("f --enable_dependency_processing=false");
        assert_eq!(kept, "f");
        assert!(warnings[0].contains("always processed"));
    }

    #[test]
    fn what_follows_two_dashes_is_left_alone() {
        assert_eq!(cleaned("f -- --sync_period 1 -e x").0, "f -- --sync_period 1 -e x");
        assert_eq!(cleaned("f --sync_perio 1").0, "f --sync_perio 1");
    }
}
