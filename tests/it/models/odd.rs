//! Pictures that are odd: each has its defined answer (docs/models.md, "Odd pictures"), and none hurts its neighbours.

use bytes::Bytes;
use jpeg_encoder::{ColorType, Encoder};
use vigie::event::FrameLabel;
use vigie::model::Scorer;
use vigie::model::image::{ImageError, Picture};

use super::foreign::plain;
use super::shipped;

fn encoded(width: u16, height: u16, kind: ColorType, pixel: &[u8], progressive: bool) -> Bytes {
    let pixels = pixel.repeat(usize::from(width) * usize::from(height));
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, 95);
    encoder.set_progressive(progressive);
    encoder.encode(&pixels, width, height, kind).expect("encoded");
    out.into()
}

/// A JPEG whose header says another size, or other bits a channel.
fn header(bytes: &Bytes, change: impl FnOnce(&mut [u8])) -> Bytes {
    let mut bytes = bytes.to_vec();
    let start = bytes.windows(2).position(|w| w == [0xff, 0xc0]).expect("a frame header");
    change(&mut bytes[start + 4..start + 9]);
    bytes.into()
}

#[test]
fn odd_pictures_that_are_pictures_score_like_any() {
    let Some(manifest) = shipped() else { return };
    let mut scorer = Scorer::open(&manifest).unwrap();
    let mut score = |picture: &Bytes| {
        let looked = scorer.look(std::slice::from_ref(picture)).unwrap();
        assert_eq!((looked.used, looked.problems.len()), (vec![true], 0));
        looked.scores.frame(FrameLabel::Violence).expect("a score")
    };
    let colour = [180, 60, 40];
    let whole = score(&plain(320, 180, colour));
    let near = |other: f32, what: &str| {
        assert!((other - whole).abs() < 0.02, "{what} scores {other}, a plain one {whole}");
    };
    near(score(&encoded(320, 180, ColorType::Rgb, &colour, true)), "a progressive one");
    near(score(&plain(1, 1, colour)), "a single pixel");
    near(score(&plain(8000, 1, colour)), "a line");
    near(score(&plain(1, 8000, colour)), "an upright line");
    let cmyk = [0, 170, 198, 75].map(|ink: u8| 255 - ink);
    score(&encoded(320, 180, ColorType::Cmyk, &cmyk, false));
    score(&encoded(320, 180, ColorType::CmykAsYcck, &cmyk, false));
    score(&encoded(320, 180, ColorType::Luma, &[90], false));
    // Of a moving picture made of JPEGs, its first is the picture.
    let (first, second) = (plain(320, 180, colour), plain(320, 180, [10, 200, 90]));
    let moving = Bytes::from([&first[..], &second[..]].concat());
    assert_eq!(score(&moving).to_bits(), score(&first).to_bits());
}

#[test]
fn colours_are_those_that_were_written() {
    let shown = |bytes: &Bytes| {
        let picture = Picture::decode(bytes).expect("a picture");
        let mut eye = vigie::model::image::Eye::default();
        (picture.width, picture.height, eye.thumb(&picture)[0])
    };
    // BT.601 brightness of (180, 60, 40) is 94.
    let near = |(width, height, grey): (u32, u32, u8), what: &str| {
        assert_eq!((width, height), (64, 48));
        assert!(grey.abs_diff(94) <= 3, "{what}: {grey}");
    };
    near(shown(&plain(64, 48, [180, 60, 40])), "baseline");
    near(shown(&encoded(64, 48, ColorType::Rgb, &[180, 60, 40], true)), "progressive");
    near(shown(&encoded(64, 48, ColorType::Luma, &[94], false)), "grey");
}

#[test]
fn what_is_no_picture_for_vigie_is_refused_by_its_name() {
    let small = plain(64, 48, [90; 3]);
    let long = header(&small, |at| at[1..].copy_from_slice(&[0, 1, 0x4e, 0x20]));
    assert_eq!(
        Picture::decode(&long).map(|_| ()),
        Err(ImageError::TooLarge { width: 20_000, height: 1 })
    );
    let large = header(&small, |at| at[1..].copy_from_slice(&[0x20, 0, 0x20, 0]));
    assert_eq!(
        Picture::decode(&large).map(|_| ()),
        Err(ImageError::TooLarge { width: 8192, height: 8192 })
    );
    let twelve = header(&small, |at| at[0] = 12);
    let nothing = header(&small, |at| at[1..].copy_from_slice(&[0, 0, 0, 0]));
    let cases: [(&str, Bytes, &str); 8] = [
        (
            "a PNG of 16 bits",
            Bytes::from_static(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x10\x02"),
            "a PNG",
        ),
        ("an animated GIF", Bytes::from_static(b"GIF89a\x01\0\x01\0"), "a GIF"),
        ("an animated WebP", Bytes::from_static(b"RIFF\x10\0\0\0WEBPVP8X"), "a WebP"),
        ("a BMP", Bytes::from_static(b"BM\0\0\0\0"), "a BMP"),
        ("a TIFF", Bytes::from_static(b"II*\0\x08\0\0\0"), "a TIFF"),
        ("an AVIF", Bytes::from_static(b"\0\0\0\x1cftypavif"), "AVIF"),
        ("a JPEG of 12 bits", twelve, "not a JPEG"),
        ("half a JPEG", small.slice(..small.len() / 2), "truncated"),
    ];
    for (what, bytes, needle) in cases {
        let error = Picture::decode(&bytes).map(|_| ()).expect_err(what).to_string();
        assert!(error.contains(needle) && error.contains("JPEG"), "{what}: {error}");
    }
    assert!(Picture::decode(&nothing).is_err());
}
