//! Passwords: Argon2id, off the threads that serve requests, and few at a time, since each costs 19 MB and a core.

use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;

/// Fewest characters of a new password.
pub const SHORTEST: usize = 12;
/// Most bytes of a password: what is longer is no password but an attempt to keep the server busy.
pub const LONGEST: usize = 1024;

/// Passwords looked at at once.
static RUNNING: Semaphore = Semaphore::const_new(2);
/// Passwords that may wait to be looked at.
static WAITING: Semaphore = Semaphore::const_new(64);

/// Why a password cannot be looked at, or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Fewer than [`SHORTEST`] characters, or more than [`LONGEST`] bytes.
    #[error("a password has at least {SHORTEST} characters and at most {LONGEST} bytes")]
    Length,
    /// Easy to guess.
    #[error("this password is easy to guess: take a few words that have nothing to do with each other")]
    Easy,
    /// Too many wait already.
    #[error("too many passwords are being checked")]
    Busy,
}

/// Judges a new password of who is called `names`: what people choose most, patterns of the keyboard, dates, repetitions
/// and their own names are refused.
///
/// # Errors
/// [`PasswordError::Length`], [`PasswordError::Easy`].
pub fn judge(password: &str, names: &[&str]) -> Result<(), PasswordError> {
    if password.chars().count() < SHORTEST || password.len() > LONGEST {
        return Err(PasswordError::Length);
    }
    let mut words: Vec<_> = names
        .iter()
        .flat_map(|name| name.split_whitespace().chain([*name]))
        .collect();
    words.extend([
        "loa",
        "truyenthanh",
        "truyền thanh",
        "matkhau",
        "mật khẩu",
        "phuong",
        "xa",
        "thon",
    ]);
    // Its work grows fast with the length; what is hard to guess is so from its beginning.
    let beginning: String = password.chars().take(64).collect();
    match zxcvbn::zxcvbn(&beginning, &words).score() {
        zxcvbn::Score::Three | zxcvbn::Score::Four => Ok(()),
        _ => Err(PasswordError::Easy),
    }
}

/// The hash of a new password, as a PHC string.
///
/// # Errors
/// [`PasswordError`].
pub async fn hash(password: String) -> Result<String, PasswordError> {
    if password.chars().count() < SHORTEST || password.len() > LONGEST {
        return Err(PasswordError::Length);
    }
    slowly(move || {
        let hash = Argon2::default().hash_password(password.as_bytes());
        hash.expect("the default parameters fit, and the system has random numbers")
            .to_string()
    })
    .await
}

/// Whether `password` is the one that `hash` was made of. Without a hash, or with an empty one, the answer is no, after as
/// much work.
///
/// # Errors
/// [`PasswordError`].
pub async fn is_right(password: String, hash: Option<String>) -> Result<bool, PasswordError> {
    if password.len() > LONGEST {
        return Ok(false);
    }
    slowly(move || {
        static NOBODY: LazyLock<String> = LazyLock::new(|| {
            let hash = Argon2::default().hash_password(b"nobody's password");
            hash.expect("the default parameters fit, and the system has random numbers")
                .to_string()
        });
        let hash = hash.as_deref().filter(|hash| !hash.is_empty());
        let known = hash.is_some();
        let hash = hash.unwrap_or(&NOBODY);
        let right = PasswordHash::new(hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
        known && right
    })
    .await
}

async fn slowly<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
    let _waiting = WAITING.try_acquire().map_err(|_| PasswordError::Busy)?;
    let running = RUNNING.acquire().await.expect("never closed");
    // The permit goes along: an answer that nobody waits for any more still costs its core until it is there.
    let done = tokio::task::spawn_blocking(move || {
        let _running = running;
        work()
    });
    Ok(done.await.expect("hashing does not panic"))
}
