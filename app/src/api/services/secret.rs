//! Secrets that are handed out: random, opaque, and known to the store by their hash alone.

use sha2::{Digest, Sha256};

/// 366 random bits, in letters that a cookie and a URL can hold.
pub fn new() -> String {
    let bytes = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4(), uuid::Uuid::new_v4()];
    bytes.iter().map(|part| part.simple().to_string()).collect()
}

/// What the store keeps of a secret. A fast hash is enough, since nobody can guess the secret.
pub fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_secrets_are_equal_and_none_is_its_hash() {
        let (one, other) = (new(), new());
        assert_ne!(one, other);
        assert_eq!(one.len(), 96);
        assert_ne!(hash(&one), one);
        assert_eq!(hash(&one), hash(&one));
    }
}
