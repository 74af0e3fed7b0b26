//! A channel's state as the store keeps it: JSON, packed by zstd to a fifth of its size or so (states of a soak's busy
//! channels: 6.4 kB of 28.7, 12.8 of 67.7). Plain JSON, as older versions left it, is read too.

use std::cell::RefCell;
use std::io;

use zstd::bulk::Compressor;

use super::Slot;

/// The fastest of zstd's usual levels: alerts wait while a checkpoint is packed.
const LEVEL: i32 = 1;
/// Largest state that is unpacked: a state has bounds of its own, far below.
const MOST: usize = 64 << 20;
/// How a zstd frame begins (RFC 8878, 3.1.1).
const MAGIC: [u8; 4] = zstd::zstd_safe::MAGICNUMBER.to_le_bytes();

thread_local! {
    /// A shard packs thousands of states one after another.
    static PACKER: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

/// # Errors
/// A state that is no JSON, or no memory for packing it.
pub fn pack(slot: &Slot) -> io::Result<Vec<u8>> {
    let plain = serde_json::to_vec(slot)?;
    PACKER.with_borrow_mut(|packer| match packer {
        Some(packer) => packer.compress(&plain),
        None => packer.insert(Compressor::new(LEVEL)?).compress(&plain),
    })
}

/// # Errors
/// Bytes that are neither, are cut short, or unpack to more than [`MOST`].
pub fn unpack(state: &[u8]) -> io::Result<Slot> {
    if !state.starts_with(&MAGIC) {
        return Ok(serde_json::from_slice(state)?);
    }
    let size = zstd::zstd_safe::get_frame_content_size(state);
    let size = size.ok().flatten().and_then(|size| usize::try_from(size).ok());
    let size = size.filter(|size| *size <= MOST).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "a packed state of no plausible size")
    })?;
    Ok(serde_json::from_slice(&zstd::bulk::decompress(state, size)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_packed_or_as_older_versions_left_it() {
        let slot = Slot { feed_name: "watched".into(), saved_in: 3, ..Slot::default() };
        let plain = serde_json::to_vec(&slot).unwrap();
        let packed = pack(&slot).unwrap();
        assert!(packed.len() < plain.len(), "{} of {} bytes", packed.len(), plain.len());
        for kept in [&packed, &plain] {
            let back = unpack(kept).unwrap();
            assert_eq!(serde_json::to_vec(&back).unwrap(), plain);
        }
        // A second one goes through the same packer.
        assert_eq!(pack(&slot).unwrap(), packed);
    }

    #[test]
    fn what_is_cut_short_or_claims_to_be_huge_is_refused() {
        let packed = pack(&Slot::default()).unwrap();
        assert!(unpack(&packed[..packed.len() - 1]).is_err());
        assert!(unpack(&MAGIC).is_err());
        // A frame of one segment whose size takes eight bytes (RFC 8878, 3.1.1.1): 2^62 bytes.
        let mut huge = MAGIC.to_vec();
        huge.extend([0b1110_0000]);
        huge.extend((1_u64 << 62).to_le_bytes());
        assert_eq!(unpack(&huge).unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert!(unpack(b"neither").is_err());
    }
}
