//! Pictures: decoding within limits, resizing to what the model reads, and, without a model, how much moves.
//! Comes in: JPEG bytes as received. Goes out: tensors, grey thumbnails, motion.

use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use ndarray::{ArrayView3, ArrayViewMut3, Axis, Zip};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::manifest::Fit;
use super::moving::{self, Part};

/// Longest side accepted, in pixels; headers are read before anything is allocated.
pub const LONGEST_SIDE: usize = 8192;
/// Most pixels accepted: 8K video is 33 million.
pub const MOST_PIXELS: usize = 40_000_000;
/// Thumbnails on which motion within a look is measured.
const MOTION: (u32, u32) = (64, 36);
/// Thumbnails by which looks are compared.
const THUMB: (u32, u32) = (16, 9);

/// Why a picture cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ImageError {
    #[error("not a JPEG, or truncated: {0}")]
    Decode(String),
    #[error(
        "{width} × {height} pixels, at most {LONGEST_SIDE} a side and {MOST_PIXELS} in all are read"
    )]
    TooLarge { width: usize, height: usize },
}

/// An RGB picture, 8 bits a channel, row by row.
#[derive(Clone)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    rgb: Vec<u8>,
}

impl Picture {
    /// Decodes a JPEG. Errors: not a JPEG, truncated, too large.
    pub fn decode(bytes: &[u8]) -> Result<Self, ImageError> {
        let options = DecoderOptions::default()
            .set_strict_mode(true)
            .set_max_width(LONGEST_SIDE)
            .set_max_height(LONGEST_SIDE)
            .jpeg_set_out_colorspace(ColorSpace::RGB);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
        let decode = |e: zune_jpeg::errors::DecodeErrors| ImageError::Decode(short(&e.to_string()));
        decoder.decode_headers().map_err(decode)?;
        let (width, height) = decoder
            .dimensions()
            .ok_or_else(|| ImageError::Decode("no size in its header".into()))?;
        if width == 0 || height == 0 || width.saturating_mul(height) > MOST_PIXELS {
            return Err(ImageError::TooLarge { width, height });
        }
        let rgb = decoder.decode().map_err(decode)?;
        if rgb.len() != width * height * 3 {
            return Err(ImageError::Decode("its colours are not understood".into()));
        }
        Ok(Self { width: width as u32, height: height as u32, rgb })
    }

    /// Makes a picture from RGB bytes; for tests and drawn material. `None` if the length does not fit.
    pub fn from_rgb(width: u32, height: u32, rgb: Vec<u8>) -> Option<Self> {
        (rgb.len() == width as usize * height as usize * 3).then_some(Self { width, height, rgb })
    }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Buffers and tables for resizing, reused from picture to picture.
#[derive(Default)]
pub struct Eye {
    resizer: Resizer,
}

impl Eye {
    /// Fills `target`, [channel, row, column], with `(pixel - mean) / std`, the picture resized to its rows and columns.
    pub fn planes(
        &mut self,
        picture: &Picture,
        fit: Fit,
        mean: [f32; 3],
        std: [f32; 3],
        target: ArrayViewMut3<f32>,
    ) {
        let (_, height, width) = target.dim();
        let rgb = self.resize(picture, width as u32, height as u32, fitted(fit));
        normalised(&rgb, mean, std, target);
    }

    /// As [`Eye::planes`], of one part of the picture, stretched.
    pub fn planes_of(
        &mut self,
        part: Part,
        picture: &Picture,
        mean: [f32; 3],
        std: [f32; 3],
        target: ArrayViewMut3<f32>,
    ) {
        let (_, height, width) = target.dim();
        let (across, down) = (f64::from(picture.width), f64::from(picture.height));
        let (left, top) = (part.left * across, part.top * down);
        let cut = fitted(Fit::Stretch).crop(
            left,
            top,
            ((part.right - part.left) * across).min(across - left),
            ((part.bottom - part.top) * down).min(down - top),
        );
        let rgb = self.resize(picture, width as u32, height as u32, cut);
        normalised(&rgb, mean, std, target);
    }

    fn resize(
        &mut self,
        picture: &Picture,
        width: u32,
        height: u32,
        options: ResizeOptions,
    ) -> Vec<u8> {
        let source = fast_image_resize::images::ImageRef::new(
            picture.width,
            picture.height,
            &picture.rgb,
            PixelType::U8x3,
        );
        let mut target = Image::new(width, height, PixelType::U8x3);
        // Both images are U8x3 of checked sizes, so neither step can fail; a grey picture stands in if one did.
        if let Ok(source) = source {
            let _ = self.resizer.resize(&source, &mut target, &options);
        }
        target.into_vec()
    }

    fn grey(&mut self, picture: &Picture, (width, height): (u32, u32)) -> Vec<u8> {
        let rgb = self.resize(picture, width, height, fitted(Fit::Stretch));
        // BT.601 luma in 16-bit fixed point.
        let luma = |p: &[u8]| {
            (u32::from(p[0]) * 19595 + u32::from(p[1]) * 38470 + u32::from(p[2]) * 7471 + 32768)
                >> 16
        };
        rgb.chunks_exact(3).map(|p| luma(p) as u8).collect()
    }

