//! Who a user key stands for, sealed with XChaCha20-Poly1305 under the credential `identity-key`. In: key and plain
//! identity. Out: sealed bytes for the store, and back again for who holds the credential.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::event::{ChannelId, User, UserKey};

/// First byte of a sealed identity: the scheme.
const VERSION: u8 = 1;
/// Bytes of an XChaCha20 nonce.
const NONCE: usize = 24;

/// Who it is, as the platform said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub platform: String,
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Identity {
    /// The identity of an event's author; `None` once only the key is kept.
    pub fn of(channel: &ChannelId, user: &User) -> Option<Self> {
        (!user.id.is_empty()).then(|| Self {
            platform: channel.platform().into(),
            id: (*user.id).into(),
            name: user.name.as_deref().map(Into::into),
        })
    }
}

/// Why a sealed identity does not open.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IdentityError {
    #[error("a sealed identity of an unknown form: it was written by a newer version")]
    Form,
    #[error("the credential identity-key does not open it, or it was changed")]
    Key,
}

/// Seals and opens identities; holds the credential `identity-key`.
#[derive(Clone)]
pub struct IdentityKey(XChaCha20Poly1305);

impl IdentityKey {
    /// From the credential's bytes, of any length; 32 random ones are right.
    pub fn new(credential: &[u8]) -> Self {
        // HMAC takes a key of any length, so this cannot fail.
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(credential)
            .expect("HMAC takes any key length");
        mac.update(b"vigie identity 1");
        let key: [u8; 32] = mac.finalize().into_bytes().into();
        Self(XChaCha20Poly1305::new(&key.into()))
    }

    /// Version, nonce, ciphertext; bound to the user's key.
    pub fn seal(&self, key: &UserKey, identity: &Identity) -> Vec<u8> {
        let nonce: [u8; NONCE] = rand::random();
        // Three strings always serialise, and the cipher takes any message of less than 256 GB.
        let plain = serde_json::to_vec(identity).unwrap_or_default();
        let sealed = self
            .0
            .encrypt(&XNonce::from(nonce), Payload { msg: &plain, aad: &key.0 })
            .unwrap_or_default();
        let mut out = Vec::with_capacity(1 + NONCE + sealed.len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        out
    }

    /// The identity behind a user's key.
    pub fn open(&self, key: &UserKey, sealed: &[u8]) -> Result<Identity, IdentityError> {
        let (version, rest) = sealed.split_first().ok_or(IdentityError::Form)?;
        if *version != VERSION {
            return Err(IdentityError::Form);
        }
        let (nonce, rest) = rest.split_at_checked(NONCE).ok_or(IdentityError::Form)?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| IdentityError::Form)?;
        let plain = self
            .0
            .decrypt(&XNonce::from(nonce), Payload { msg: rest, aad: &key.0 })
            .map_err(|_| IdentityError::Key)?;
        serde_json::from_slice(&plain).map_err(|_| IdentityError::Form)
    }
}

impl std::fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdentityKey(secret)")
    }
}
