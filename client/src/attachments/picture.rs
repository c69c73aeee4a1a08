//! Pictures: the small likeness that goes into a message, and a picture without what its camera wrote beside it.
//!
//! Whatever is decoded is bounded before anything is allocated for it: by its sides, and by the octets that its pixels take. The
//! decoders' own limits are set too, but not all of them heed those.

use std::io::{BufRead, Cursor, Seek};

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, Limits, RgbImage};

use crate::content::{MAX_PREVIEW_OCTETS, MAX_PREVIEW_SIDE, PREVIEW_TYPE, Preview};

/// How wide and high a picture is at most that a likeness is made of.
const MAX_SIDE: u32 = 16_384;
/// How many octets its pixels take at most: 64 million pixels of three octets.
const MAX_DECODED_OCTETS: u64 = 192 * 1024 * 1024;
/// A preview's sides and quality, tried one after the other until it is small enough.
const TRIES: [(u32, u8); 5] = [(320, 75), (320, 50), (240, 50), (160, 50), (96, 30)];
/// The quality of a JPEG that is written anew: nothing can be seen of it.
const QUALITY: u8 = 92;

/// Why a picture can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// It is none that is known here, or damaged.
    #[error("it is no JPEG, PNG or WebP picture, or it is damaged: {0}")]
    Undecodable(#[from] image::ImageError),
    /// It is larger than what is decoded.
    #[error("it is too large to be decoded: at most {MAX_SIDE} pixels a side, and 64 million in all")]
    TooLarge,
    /// It is another kind of file.
    #[error("it is no JPEG, PNG or WebP picture")]
    NoPicture,
    /// A preview has other sides than it says.
    #[error("the preview is not as large as it says")]
    OtherSize,
}

/// Decodes a picture, the right way up.
pub(crate) fn decode(picture: impl BufRead + Seek) -> Result<(DynamicImage, ImageFormat), PictureError> {
    let reader = ImageReader::new(picture).with_guessed_format().map_err(image::ImageError::from)?;
    decode_within(reader, MAX_SIDE, MAX_DECODED_OCTETS)
}

fn decode_within(
    mut reader: ImageReader<impl BufRead + Seek>,
    max_side: u32,
    max_octets: u64,
) -> Result<(DynamicImage, ImageFormat), PictureError> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(max_side);
    limits.max_image_height = Some(max_side);
    limits.max_alloc = Some(max_octets);
    reader.limits(limits);
    let format = reader.format().ok_or(PictureError::NoPicture)?;
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if width > max_side || height > max_side || decoder.total_bytes() > max_octets {
        return Err(PictureError::TooLarge);
    }
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok((picture, format))
}

/// A small likeness of a picture, with nothing of what stood beside its pixels.
pub(super) fn preview(picture: &DynamicImage) -> Option<Preview> {
    let (data, width, height) = small_jpeg(picture, &TRIES, MAX_PREVIEW_OCTETS)?;
    Some(Preview { media_type: PREVIEW_TYPE.to_owned(), width, height, data: data.into() })
}

/// A picture's pixels as a JPEG, with the first of these sides and qualities by which it has so few octets; and its width and
/// height then.
pub(crate) fn small_jpeg(
    picture: &DynamicImage,
    tries: &[(u32, u8)],
    max_octets: usize,
) -> Option<(Vec<u8>, u32, u32)> {
    tries.iter().find_map(|(side, quality)| {
        let is_small = picture.width() <= *side && picture.height() <= *side;
        let small = if is_small { on_white(picture) } else { on_white(&picture.thumbnail(*side, *side)) };
        let data = jpeg(&small, *quality).ok().filter(|data| data.len() <= max_octets)?;
        let (width, height) = small.dimensions();
        Some((data, width, height))
    })
}

/// The pixels of a stranger's small picture, decoded within these sides.
pub(crate) fn small_anew(octets: &[u8], format: ImageFormat, max_side: u32) -> Result<RgbImage, PictureError> {
    let mut reader = ImageReader::new(Cursor::new(octets));
    reader.set_format(format);
    let (picture, _) = decode_within(reader, max_side, u64::from(max_side).pow(2) * 4)?;
    Ok(on_white(&picture))
}

/// Pixels as a JPEG in which nothing is lost that can be seen.
pub(crate) fn fine_jpeg(picture: &RgbImage) -> Result<Vec<u8>, PictureError> {
    Ok(jpeg(picture, QUALITY)?)
}

/// The picture written anew: its pixels, and nothing else.
pub(super) fn without_metadata(picture: &DynamicImage, format: ImageFormat) -> Result<Vec<u8>, PictureError> {
    match format {
        ImageFormat::Jpeg => Ok(jpeg(&on_white(picture), QUALITY)?),
        ImageFormat::Png => {
            let mut octets = Cursor::new(Vec::new());
            picture.write_to(&mut octets, ImageFormat::Png)?;
            Ok(octets.into_inner())
        }
        // Without loss, since there is no other way here: larger than it came, but the same to look at.
        ImageFormat::WebP => {
            let picture = if picture.color().has_alpha() {
                DynamicImage::from(picture.to_rgba8())
            } else {
                DynamicImage::from(picture.to_rgb8())
            };
            let mut octets = Cursor::new(Vec::new());
            picture.write_to(&mut octets, ImageFormat::WebP)?;
            Ok(octets.into_inner())
        }
        _ => Err(PictureError::NoPicture),
    }
}

