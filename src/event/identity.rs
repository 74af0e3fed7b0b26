//! Who said it: a keyed hash that state, journal and evidence may hold, beside the plain identity that may not.

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Sha256;

use super::media::{hex, unhex};

/// First 16 bytes of HMAC-SHA-256(key, `platform:user.id`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserKey(pub [u8; 16]);

impl UserKey {
    pub fn hex(&self) -> String {
        hex(&self.0)
    }

    /// Its first half: enough to tell the authors of one channel apart.
    pub fn short(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    pub fn parse(text: &str) -> Option<Self> {
        Some(Self(unhex(text)?.try_into().ok()?))
    }
}

impl Serialize for UserKey {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.hex())
    }
}

impl<'de> Deserialize<'de> for UserKey {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("expected 32 hex digits"))
    }
}

/// The author of an event. `id` and `name` leave the process only encrypted.
#[derive(Clone, Debug)]
pub struct User {
    pub key: UserKey,
    /// The platform's id; empty once only the key is kept.
    pub id: Box<str>,
    pub name: Option<Box<str>>,
}

/// Makes user keys; holds the credential `user-key`.
#[derive(Clone)]
pub struct Keyer(Hmac<Sha256>);

impl Keyer {
    pub fn new(secret: &[u8]) -> Self {
        // HMAC takes a key of any length, so this cannot fail.
        Self(<Hmac<Sha256> as KeyInit>::new_from_slice(secret).expect("HMAC takes any key length"))
    }

    /// Recordings replay under the fixed key `replay`.
    pub fn replay() -> Self {
        Self::new(b"replay")
    }

    pub fn key(&self, platform: &str, id: &str) -> UserKey {
        let mut mac = self.0.clone();
        mac.update(platform.as_bytes());
        mac.update(b":");
        mac.update(id.as_bytes());
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        let mut key = [0; 16];
        key.copy_from_slice(&full[..16]);
        UserKey(key)
    }
}

impl std::fmt::Debug for Keyer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyer(secret)")
    }
}
