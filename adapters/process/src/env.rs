//! The environment of a command: what the policy keeps, then what is set. Pure.

use std::ffi::{OsStr, OsString};

use codex_proto::policy::EnvPolicy;

/// Set to `1` for a command that a sandbox keeps from the network.
pub const NETWORK_DISABLED: &str = "CODEX_SANDBOX_NETWORK_DISABLED";

/// Variables, in the order in which they are set; no name twice.
pub type Env = Vec<(OsString, OsString)>;

/// The variables of `parent` that `policy` keeps, then those that it sets, with the values that
/// `values` has for them.
///
/// Values are bytes and pass as they are. A name that is not UTF-8 is judged by its readable part.
#[must_use]
pub fn inherited(
    parent: &[(OsString, OsString)],
    policy: &EnvPolicy,
    values: &[(OsString, OsString)],
    own_credentials: &[String],
) -> Env {
    let mut env: Env = parent
        .iter()
        .filter(|(name, _)| policy.keeps(&name.to_string_lossy(), own_credentials))
        .cloned()
        .collect();
    for name in &policy.set {
        if let Some(value) = value_of(values, name) {
            set(&mut env, name.as_ref(), value);
        }
    }
    env
}

/// Sets a variable: replaces the value when the name is there, appends otherwise. A name that no
/// environment can hold (empty, or with `=` or NUL) is left out.
pub fn set(env: &mut Env, name: &OsStr, value: &OsStr) {
    let bytes = name.as_encoded_bytes();
    if bytes.is_empty() || bytes.contains(&b'=') || bytes.contains(&0) {
        return;
    }
    match env.iter_mut().find(|(known, _)| known == name) {
        Some((_, old)) => value.clone_into(old),
        None => env.push((name.to_owned(), value.to_owned())),
    }
}

/// The value of a variable.
#[must_use]
pub fn value_of<'a>(env: &'a [(OsString, OsString)], name: &str) -> Option<&'a OsStr> {
    env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str())
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn policy_filters_then_sets() {
        let raw = OsString::from_vec(vec![0xff, 0xfe]);
        let parent: Env = vec![
            ("PATH".into(), "/bin".into()),
            ("OPENAI_API_KEY".into(), "secret".into()),
            ("MINE".into(), "secret".into()),
            ("RAW".into(), raw.clone()),
        ];
        let policy = EnvPolicy {
            set: vec!["PATH".into(), "NEW".into(), "UNKNOWN".into()],
            ..EnvPolicy::default()
        };
        let values: Env = vec![
            ("NEW".into(), "".into()),
            ("OTHER".into(), "y".into()),
            ("PATH".into(), "/x".into()),
        ];
        let env = inherited(&parent, &policy, &values, &["MINE".into()]);
        let want: Env =
            vec![("PATH".into(), "/x".into()), ("RAW".into(), raw), ("NEW".into(), "".into())];
        assert_eq!(env, want);
    }

    #[test]
    fn impossible_names_are_left_out() {
        let mut env = Env::new();
        for name in ["", "A=B", "A\0B"] {
            set(&mut env, name.as_ref(), "x".as_ref());
        }
        assert!(env.is_empty());
    }
}
