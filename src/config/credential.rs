//! Secrets from outside the files: systemd's credentials folder first, then the environment; keys that only this
//! machine needs are made once in the state folder.

use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A secret's value. It is never printed; [`SecretValue::expose`] is the one way to it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(String);

impl SecretValue {
    /// The value itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// Where a credential came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialFrom {
    /// A file in systemd's `$CREDENTIALS_DIRECTORY`.
    Systemd,
    /// This environment variable.
    Environment(String),
    /// This file of the state folder, made by an earlier run.
    StateFolder(PathBuf),
    /// This file of the state folder, made just now.
    Made(PathBuf),
}

/// Why there is no credential.
#[derive(Debug, Error)]
pub enum CredentialError {
    #[error(
        "credential `{name}` is not set: neither `$CREDENTIALS_DIRECTORY/{name}` nor `${variable}`"
    )]
    Missing { name: String, variable: String },
    #[error("credential `{name}` is empty ({place})")]
    Empty { name: String, place: String },
    #[error("`{name}` is no credential's name: lower-case letters, digits and `-` are")]
    Name { name: String },
    #[error("credential `{name}`: {path}: {error}")]
    Io { name: String, path: PathBuf, error: io::Error },
}

/// The environment variable of a credential: `user-key` is `VIGIE_CREDENTIAL_USER_KEY`.
pub fn credential_variable(name: &str) -> String {
    format!("VIGIE_CREDENTIAL_{}", name.to_uppercase().replace('-', "_"))
}

/// The value of a credential, without the line end at its end.
///
/// # Errors
/// If it is nowhere, empty or cannot be read, or if `name` is no credential's name.
pub fn credential(name: &str) -> Result<SecretValue, CredentialError> {
    find(name, &|variable| std::env::var(variable).ok()).map(|(value, _)| value)
}

/// Like [`credential`]; one that is nowhere is taken from file `name` of the state folder `dir`, and made there
/// (256 random bits in hexadecimal, mode 0600, on disk before this returns) if it is not there either.
///
/// # Errors
/// As [`credential`], but never for want of it; and if it cannot be made.
pub fn credential_or_create(
    name: &str,
    dir: &Path,
) -> Result<(SecretValue, CredentialFrom), CredentialError> {
    find_or_create(name, dir, &|variable| std::env::var(variable).ok())
}

type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Whether `name` can be a credential's: it becomes a file's name.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn find(name: &str, env: Environment) -> Result<(SecretValue, CredentialFrom), CredentialError> {
    if !is_name(name) {
        return Err(CredentialError::Name { name: name.to_owned() });
    }
    if let Some(dir) = env("CREDENTIALS_DIRECTORY")
        && let Some(value) = read(name, &Path::new(&dir).join(name))?
    {
        return Ok((value, CredentialFrom::Systemd));
    }
    let variable = credential_variable(name);
    match env(&variable) {
        Some(text) => Ok((value(name, &text, &variable)?, CredentialFrom::Environment(variable))),
        None => Err(CredentialError::Missing { name: name.to_owned(), variable }),
    }
}

fn find_or_create(
    name: &str,
    dir: &Path,
    env: Environment,
) -> Result<(SecretValue, CredentialFrom), CredentialError> {
    match find(name, env) {
        Err(CredentialError::Missing { .. }) => {}
        other => return other,
    }
    let path = dir.join(name);
    if let Some(value) = read(name, &path)? {
        return Ok((value, CredentialFrom::StateFolder(path)));
    }
    let bytes: [u8; 32] = rand::random();
    let mut text = String::with_capacity(64);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    let io = |error| CredentialError::Io { name: name.to_owned(), path: path.clone(), error };
    std::fs::create_dir_all(dir).map_err(io)?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(io)?;
    file.write_all(text.as_bytes()).map_err(io)?;
    file.sync_all().map_err(io)?;
    Ok((SecretValue(text), CredentialFrom::Made(path)))
}

fn read(name: &str, path: &Path) -> Result<Option<SecretValue>, CredentialError> {
    match std::fs::read_to_string(path) {
        Ok(text) => value(name, &text, &path.display().to_string()).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            Err(CredentialError::Io { name: name.to_owned(), path: path.to_owned(), error })
        }
    }
}

fn value(name: &str, text: &str, place: &str) -> Result<SecretValue, CredentialError> {
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(CredentialError::Empty { name: name.to_owned(), place: place.to_owned() });
    }
    Ok(SecretValue(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn systemd_comes_before_the_environment_and_line_ends_go() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("hook-secret"), "from systemd\n").unwrap();
        let dir = folder.path().display().to_string();
        let env = |variable: &str| match variable {
            "CREDENTIALS_DIRECTORY" => Some(dir.clone()),
            "VIGIE_CREDENTIAL_HOOK_SECRET" | "VIGIE_CREDENTIAL_OTHER" => {
                Some("from the environment".into())
            }
            "VIGIE_CREDENTIAL_BLANK" => Some("\n".into()),
            _ => None,
        };
        assert_eq!(find("hook-secret", &env).unwrap().0.expose(), "from systemd");
        assert_eq!(find("other", &env).unwrap().0.expose(), "from the environment");
        assert!(matches!(find("blank", &env), Err(CredentialError::Empty { .. })));
        assert!(matches!(find("nowhere", &env), Err(CredentialError::Missing { .. })));
        assert!(matches!(find("../etc/passwd", &env), Err(CredentialError::Name { .. })));
        assert_eq!(format!("{:?}", find("other", &env).unwrap().0), "(secret)");
    }

    #[test]
    fn a_key_is_made_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("state");
        let none = |_: &str| None;
        let (made, from) = find_or_create("user-key", &dir, &none).unwrap();
        let CredentialFrom::Made(path) = from else { panic!("{from:?}") };
        assert_eq!(made.expose().len(), 64);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let (again, from) = find_or_create("user-key", &dir, &none).unwrap();
        assert_eq!(again, made);
        assert_eq!(from, CredentialFrom::StateFolder(path));
    }
}
