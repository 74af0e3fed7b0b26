//! Pictures: decoding within limits, resizing to what the model reads, and, without a model, how much moves.
//! Comes in: JPEG bytes as received. Goes out: tensors, grey thumbnails, motion.

use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use ndarray::{ArrayView3, ArrayViewMut3, Axis, Slice, Zip};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::manifest::{Channels, Fit, Layout, Planes};
use super::moving::{self, Part};

/// Longest side accepted, in pixels; headers are read before anything is allocated.
pub const LONGEST_SIDE: usize = 8192;
/// Most pixels accepted: 8K video is 33 million.
pub const MOST_PIXELS: usize = 40_000_000;
/// Thumbnails on which motion within a look is measured.
const MOTION: (u32, u32) = (64, 36);
/// Thumbnails by which looks are compared.
const THUMB: (u32, u32) = (16, 9);

/// Other formats, known by how they begin.
const OTHERS: [(fn(&[u8]) -> bool, &str); 6] = [
    (|b| b.starts_with(b"\x89PNG"), "a PNG"),
    (|b| b.starts_with(b"GIF8"), "a GIF"),
    (|b| b.starts_with(b"RIFF") && b.get(8..12) == Some(b"WEBP"), "a WebP"),
    (|b| b.starts_with(b"BM"), "a BMP"),
    (|b| b.starts_with(b"II*\0") || b.starts_with(b"MM\0*"), "a TIFF"),
    (|b| b.get(4..8) == Some(b"ftyp"), "an AVIF, HEIF or video file"),
];

