//! Pictures as data URLs.
//!
//! A png, jpeg or webp that fits keeps its exact bytes. Anything else that can be decoded is
//! scaled to fit and encoded again: jpeg stays jpeg, the rest becomes png. Every picture is
//! decoded once even so, because a broken one would make each later request of its thread fail.

use std::{io::Cursor, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use codex_proto::{HostError, HostErrorKind, Reply};
use image::{
    DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader,
    codecs::jpeg::JpegEncoder, error::LimitErrorKind, imageops::FilterType,
};

use crate::{ReplyFn, fail, read};

/// Larger pictures are scaled to fit into a square of this side, in pixels.
pub const SIDE_MAX: u32 = 2048;

/// Quality of pictures encoded again, of 100.
const JPEG_QUALITY: u8 = 85;
/// A multiple of three, so that pieces of base64 join without padding.
const CHUNK_BYTES: usize = 48 * 1024;

/// What a picture may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the file.
    pub file_bytes_max: u64,
    /// Width times height.
    pub pixels_max: u64,
    /// Bytes of memory that decoding may take.
    pub decode_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes_max: 32 * 1024 * 1024,
            pixels_max: 64_000_000,
            decode_bytes_max: 512 * 1024 * 1024,
        }
    }
}

/// Answers `Bytes* (Closed | Failed)`: the text of a `data:` URL.
pub fn execute(path: &Path, limits: &Limits, reply: &mut ReplyFn<'_>) {
    let (mime, bytes) = match load(path, limits) {
        Ok(loaded) => loaded,
        Err(error) => {
            reply(Reply::Failed(error));
            return;
        }
    };
    let mut text = format!("data:{mime};base64,");
    for chunk in bytes.chunks(CHUNK_BYTES) {
        STANDARD.encode_string(chunk, &mut text);
        if !reply(Reply::Bytes(std::mem::take(&mut text).into_bytes())) {
            return;
        }
    }
    reply(Reply::Closed);
}

fn load(path: &Path, limits: &Limits) -> Result<(&'static str, Vec<u8>), HostError> {
    let bytes = read::whole(path, limits.file_bytes_max)?;
    let unusable = |what: String| fail::found(HostErrorKind::Other, path, what);
    let format = image::guess_format(&bytes)
        .ok()
        .filter(|format| format.reading_enabled())
        .ok_or_else(|| unusable("is not a png, jpeg, gif, webp or bmp picture".into()))?;
    let broken = |error: ImageError| match error {
        ImageError::Limits(error)
            if !matches!(error.kind(), LimitErrorKind::Unsupported { .. }) =>
        {
            let what = "needs too much memory to decode";
            fail::found(HostErrorKind::TooLarge, path, what)
        }
        error => unusable(format!("is broken: {error}")),
    };
    let mut reader = ImageReader::with_format(Cursor::new(&bytes), format);
    let mut allowed = image::Limits::default();
    allowed.max_alloc = Some(limits.decode_bytes_max);
    reader.limits(allowed);
    let mut decoder = reader.into_decoder().map_err(broken)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limits.pixels_max {
        let max = limits.pixels_max;
        let what = format!("has {width}x{height} = {pixels} pixels, more than the {max} allowed");
        return Err(fail::found(HostErrorKind::TooLarge, path, what));
    }
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(broken)?;
    let fits = width <= SIDE_MAX && height <= SIDE_MAX;
    match format {
        ImageFormat::Png if fits => return Ok(("image/png", bytes)),
        ImageFormat::Jpeg if fits => return Ok(("image/jpeg", bytes)),
        ImageFormat::WebP if fits => return Ok(("image/webp", bytes)),
        _ => drop(bytes),
    }
    if !fits {
        picture = picture.resize(SIDE_MAX, SIDE_MAX, FilterType::Triangle);
    }
    // What told viewers how to turn the picture does not survive encoding.
    picture.apply_orientation(orientation);
    let mut out = Vec::new();
    let cannot = |error: ImageError| unusable(format!("cannot be encoded again: {error}"));
    if format == ImageFormat::Jpeg {
        let rgb = picture.into_rgb8();
        JpegEncoder::new_with_quality(&mut out, JPEG_QUALITY).encode_image(&rgb).map_err(cannot)?;
        return Ok(("image/jpeg", out));
    }
    picture.write_to(&mut Cursor::new(&mut out), ImageFormat::Png).map_err(cannot)?;
    Ok(("image/png", out))
}