    /// Mean absolute change of brightness between consecutive pictures, 0..=1; `None` for a single one.
    pub fn motion(&mut self, pictures: &[Picture]) -> Option<f32> {
        let greys: Vec<Vec<u8>> = pictures.iter().map(|p| self.grey(p, MOTION)).collect();
        let pairs = greys.windows(2);
        let count = pairs.len();
        let sum: u64 = pairs
            .flat_map(|pair| pair[0].iter().zip(&pair[1]))
            .map(|(a, b)| u64::from(a.abs_diff(*b)))
            .sum();
        let points = (MOTION.0 * MOTION.1) as f64 * count as f64;
        (count > 0).then(|| (sum as f64 / (points * 255.0)) as f32)
    }

    /// The part of a look's pictures in which things move; the whole where nothing does.
    pub fn moving(&mut self, pictures: &[Picture]) -> Part {
        let Some(first) = pictures.first() else { return Part::WHOLE };
        let greys: Vec<Vec<u8>> = pictures.iter().map(|p| self.grey(p, moving::GRID)).collect();
        moving::part(&greys, f64::from(first.height) / f64::from(first.width))
    }

    /// 16 × 9 grey thumbnail.
    pub fn thumb(&mut self, picture: &Picture) -> Vec<u8> {
        self.grey(picture, THUMB)
    }
}

fn fitted(fit: Fit) -> ResizeOptions {
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    match fit {
        Fit::Stretch => options,
        Fit::Cover => options.fit_into_destination(None),
    }
}

/// `(pixel - mean) / std`, channel by channel.
fn normalised(rgb: &[u8], mean: [f32; 3], std: [f32; 3], mut target: ArrayViewMut3<f32>) {
    let (_, height, width) = target.dim();
    let Ok(rgb) = ArrayView3::from_shape((height, width, 3), rgb) else { return };
    for (channel, plane) in target.outer_iter_mut().enumerate() {
        let (mean, scale) = (mean[channel], 1.0 / std[channel]);
        Zip::from(plane)
            .and(rgb.index_axis(Axis(2), channel))
            .for_each(|value, pixel| *value = (f32::from(*pixel) - mean) * scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg(width: u16, height: u16, shift: usize) -> Vec<u8> {
        let rgb: Vec<u8> = (0..usize::from(width) * usize::from(height))
            .flat_map(|i| {
                let (x, y) = (i % usize::from(width) + shift, i / usize::from(width));
                let on = (x / 8 + y / 8) % 2 == 0;
                [if on { 220 } else { 30 }, 90, 60]
            })
            .collect();
        let mut out = Vec::new();
        jpeg_encoder::Encoder::new(&mut out, 85)
            .encode(&rgb, width, height, jpeg_encoder::ColorType::Rgb)
            .unwrap();
        out
    }

    #[test]
    fn motion_tells_a_moved_picture_from_the_same_one() {
        let mut eye = Eye::default();
        let still = [jpeg(160, 90, 0), jpeg(160, 90, 0)].map(|j| Picture::decode(&j).unwrap());
        let moved = [jpeg(160, 90, 0), jpeg(160, 90, 5)].map(|j| Picture::decode(&j).unwrap());
        assert_eq!(eye.motion(&still), Some(0.0));
        assert!(eye.motion(&moved).unwrap() > 0.05);
        assert_eq!(eye.motion(&still[..1]), None);
        assert_eq!(eye.thumb(&still[0]).len(), 144);
    }

    #[test]
    fn bad_pictures_are_refused_before_memory_is_taken() {
        let good = jpeg(64, 64, 0);
        assert!(Picture::decode(&good[..good.len() / 2]).is_err(), "truncated");
        assert!(Picture::decode(b"\x89PNG\r\n\x1a\n").is_err(), "a PNG");
        assert!(Picture::decode(b"").is_err());
        let mut bomb = good.clone();
        let sof = bomb.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        bomb[sof + 5..sof + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
        assert!(Picture::decode(&bomb).is_err(), "65535 × 65535");
    }

    #[test]
    fn a_part_is_that_part() {
        let rgb: Vec<u8> = (0..32u8).flat_map(|i| [if i % 8 < 4 { 0 } else { 200 }; 3]).collect();
        let picture = Picture::from_rgb(8, 4, rgb).unwrap();
        let mut out = ndarray::Array3::zeros((3, 4, 4));
        let right = Part { left: 0.75, ..Part::WHOLE };
        Eye::default().planes_of(right, &picture, [0.0; 3], [1.0; 3], out.view_mut());
        assert!(out.iter().all(|value| *value == 200.0), "{out}");
        let odd = Part { left: 0.8, top: 0.9, right: 1.0 + 1e-9, bottom: 1.0 + 1e-9 };
        out.fill(-1.0);
        Eye::default().planes_of(odd, &picture, [0.0; 3], [1.0; 3], out.view_mut());
        assert!(out.iter().all(|value| *value == 200.0), "{out}");
    }

    #[test]
    fn planes_are_normalised_channel_by_channel() {
        let picture = Picture::from_rgb(2, 2, [10, 20, 30].repeat(4)).unwrap();
        let mut out = ndarray::Array3::zeros((3, 4, 4));
        let (mean, std) = ([0.0, 10.0, 0.0], [10.0; 3]);
        Eye::default().planes(&picture, Fit::Stretch, mean, std, out.view_mut());
        assert_eq!((out[[0, 0, 0]], out[[1, 0, 0]], out[[2, 3, 3]]), (1.0, 1.0, 3.0));
    }
}
