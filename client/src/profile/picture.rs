//! A profile's picture: small, and written anew from its pixels, by its owner's device and by whoever looks at it.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use image::ImageFormat;

use super::Picture;
use super::document::{JPEG, MAX_PICTURE_OCTETS, PNG};
use crate::attachments::{Target, off_the_runtime, picture, save_anew};
use crate::error::ClientError;

/// Its sides and quality, tried one after the other until it is small enough.
const TRIES: [(u32, u8); 5] = [(256, 85), (256, 70), (192, 70), (128, 60), (96, 40)];
/// How wide and high a picture of somebody else's is at most.
const MAX_SIDE: u32 = 1024;

impl Picture {
    /// Makes a profile's picture of a file: small, the right way up, and without where, when and with what it was taken.
    ///
    /// # Errors
    /// [`ClientError::File`], [`ClientError::Picture`].
    pub async fn of_file(path: &Path) -> Result<Self, ClientError> {
        let path = path.to_owned();
        off_the_runtime(move || {
            let file = File::open(&path).map_err(|source| ClientError::File { path: path.clone(), source })?;
            let (decoded, _) = picture::decode(BufReader::new(file))?;
            let (data, ..) = picture::small_jpeg(&decoded, &TRIES, MAX_PICTURE_OCTETS)
                .ok_or(ClientError::Picture(picture::PictureError::TooLarge))?;
            Ok(Self { media_type: JPEG.to_owned(), data: data.into() })
        })
        .await
    }

    /// Saves the picture as a JPEG, written anew from its pixels: what a stranger made never reaches a viewer. It is decoded
    /// within bounds.
    ///
    /// # Errors
    /// [`ClientError::Picture`] for what is none, [`ClientError::TargetExists`], and what the file system says.
    pub async fn save(&self, target: &Target) -> Result<PathBuf, ClientError> {
        let (format, data) = (self.format(), self.data.clone());
        let write = move || picture::fine_jpeg(&picture::small_anew(data.as_slice(), format, MAX_SIDE)?);
        save_anew(target, "picture.jpg", write).await
    }

    fn format(&self) -> ImageFormat {
        match self.media_type.as_str() {
            JPEG => ImageFormat::Jpeg,
            PNG => ImageFormat::Png,
            _ => ImageFormat::WebP,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use image::codecs::jpeg::JpegEncoder;
    use image::{ExtendedColorType, ImageEncoder as _, ImageReader, RgbImage};

    use super::*;

    /// A noisy JPEG with an Exif block that says where it was taken.
    fn photograph(width: u32, height: u32) -> Vec<u8> {
        let picture = RgbImage::from_fn(width, height, |x, y| {
            let noise = x.wrapping_mul(2_654_435_761).wrapping_add(y.wrapping_mul(40_503));
            image::Rgb(noise.to_be_bytes()[..3].try_into().unwrap())
        });
        let exif = b"MM\0\x2a\0\0\0\x08\0\0\0\0\0\0GPS 52.5200N 13.4050E";
        let mut octets = Vec::new();
        let mut encoder = JpegEncoder::new(&mut octets);
        encoder.set_exif_metadata(exif.to_vec()).unwrap();
        encoder.write_image(&picture, width, height, ExtendedColorType::Rgb8).unwrap();
        octets
    }

    fn holds(octets: &[u8], text: &[u8]) -> bool {
        octets.windows(text.len()).any(|part| part == text)
    }

    #[tokio::test]
    async fn a_picture_becomes_small_and_says_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("photograph.jpg");
        fs::write(&path, photograph(1200, 900)).unwrap();
        assert!(holds(&fs::read(&path).unwrap(), b"GPS 52"), "it can find what is there");
        let picture = Picture::of_file(&path).await.unwrap();
        assert!(picture.data.as_slice().len() <= MAX_PICTURE_OCTETS && picture.media_type == JPEG, "{picture:?}");
        assert!(!holds(picture.data.as_slice(), b"GPS"));
        let target = Target { path: folder.path().to_owned(), overwrites: false };
        let saved = picture.save(&target).await.unwrap();
        let again = ImageReader::open(&saved).unwrap().decode().unwrap();
        assert!(again.width() <= 256 && again.height() <= 256 && again.width() > again.height());
        assert!(matches!(picture.save(&target).await, Err(ClientError::TargetExists(_))));
    }

    #[tokio::test]
    async fn what_is_no_picture_is_neither_set_nor_saved() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target { path: folder.path().join("saved.jpg"), overwrites: false };
        for (name, octets) in [("text", b"hello".to_vec()), ("cut", photograph(64, 64)[..200].to_vec())] {
            let path = folder.path().join(name);
            fs::write(&path, &octets).unwrap();
            assert!(matches!(Picture::of_file(&path).await, Err(ClientError::Picture(_))), "{name}");
            for media_type in ["image/jpeg", "image/png", "image/webp"] {
                let picture = Picture { media_type: media_type.to_owned(), data: octets.clone().into() };
                assert!(matches!(picture.save(&target).await, Err(ClientError::Picture(_))), "{name} as {media_type}");
            }
        }
        // One that says that it is far larger.
        let mut bomb = photograph(16, 16);
        let at = bomb.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
        bomb[at + 5..at + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
        let bomb = Picture { media_type: JPEG.to_owned(), data: bomb.into() };
        assert!(bomb.save(&target).await.is_err());
        assert!(!target.path.exists(), "nothing was saved");
        assert!(matches!(Picture::of_file(&folder.path().join("none")).await, Err(ClientError::File { .. })));
    }
}