impl Preview {
    /// The preview written anew as a JPEG, from its pixels alone: what a stranger made never reaches a viewer. It is decoded
    /// within the size that a preview may have.
    ///
    /// # Errors
    /// [`PictureError`].
    pub fn written_anew(&self) -> Result<Vec<u8>, PictureError> {
        let picture = small_anew(self.data.as_slice(), ImageFormat::Jpeg, MAX_PREVIEW_SIDE)?;
        if picture.dimensions() != (self.width, self.height) {
            return Err(PictureError::OtherSize);
        }
        fine_jpeg(&picture)
    }
}

fn jpeg(picture: &RgbImage, quality: u8) -> Result<Vec<u8>, image::ImageError> {
    let mut octets = Vec::new();
    JpegEncoder::new_with_quality(&mut octets, quality).encode_image(picture)?;
    Ok(octets)
}

/// What shines through becomes white: JPEG knows no transparency.
fn on_white(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let mut rgb = RgbImage::new(picture.width(), picture.height());
    for (to, from) in rgb.pixels_mut().zip(picture.to_rgba8().pixels()) {
        let [r, g, b, alpha] = from.0.map(u16::from);
        to.0 = [r, g, b].map(|c| u8::try_from((c * alpha + 255 * (255 - alpha)) / 255).unwrap_or(u8::MAX));
    }
    rgb
}

#[cfg(test)]
mod tests {
    use image::{ExtendedColorType, ImageEncoder as _, Rgba, RgbaImage};

    use super::*;

    fn colourful(width: u32, height: u32) -> DynamicImage {
        let pixel = |x: u32, y: u32| {
            let noise = x.wrapping_mul(2_654_435_761).wrapping_add(y.wrapping_mul(40_503)) >> 7;
            Rgba([x as u8, y as u8, noise as u8, 255])
        };
        RgbaImage::from_fn(width, height, pixel).into()
    }

    /// A JPEG with an Exif block that turns it by a quarter, and says where it was taken.
    fn photograph() -> Vec<u8> {
        let exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0GPS 52.5200N 13.4050E";
        let mut octets = Vec::new();
        let mut encoder = JpegEncoder::new(&mut octets);
        encoder.set_exif_metadata(exif.to_vec()).unwrap();
        let picture = colourful(600, 300).to_rgb8();
        encoder.write_image(&picture, 600, 300, ExtendedColorType::Rgb8).unwrap();
        octets
    }

    fn holds(octets: &[u8], text: &[u8]) -> bool {
        octets.windows(text.len()).any(|part| part == text)
    }

    #[test]
    fn a_preview_is_small_the_right_way_up_and_says_nothing_else() {
        let photograph = photograph();
        assert!(holds(&photograph, b"GPS 52") && holds(&photograph, b"Exif"), "it can find what is there");
        let (picture, format) = decode(Cursor::new(&photograph)).unwrap();
        assert_eq!((format, picture.width(), picture.height()), (ImageFormat::Jpeg, 300, 600));
        let preview = preview(&picture).unwrap();
        assert_eq!((preview.width, preview.height), (160, 320));
        assert!(preview.data.as_slice().len() <= MAX_PREVIEW_OCTETS);
        let anew = without_metadata(&picture, format).unwrap();
        for octets in [preview.data.as_slice(), &anew, &preview.written_anew().unwrap()] {
            assert!(!holds(octets, b"GPS") && !holds(octets, b"Exif"));
        }
        let (again, _) = decode(Cursor::new(&anew)).unwrap();
        assert_eq!((again.width(), again.height()), (300, 600));
    }

    #[test]
    fn any_picture_has_a_preview_that_fits() {
        for (width, height, side) in [(1, 1, 1), (30, 20, 30), (3, 2000, 320), (2000, 3, 320), (1500, 1500, 320)] {
            let preview = preview(&colourful(width, height)).unwrap();
            assert!(preview.width.max(preview.height) <= side, "it is never made larger");
            assert!(preview.width <= MAX_PREVIEW_SIDE && preview.height <= MAX_PREVIEW_SIDE);
            assert!(preview.width > 0 && preview.height > 0);
            preview.written_anew().unwrap();
        }
        // What shines through is white.
        let clear: DynamicImage = RgbaImage::from_pixel(10, 10, Rgba([0, 0, 0, 0])).into();
        assert!(on_white(&clear).pixels().all(|pixel| pixel.0 == [255; 3]));
    }

