//! Key material for tokens: where it may come from and what is refused.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};

/// Fewest bytes of a key. Shorter ones can be guessed.
pub(super) const MIN_KEY: usize = 16;
/// The default key of the servers that Sluice replaces: known to everybody.
const WELL_KNOWN: &[u8] = b"overflow";
/// Name of the random key's file in the state folder.
const FILE_NAME: &str = "encryption_key";
const RANDOM_KEY: usize = 32;

/// Why there is no usable key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No key at all.
    #[error("no key")]
    Missing,
    /// The seed's default.
    #[error("`overflow` is a published default, so anybody could forge links")]
    WellKnown,
    /// Under [`MIN_KEY`] bytes.
    #[error("it has {0} bytes, and {MIN_KEY} are the least")]
    Short(usize),
    /// The key's file can't be read or made.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The system gave no random bytes, or the cipher failed: neither is expected ever.
    #[error("the cryptographic library failed")]
    Crypto,
}

/// A secret that keys are derived from. Never shown.
#[derive(Clone)]
pub struct KeyMaterial(Vec<u8>);

impl std::fmt::Debug for KeyMaterial {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("KeyMaterial(…)")
    }
}

impl KeyMaterial {
    /// Takes a secret of at least [`MIN_KEY`] bytes; white space around it is not part of it.
    pub fn new(secret: &[u8]) -> Result<Self, KeyError> {
        let secret = secret.trim_ascii();
        if secret == WELL_KNOWN {
            return Err(KeyError::WellKnown);
        }
        if secret.len() < MIN_KEY {
            return Err(KeyError::Short(secret.len()));
        }
        Ok(Self(secret.to_vec()))
    }

    /// A new random secret, which no restart will know.
    pub fn random() -> Result<Self, KeyError> {
        Ok(Self(random_text()?.into_bytes()))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The random key kept in `folder` with mode 0600; made there if it is not.
pub fn state_key(folder: &Path) -> Result<KeyMaterial, KeyError> {
    let path = state_file(folder);
    match read(&path) {
        Err(KeyError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
        other => {
            // A copy or a restore may have opened it to others. Where it is not ours to change, it stays.
            let _ = std::fs::set_permissions(&path, Permissions::from_mode(0o600));
            return other;
        }
    }
    std::fs::create_dir_all(folder)?;
    // Written whole under another name and linked into place: a crash leaves no half key, and of two servers
    // that start together both use the one that was first.
    let secret = random_text()?;
    let draft = draft(folder)?;
    let written = write_new(&draft, secret.as_bytes());
    let linked = written.and_then(|()| match std::fs::hard_link(&draft, &path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    });
    // The draft is of no use any more; a leftover one harms nobody.
    let _ = std::fs::remove_file(&draft);
    linked?;
    read(&path)
}

/// Where [`state_key`] keeps the key.
pub fn state_file(folder: &Path) -> PathBuf {
    folder.join(FILE_NAME)
}

/// Whether [`state_key`] would find the key there, or could make one. Leaves nothing behind, not even the folder.
pub fn try_state(folder: &Path) -> Result<StateKey, KeyError> {
    match read(&state_file(folder)) {
        Ok(_) => return Ok(StateKey::Kept),
        Err(KeyError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if folder.is_dir() {
        let draft = draft(folder)?;
        let written = write_new(&draft, random_text()?.as_bytes());
        // Where it was not even made, there is none.
        let _ = std::fs::remove_file(&draft);
        written?;
    } else {
        // Above a relative one there is nothing by name.
        let folder = std::path::absolute(folder)?;
        let above = folder.ancestors().find(|above| above.exists()).unwrap_or(Path::new("/"));
        let enter = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        rustix::fs::access(above, enter).map_err(io::Error::from)?;
        if !above.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory).into());
        }
    }
    Ok(StateKey::ToBeMade)
}

/// What there is of the random key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateKey {
    /// It is there.
    Kept,
    /// The first start will make it.
    ToBeMade,
}

fn draft(folder: &Path) -> Result<PathBuf, KeyError> {
    Ok(folder.join(format!(".{FILE_NAME}.{}", &random_text()?[..16])))
}

fn read(path: &Path) -> Result<KeyMaterial, KeyError> {
    let mut secret = Vec::new();
    File::open(path)?.take(4096).read_to_end(&mut secret)?;
    KeyMaterial::new(&secret)
}

fn write_new(path: &Path, secret: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(secret)?;
    file.sync_all()
}

/// 32 random bytes in hexadecimal.
fn random_text() -> Result<String, KeyError> {
    let mut bytes = [0; RANDOM_KEY];
    SystemRandom::new().fill(&mut bytes).map_err(|_| KeyError::Crypto)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
