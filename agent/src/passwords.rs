//! Passwords: argon2id with the OWASP parameters (19 MiB, two passes, one lane), which take some 15 ms of a core each;
//! so they run on blocking threads, a few at a time.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version, password_hash};
use server::Failure;
use tokio::sync::Semaphore;
use wire::ErrorReply;
use wire::limits::{PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};

/// Hashed at the same time: each takes 19 MiB and a core.
const CONCURRENT_MAX: usize = 2;
/// Waiting to be hashed: at 15 ms each the last one waits half a second. More is an attack, or a crowd that should come
/// back in a moment.
const WAITING_MAX: usize = 64;
const BUSY_RETRY_MS: u32 = 500;

/// In blocks of 1 KiB: above 32 MiB, the most that glibc's threshold for blocks of their own grows to
/// (`DEFAULT_MMAP_THRESHOLD_MAX` in its malloc).
const ALWAYS_RETURNED_BLOCKS: usize = 33 * 1024;

/// The hash of no password, with the same parameters: an unknown user must take as long as a known one.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$Z2FjZXRhLW5vYm9keQ$\
                      T0cfL7iFZ6YV0r1ea+dKKRR1ce4Rb4Lw3qDLAzJvGnY";

pub struct Passwords {
    running: Semaphore,
    admitted: Semaphore,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            running: Semaphore::new(CONCURRENT_MAX),
            admitted: Semaphore::new(CONCURRENT_MAX + WAITING_MAX),
        }
    }
}

impl Passwords {
    /// A PHC string. Refuses what is too short or too long.
    pub async fn hash(&self, password: String) -> Result<String, Failure> {
        if password.chars().count() < PASSWORD_CHARS_MIN {
            return Err(ErrorReply::invalid(format!(
                "a password needs at least {PASSWORD_CHARS_MIN} characters"
            ))
            .into());
        }
        check_length(&password)?;
        self.run(move || new_hash(&password).map_err(|e| e.to_string())).await?.map_err(|reason| {
            tracing::error!(%reason, "password not hashed");
            Failure(ErrorReply::failed())
        })
    }

    /// Whether `password` is the one behind `hash`; with no hash it takes as long, and is not.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, Failure> {
        check_length(&password)?;
        self.run(move || {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| NOBODY.to_string());
            let verified = is_behind(&password, &hash);
            known && verified
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
        let busy = || Failure(ErrorReply::busy("many people log in just now: try again", BUSY_RETRY_MS));
        let _admitted = self.admitted.try_acquire().map_err(|_| busy())?;
        let _running = self.running.acquire().await.map_err(|_| busy())?;
        tokio::task::spawn_blocking(work).await.map_err(|_| busy())
    }
}

fn check_length(password: &str) -> Result<(), Failure> {
    if password.len() > PASSWORD_BYTES_MAX {
        let text = format!("a password has at most {PASSWORD_BYTES_MAX} bytes");
        return Err(ErrorReply::new(wire::ErrorCode::TooLarge, text).into());
    }
    Ok(())
}

/// A PHC string of this password with a new salt.
fn new_hash(password: &str) -> password_hash::Result<String> {
    let params = Params::DEFAULT;
    let salt = Salt::generate();
    let hash = Some(output(password, &salt, params.clone())?);
    let params = ParamsString::try_from(&params)?;
    let version = Some(Version::V0x13.into());
    Ok(PasswordHash { algorithm: ARGON2ID_IDENT, version, params, salt: Some(salt), hash }.to_string())
}

/// In constant time, as far as the hash goes.
fn is_behind(password: &str, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    let is_ours = hash.algorithm == ARGON2ID_IDENT && hash.version == Some(Version::V0x13.into());
    let (true, Ok(params), Some(salt), Some(expected)) =
        (is_ours, Params::try_from(&hash), hash.salt, hash.hash)
    else {
        return false;
    };
    output(password, &salt, params).is_ok_and(|output| output == expected)
}

fn output(password: &str, salt: &Salt, params: Params) -> password_hash::Result<Output> {
    // Asked for larger than needed, never touched: so large a block glibc gives back to the system when it is freed. The size
    // that is needed it would keep, for each thread that ever hashed.
    let mut memory: Vec<Block> = Vec::with_capacity(params.block_count().max(ALWAYS_RETURNED_BLOCKS));
    memory.resize(params.block_count(), Block::default());
    let mut bytes = [0; Params::DEFAULT_OUTPUT_LEN];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
        password.as_bytes(),
        salt,
        &mut bytes,
        memory.as_mut_slice(),
    )?;
    Ok(Output::new(&bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::PasswordVerifier;

    #[tokio::test]
    async fn the_right_password_and_no_other() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("correct horse".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("correct horsf".into(), Some(hash)).await.unwrap());
        assert!(!passwords.verify("correct horse".into(), None).await.unwrap());
        // As every other implementation of argon2 reads it.
        let hash = passwords.hash("correct horse".into()).await.unwrap();
        Argon2::default().verify_password(b"correct horse", hash.as_str()).unwrap();
        assert!(PasswordHash::new(NOBODY).is_ok(), "or unknown users would answer faster than known ones");
        assert!(passwords.hash("seven77".into()).await.is_err());
    }
}