    #[test]
    fn pngs_and_webps_are_written_anew() {
        for (written, begins, alpha) in [
            (ImageFormat::Png, &b"\x89PNG"[..], 255),
            (ImageFormat::WebP, b"RIFF", 255),
            (ImageFormat::WebP, b"RIFF", 7),
        ] {
            let mut pixels = colourful(20, 10).to_rgba8();
            pixels.get_pixel_mut(3, 4).0[3] = alpha;
            let mut octets = Cursor::new(Vec::new());
            DynamicImage::from(pixels.clone()).write_to(&mut octets, written).unwrap();
            let (picture, format) = decode(Cursor::new(octets.into_inner())).unwrap();
            assert_eq!(format, written);
            let anew = without_metadata(&picture, format).unwrap();
            assert!(anew.starts_with(begins));
            assert_eq!(decode(Cursor::new(&anew)).unwrap().0.to_rgba8(), pixels, "not a pixel is another");
        }
        for nothing in [&b"hello"[..], b"", b"root:x:0:0"] {
            assert!(matches!(decode(Cursor::new(nothing)), Err(PictureError::NoPicture)));
        }
        for nothing in [&b"\xff\xd8\xff\xe0"[..], b"GIF89a", b"RIFF\x04\0\0\0WEBP"] {
            let refused = decode(Cursor::new(nothing)).unwrap_err().to_string();
            assert!(refused.starts_with("it is no JPEG, PNG or WebP picture"), "{refused}");
        }
    }

    /// A WebP with an Exif chunk that says where it was taken.
    fn webp_photograph() -> Vec<u8> {
        let mut simple = Cursor::new(Vec::new());
        colourful(40, 30).write_to(&mut simple, ImageFormat::WebP).unwrap();
        let simple = simple.into_inner();
        let exif = b"MM\0\x2a\0\0\0\x08\0\0\0\0\0\0GPS 52.5200N 13.4050E ";
        // VP8X: flags (alpha, Exif), and the sides less one; then what the simple file has, and the Exif.
        let mut chunks = b"WEBPVP8X\x0a\0\0\0\x18\0\0\0\x27\0\0\x1d\0\0".to_vec();
        chunks.extend_from_slice(&simple[12..]);
        chunks.extend_from_slice(b"EXIF");
        chunks.extend(u32::try_from(exif.len()).unwrap().to_le_bytes());
        chunks.extend_from_slice(exif);
        [b"RIFF", &u32::try_from(chunks.len()).unwrap().to_le_bytes()[..], &chunks].concat()
    }

    #[test]
    fn a_webp_says_nothing_but_its_pixels_once_it_is_written_anew() {
        let photograph = webp_photograph();
        assert!(holds(&photograph, b"GPS 52") && holds(&photograph, b"EXIF"), "it can find what is there");
        let (picture, format) = decode(Cursor::new(&photograph)).unwrap();
        let anew = without_metadata(&picture, format).unwrap();
        assert!(!holds(&anew, b"GPS") && !holds(&anew, b"EXIF"));
        assert_eq!(decode(Cursor::new(&anew)).unwrap().0.to_rgba8(), picture.to_rgba8());
        // One of a few octets that says it has a hundred million pixels.
        let mut bomb = photograph;
        bomb[24..30].copy_from_slice(&[0xff, 0x3f, 0, 0xff, 0x3f, 0]);
        assert!(decode(Cursor::new(&bomb)).is_err());
    }

    /// The sides of a JPEG stand in its frame header.
    fn claiming(jpeg: &[u8], width: u16, height: u16) -> Vec<u8> {
        let at = jpeg.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
        let mut claims = jpeg.to_vec();
        claims[at + 5..at + 7].copy_from_slice(&height.to_be_bytes());
        claims[at + 7..at + 9].copy_from_slice(&width.to_be_bytes());
        claims
    }

    #[test]
    fn bombs_are_not_decoded() {
        let honest = preview(&colourful(100, 50)).unwrap();
        let bomb = claiming(honest.data.as_slice(), 65_000, 65_000);
        assert!(decode(Cursor::new(&bomb)).is_err());
        for (width, height) in [(65_000, 65_000), (513, 50), (101, 50), (50, 100)] {
            let data = claiming(honest.data.as_slice(), width, height).into();
            let preview = Preview { data, ..honest.clone() };
            assert!(preview.written_anew().is_err(), "{width} x {height}");
        }
        for data in [b"\x89PNG\r\n\x1a\n".to_vec(), b"hello".to_vec(), honest.data.as_slice()[..300].to_vec()] {
            assert!(Preview { data: data.into(), ..honest.clone() }.written_anew().is_err());
        }
        // A PNG of a few octets that says it has a thousand million pixels.
        let mut png = Cursor::new(Vec::new());
        colourful(10, 10).write_to(&mut png, ImageFormat::Png).unwrap();
        let mut png = png.into_inner();
        png[16..24].copy_from_slice(&[0, 0, 0x3f, 0xff, 0, 0, 0x3f, 0xff]);
        assert!(decode(Cursor::new(&png)).is_err());
    }
}