/// Why a picture cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ImageError {
    #[error("not a JPEG, or truncated: {0}")]
    Decode(String),
    #[error("{0}, and only JPEG is read")]
    Other(&'static str),
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
    /// Decodes a JPEG: baseline or progressive; grey, colour or CMYK; of several that follow one another the first.
    /// Errors: not a JPEG, of 12 bits a channel, truncated, too large.
    pub fn decode(bytes: &[u8]) -> Result<Self, ImageError> {
        if let Some((_, what)) = OTHERS.iter().find(|(begins, _)| begins(bytes)) {
            return Err(ImageError::Other(what));
        }
        let options = DecoderOptions::default()
            .set_strict_mode(true)
            // A header holds no more; what is too large is told with its size below.
            .set_max_width(usize::from(u16::MAX))
            .set_max_height(usize::from(u16::MAX))
            .jpeg_set_out_colorspace(ColorSpace::RGB);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
        let decode = |e: zune_jpeg::errors::DecodeErrors| ImageError::Decode(short(&e.to_string()));
        decoder.decode_headers().map_err(decode)?;
        let (width, height) = decoder
            .dimensions()
            .ok_or_else(|| ImageError::Decode("no size in its header".into()))?;
        let too_large = width.max(height) > LONGEST_SIDE || width * height > MOST_PIXELS;
        if width == 0 || height == 0 || too_large {
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
    /// Fills `target`, of [`Planes`]'s layout, with the picture as a model reads it.
    pub fn planes(&mut self, picture: &Picture, planes: &Planes, target: ArrayViewMut3<f32>) {
        self.laid(picture, planes, fitted(planes.fit), target);
    }

    /// As [`Eye::planes`], of one part of the picture, stretched.
    pub fn planes_of(
        &mut self,
        part: Part,
        picture: &Picture,
        planes: &Planes,
        target: ArrayViewMut3<f32>,
    ) {
        let (across, down) = (f64::from(picture.width), f64::from(picture.height));
        let (left, top) = (part.left * across, part.top * down);
        let cut = fitted(Fit::Stretch).crop(
            left,
            top,
            ((part.right - part.left) * across).min(across - left),
            ((part.bottom - part.top) * down).min(down - top),
        );
        self.laid(picture, planes, cut, target);
    }

    fn laid(
        &mut self,
        picture: &Picture,
        planes: &Planes,
        options: ResizeOptions,
        target: ArrayViewMut3<f32>,
    ) {
        let [width, height] = planes.resize.unwrap_or([planes.width, planes.height]);
        let rgb = self.resize(picture, width, height, options);
        let shape = (height as usize, width as usize, 3);
        let Ok(mut rgb) = ArrayView3::from_shape(shape, rgb.as_slice()) else { return };
        // The middle; of an odd rest the left and the upper part are the smaller.
        let middle = |whole: u32, wanted: u32| {
            let from = (whole.saturating_sub(wanted) / 2) as usize;
            Slice::from(from..from + wanted.min(whole) as usize)
        };
        rgb.slice_axis_inplace(Axis(0), middle(height, planes.height));
        rgb.slice_axis_inplace(Axis(1), middle(width, planes.width));
        normalised(rgb, planes, target);
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

/// `(pixel - mean) / std`, channel by channel, in the model's order of colours and dimensions.
fn normalised(rgb: ArrayView3<u8>, planes: &Planes, target: ArrayViewMut3<f32>) {
    let mut target = match planes.layout {
        Layout::Nchw => target,
        Layout::Nhwc => target.permuted_axes([2, 0, 1]),
    };
    for (channel, plane) in target.outer_iter_mut().enumerate() {
        let (mean, scale) = (planes.mean[channel], 1.0 / planes.std[channel]);
        let colour = match planes.channels {
            Channels::Rgb => channel,
            Channels::Bgr => 2 - channel,
        };
        Zip::from(plane)
            .and(rgb.index_axis(Axis(2), colour))
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
        let planes = planes(Layout::Nchw, Channels::Rgb);
        Eye::default().planes_of(right, &picture, &planes, out.view_mut());
        assert!(out.iter().all(|value| *value == 200.0), "{out}");
        let odd = Part { left: 0.8, top: 0.9, right: 1.0 + 1e-9, bottom: 1.0 + 1e-9 };
        out.fill(-1.0);
        Eye::default().planes_of(odd, &picture, &planes, out.view_mut());
        assert!(out.iter().all(|value| *value == 200.0), "{out}");
    }

    fn planes(layout: Layout, channels: Channels) -> Planes {
        let (fit, mean, std) = (Fit::Stretch, [0.0; 3], [1.0; 3]);
        Planes { width: 4, height: 4, fit, resize: None, mean, std, channels, layout }
    }

    #[test]
    fn planes_are_normalised_channel_by_channel() {
        let picture = Picture::from_rgb(2, 2, [10, 20, 30].repeat(4)).unwrap();
        let mut out = ndarray::Array3::zeros((3, 4, 4));
        let wanted = Planes {
            mean: [0.0, 10.0, 0.0],
            std: [10.0; 3],
            ..planes(Layout::Nchw, Channels::Rgb)
        };
        Eye::default().planes(&picture, &wanted, out.view_mut());
        assert_eq!((out[[0, 0, 0]], out[[1, 0, 0]], out[[2, 3, 3]]), (1.0, 1.0, 3.0));
    }

    #[test]
    fn colours_and_dimensions_stand_in_the_models_order() {
        // Columns differ, and so do colours: [row, column, channel] = 10 × column + channel.
        let rgb = (0..16u8).flat_map(|i| (0..3).map(move |c| 10 * (i % 4) + c)).collect();
        let picture = Picture::from_rgb(4, 4, rgb).unwrap();
        let mut out = ndarray::Array3::zeros((4, 4, 3));
        let wanted = Planes { mean: [2.0, 0.0, 0.0], ..planes(Layout::Nhwc, Channels::Bgr) };
        Eye::default().planes(&picture, &wanted, out.view_mut());
        let row: Vec<f32> = out.index_axis(Axis(0), 1).iter().copied().collect();
        assert_eq!(row, [0.0, 1.0, 0.0, 10.0, 11.0, 10.0, 20.0, 21.0, 20.0, 30.0, 31.0, 30.0]);
    }

    #[test]
    fn of_what_is_resized_first_the_middle_is_read() {
        let rgb = (0..64u8).flat_map(|i| [10 * (i % 8), i / 8, 0]).collect();
        let picture = Picture::from_rgb(8, 8, rgb).unwrap();
        let mut out = ndarray::Array3::zeros((3, 4, 4));
        let wanted = Planes { resize: Some([8, 8]), ..planes(Layout::Nchw, Channels::Rgb) };
        Eye::default().planes(&picture, &wanted, out.view_mut());
        let column: Vec<f32> = (0..4).map(|row| out[[1, row, 0]]).collect();
        let row: Vec<f32> = (0..4).map(|column| out[[0, 0, column]]).collect();
        assert_eq!((row, column), (vec![20.0, 30.0, 40.0, 50.0], vec![2.0, 3.0, 4.0, 5.0]));
    }
}
