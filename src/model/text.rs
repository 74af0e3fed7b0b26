//! Placeholder until the normaliser lands.
pub fn alike_key(text: &str) -> u64 {
    text.len() as u64
}