#[cfg(test)]
mod tests {
    use image::{ExtendedColorType, Rgb, RgbImage};

    use super::*;

    fn url(path: &Path) -> Result<String, HostError> {
        let mut text = Vec::new();
        let mut end = None;
        execute(path, &Limits::default(), &mut |reply| {
            match reply {
                Reply::Bytes(bytes) => text.extend(bytes),
                other => end = Some(other),
            }
            true
        });
        match end.unwrap() {
            Reply::Closed => Ok(String::from_utf8(text).unwrap()),
            Reply::Failed(error) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    fn decoded(url: &str, mime: &str) -> Vec<u8> {
        STANDARD.decode(url.strip_prefix(&format!("data:{mime};base64,")).unwrap()).unwrap()
    }

    fn picture(width: u32, height: u32) -> DynamicImage {
        let mut seed = 1_u32;
        DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, |x, y| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            Rgb([x as u8, y as u8, (seed >> 24) as u8])
        }))
    }

    #[test]
    fn what_fits_keeps_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        for (name, mime) in
            [("a.png", "image/png"), ("a.jpeg", "image/jpeg"), ("a.webp", "image/webp")]
        {
            let path = dir.path().join(name);
            // Noise, so that the file spans several chunks.
            picture(400, 300).save(&path).unwrap();
            let bytes = decoded(&url(&path).unwrap(), mime);
            assert!(bytes == std::fs::read(&path).unwrap(), "{name}");
        }
    }

    #[test]
    fn what_is_too_wide_is_scaled_and_others_become_png() {
        let dir = tempfile::tempdir().unwrap();
        for (name, mime, width, height, want) in [
            ("wide.png", "image/png", 4096, 100, (2048, 50)),
            ("high.jpeg", "image/jpeg", 10, 2049, (10, 2048)),
            ("small.gif", "image/png", 20, 10, (20, 10)),
            ("small.bmp", "image/png", 20, 10, (20, 10)),
        ] {
            let path = dir.path().join(name);
            picture(width, height).save(&path).unwrap();
            let bytes = decoded(&url(&path).unwrap(), mime);
            let got = image::load_from_memory(&bytes).unwrap();
            assert_eq!((got.width(), got.height()), want, "{name}");
        }
    }

    #[test]
    fn bad_pictures_say_what_is_wrong() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let check = |content: &[u8], kind, text: &str| {
            std::fs::write(&path, content).unwrap();
            let error = url(&path).unwrap_err();
            assert_eq!(error.kind, kind, "{error}");
            assert!(error.message.contains(text), "{error}");
        };
        check(b"hello", HostErrorKind::Other, "f is not a png, jpeg");
        check(b"", HostErrorKind::Other, "is not a png");
        let mut png = Vec::new();
        picture(64, 64).write_to(&mut Cursor::new(&mut png), ImageFormat::Png).unwrap();
        check(&png[..png.len() / 2], HostErrorKind::Other, "is broken");
        assert!(url(&dir.path().join("none.png")).unwrap_err().message.contains("none.png"));
        // A header that promises far more pixels than there are bytes.
        let mut bomb = Vec::new();
        image::codecs::bmp::BmpEncoder::new(&mut bomb)
            .encode(&[0; 12], 2, 2, ExtendedColorType::Rgb8)
            .unwrap();
        bomb[18..22].copy_from_slice(&60_000_u32.to_le_bytes());
        bomb[22..26].copy_from_slice(&60_000_u32.to_le_bytes());
        check(&bomb, HostErrorKind::TooLarge, "60000x60000 = 3600000000 pixels");
    }
}
