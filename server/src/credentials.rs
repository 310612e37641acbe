//! What `tollgate login` keeps on this machine: which server is used, and the token for each.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The file, as it was read.
pub(crate) struct Credentials {
    path: PathBuf,
    kept: Kept,
}

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    /// The server that commands use when none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[serde(default)]
    tokens: BTreeMap<String, KeptToken>,
}

#[derive(Clone, Serialize, Deserialize)]
struct KeptToken {
    token: String,
    expires_at: Option<Timestamp>,
}

/// Why credentials cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error(
        "Neither XDG_CONFIG_HOME nor HOME says where credentials may be kept. Set TOLLGATE_TOKEN instead."
    )]
    NoPlace,
    #[error("{path} cannot be read: {why}. Remove it and run tollgate login again.")]
    Unreadable { path: String, why: String },
    #[error("{path} cannot be written: {why}")]
    Unwritable { path: String, why: String },
}

impl Credentials {
    /// Reads what is kept; nothing where there is no file.
    pub(crate) fn read() -> Result<Credentials, CredentialsError> {
        let path = path().ok_or(CredentialsError::NoPlace)?;
        let unreadable = |why: String| CredentialsError::Unreadable { path: path.display().to_string(), why };
        let kept = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?,
            Err(error) if error.kind() == ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(unreadable(error.to_string())),
        };
        Ok(Credentials { path, kept })
    }

    /// The server that commands use when none is named.
    pub(crate) fn server(&self) -> Option<&str> {
        self.kept.server.as_deref()
    }

    /// The token for a server, unless it has expired.
    pub(crate) fn token(&self, server: &str, now: Timestamp) -> Option<String> {
        let kept = self.kept.tokens.get(server)?;
        kept.expires_at.is_none_or(|expires_at| expires_at > now).then(|| kept.token.clone())
    }

    /// Uses `server` from now on, with the token where it asks for one.
    pub(crate) fn log_in(
        &mut self,
        server: &str,
        token: Option<(String, Option<Timestamp>)>,
    ) -> Result<(), CredentialsError> {
        self.kept.server = Some(server.to_owned());
        self.kept.tokens.remove(server);
        if let Some((token, expires_at)) = token {
            self.kept.tokens.insert(server.to_owned(), KeptToken { token, expires_at });
        }
        self.write()
    }

    /// Forgets a server and its token.
    pub(crate) fn log_out(&mut self, server: &str) -> Result<(), CredentialsError> {
        self.kept.tokens.remove(server);
        if self.kept.server.as_deref() == Some(server) {
            self.kept.server = None;
        }
        self.write()
    }

    /// Replaces the file as a whole, so that a process that ends midway leaves the old one; only its owner can read it.
    fn write(&self) -> Result<(), CredentialsError> {
        let write = || -> io::Result<()> {
            let directory = self.path.parent().unwrap_or(&self.path);
            fs::create_dir_all(directory)?;
            let mut file = tempfile::NamedTempFile::new_in(directory)?;
            serde_json::to_writer_pretty(&mut file, &self.kept)?;
            file.write_all(b"\n")?;
            file.persist(&self.path)?;
            Ok(())
        };
        write().map_err(|error| CredentialsError::Unwritable {
            path: self.path.display().to_string(),
            why: error.to_string(),
        })
    }
}

fn path() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(config.join("tollgate/credentials.json"))
}
