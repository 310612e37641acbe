//! How tokens that others signed are read: which signatures and times are accepted, and the claims beside the standard ones.

use std::time::Duration;

use openidconnect::core::{
    CoreGenderClaim, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm,
};
use openidconnect::{AdditionalClaims, IdToken, IdTokenVerifier};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How far the issuer's clock and ours may differ.
pub(super) const CLOCK_SKEW: Duration = Duration::from_secs(60);
/// What a token may be signed with. Signatures by a shared secret, and none at all, are refused whatever the issuer lists.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// All claims of a token beside the standard ones.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct OtherClaims {
    #[serde(flatten)]
    pub(super) claims: Map<String, Value>,
}

impl AdditionalClaims for OtherClaims {}

/// A signed token with such claims.
pub(super) type SignedToken =
    IdToken<OtherClaims, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>;

/// Makes a verifier accept those signatures and times alone.
pub(super) fn careful(verifier: IdTokenVerifier<'_, CoreJsonWebKey>) -> IdTokenVerifier<'_, CoreJsonWebKey> {
    verifier
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(|| chrono::Utc::now() - CLOCK_SKEW)
        .set_issue_time_verifier_fn(|issued| {
            if issued > chrono::Utc::now() + CLOCK_SKEW {
                Err("it was issued in the future".to_owned())
            } else {
                Ok(())
            }
        })
}
