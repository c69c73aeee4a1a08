//! Linking a device: what the new device and one of the box's tell each other, through a server that can neither read nor
//! change it.
//!
//! The new device makes a secret of 128 bits, which the person carries to the other one by eye or camera. Everything comes
//! from it by HKDF-SHA-256 without salt: the rendezvous at which both leave their messages (info `rossby/v1/link/rendezvous`,
//! the first 16 octets as a UUIDv8), and a key for each side (`rossby/v1/link/new`, `rossby/v1/link/old`). A message is
//! nonce (24) ‖ XChaCha20-Poly1305(the sender's key, nonce, aad rendezvous, number of the message (1 octet) ‖ body).
//!
//! The new device offers its key; the old one invites it to the box at its present head; the new one accepts by the
//! countersignature of [`request_link`](crate::statements::request_link) and its sealing statement; the old one adds the
//! linking statement to the record, and tells the head that came of it. Each goes on only from a message that opens with the
//! other side's key.

use std::fmt;
use std::str::FromStr;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use data_encoding::BASE32_NOPAD;
use rand_core::CryptoRng;
use rossby_schemas::encoding::{FixedOctets, Octets, Sha256Digest};
use rossby_schemas::ids::{BoxId, DeviceId, Head, RendezvousId};
use rossby_schemas::time::Timestamp;
use uuid::Builder;
use zeroize::Zeroizing;

use crate::keyed_hash::hkdf_32;
use crate::layout::{LayoutError, Reader, Writer};
use crate::signing::{Signature, VerificationKey};
use crate::statements::MAX_STATEMENT_OCTETS;

/// How many characters a link secret has as text, without what stands between groups of them.
pub const LINK_SECRET_CHARACTERS: usize = 26;
/// How many octets a device's name has at most, in UTF-8.
pub const MAX_DEVICE_NAME: usize = 64;
/// How many octets a sealed message of linking has at most.
pub const MAX_LINK_MESSAGE: usize = 8 * 1024;

const SECRET_OCTETS: usize = 16;
const NONCE_OCTETS: usize = 24;
const GROUP: usize = 5;
/// How many identifiers a completion tells, and how long one is at most.
const MAX_IDENTIFIERS: usize = 16;
const MAX_IDENTIFIER: usize = 320;

/// A text that is no link secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no link code, which has {LINK_SECRET_CHARACTERS} characters, A to Z and 2 to 7: something in it is mistyped"
)]
pub struct NotALinkSecret;

/// A message that was not sealed by the other side of this secret, or was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkMessageError {
    /// It does not open.
    #[error("the message was not made by the other device, or was changed")]
    DoesNotOpen,
    /// It opens, and is not in the layout.
    #[error("the message is malformed: {0}")]
    Malformed(#[from] LayoutError),
}

/// Which of the two devices seals a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkSide {
    /// The device that is to be linked.
    New,
    /// A device of the box.
    Old,
}

/// What the two devices share: 128 random bits, good for one link. Zeroized when dropped, shown only where
/// [`LinkSecret::text`] is asked for.
pub struct LinkSecret(Zeroizing<[u8; SECRET_OCTETS]>);

impl LinkSecret {
    /// A new secret.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut octets = Zeroizing::new([0; SECRET_OCTETS]);
        rng.fill_bytes(octets.as_mut_slice());
        Self(octets)
    }

    /// The secret with these octets.
    #[must_use]
    pub fn from_bytes(octets: &[u8; SECRET_OCTETS]) -> Self {
        Self(Zeroizing::new(*octets))
    }

    /// The octets, to be kept in an encrypted store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; SECRET_OCTETS] {
        &self.0
    }

    /// The secret as the person reads it: base32 (RFC 4648, section 6) in groups of five.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let characters = Zeroizing::new(BASE32_NOPAD.encode(self.0.as_slice()));
        let mut text = Zeroizing::new(String::with_capacity(LINK_SECRET_CHARACTERS + 4));
        for (n, character) in characters.chars().enumerate() {
            if n > 0 && n % GROUP == 0 && n < LINK_SECRET_CHARACTERS - 1 {
                text.push('-');
            }
            text.push(character);
        }
        text
    }

    /// Where the two devices leave their messages.
    #[must_use]
    pub fn rendezvous(&self) -> RendezvousId {
        let digest = hkdf_32(self.0.as_slice(), b"rossby/v1/link/rendezvous");
        let mut octets = [0; 16];
        octets.copy_from_slice(&digest[..16]);
        RendezvousId(Builder::from_custom_bytes(octets).into_uuid())
    }

    fn cipher(&self, side: LinkSide) -> XChaCha20Poly1305 {
        let info: &[u8] = match side {
            LinkSide::New => b"rossby/v1/link/new",
            LinkSide::Old => b"rossby/v1/link/old",
        };
        XChaCha20Poly1305::new((&*hkdf_32(self.0.as_slice(), info)).into())
    }

    /// Seals a message for the other device. The side is the message's own.
    ///
    /// # Errors
    /// [`LayoutError::TooLong`] for a name, statement or list of identifiers that is longer than it may be.
    pub fn seal(&self, rng: &mut impl CryptoRng, message: &LinkMessage) -> Result<Octets, LayoutError> {
        let text = message.to_octets()?;
        let mut nonce = [0; NONCE_OCTETS];
        rng.fill_bytes(&mut nonce);
        let rendezvous = self.rendezvous();
        let payload = Payload { msg: &text, aad: rendezvous.as_bytes() };
        let sealed = self.cipher(message.side()).encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| LayoutError::TooLong { limit: MAX_LINK_MESSAGE })?;
        let octets = [nonce.as_slice(), &sealed].concat();
        if octets.len() > MAX_LINK_MESSAGE {
            Err(LayoutError::TooLong { limit: MAX_LINK_MESSAGE })
        } else {
            Ok(octets.into())
        }
    }

    /// Opens a message that this side sealed.
    ///
    /// # Errors
    /// [`LinkMessageError`].
    pub fn open(&self, side: LinkSide, sealed: &Octets) -> Result<LinkMessage, LinkMessageError> {
        let opened = sealed.as_slice().split_first_chunk::<NONCE_OCTETS>().and_then(|(nonce, sealed)| {
            let rendezvous = self.rendezvous();
            let payload = Payload { msg: sealed, aad: rendezvous.as_bytes() };
            self.cipher(side).decrypt(&XNonce::from(*nonce), payload).ok()
        });
        let text = Zeroizing::new(opened.ok_or(LinkMessageError::DoesNotOpen)?);
        let message = LinkMessage::read(&text)?;
        if message.side() == side { Ok(message) } else { Err(LayoutError::OtherKind.into()) }
    }
}

impl FromStr for LinkSecret {
    type Err = NotALinkSecret;

    /// Reads a secret as a person types it: in any case, with spaces and hyphens anywhere.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let typed = text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase());
        let characters: Zeroizing<String> = Zeroizing::new(typed.take(LINK_SECRET_CHARACTERS + 1).collect());
        let octets = BASE32_NOPAD.decode(characters.as_bytes()).map(Zeroizing::new).map_err(|_| NotALinkSecret)?;
        octets.as_slice().try_into().map(|octets| Self(Zeroizing::new(octets))).map_err(|_| NotALinkSecret)
    }
}

impl fmt::Debug for LinkSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkSecret(secret)")
    }
}

/// What the two devices tell each other. The numbers never change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkMessage {
    /// 1, from the new device.
    Offer(Offer),
    /// 2, from the old one.
    Invitation(Invitation),
    /// 3, from the new one.
    Acceptance(Acceptance),
    /// 4, from the old one.
    Completion(Completion),
    /// 5, from the old one: it will not link the device. The reason's number (1 octet).
    Refusal(LinkRefusal),
    /// 6, from the new one: it has stopped, because what it was told does not fit. No body.
    Withdrawal,
}

/// A new device asks to be linked. Body: device id, signing key (32), name (text), time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The new device.
    pub device_id: DeviceId,
    /// Its verification key.
    pub signing_key: VerificationKey,
    /// What its person calls it.
    pub name: String,
    /// When it asked, by its own clock.
    pub time: Timestamp,
}

/// A device of a box invites it. Body: BoxID, SHA-256 of the founding statement, the record's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invitation {
    /// The box.
    pub box_id: BoxId,
    /// SHA-256 of its founding statement.
    pub founding_hash: Sha256Digest,
    /// The head that its record has now, after which the link is to stand.
    pub head: Head,
}

/// The new device agrees. Body: the invitation's head, countersignature (64), sealing statement (variable).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The head of the invitation that it accepts.
    pub head: Head,
    /// The new device's signature over the box, the statement before and its key.
    pub countersignature: Signature,
    /// Its first sealing statement, as signed.
    pub sealing_statement: Octets,
}

/// The device is linked. Body: BoxID, SHA-256 of the founding statement, the new head, the number of identifiers (u32) and
/// each (text).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The box.
    pub box_id: BoxId,
    /// SHA-256 of its founding statement.
    pub founding_hash: Sha256Digest,
    /// The record's head, or one that it had, with the new device in it.
    pub head: Head,
    /// The person's phone numbers and email addresses, as URIs, so that the new device knows whose it is.
    pub identifiers: Vec<String>,
}

/// Why the old device will not link the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkRefusal {
    /// 1: its person said no.
    #[error("the other device's person said no")]
    Declined,
    /// 2: another device has asked with the same secret.
    #[error(
        "another device has asked with the same code: somebody else has seen it. Make a new one where nobody looks"
    )]
    Seen,
    /// 3: the box has as many devices as it may.
    #[error("the account has as many devices as it may; remove one first")]
    TooMany,
    /// 4: the server refused it.
    #[error("the server refused it; the other device says why")]
    Server,
}

impl LinkRefusal {
    const ALL: [Self; 4] = [Self::Declined, Self::Seen, Self::TooMany, Self::Server];

    const fn number(self) -> u8 {
        match self {
            Self::Declined => 1,
            Self::Seen => 2,
            Self::TooMany => 3,
            Self::Server => 4,
        }
    }
}

impl LinkMessage {
    /// Which device says it.
    #[must_use]
    pub const fn side(&self) -> LinkSide {
        match self {
            Self::Offer(_) | Self::Acceptance(_) | Self::Withdrawal => LinkSide::New,
            Self::Invitation(_) | Self::Completion(_) | Self::Refusal(_) => LinkSide::Old,
        }
    }

    fn to_octets(&self) -> Result<Zeroizing<Vec<u8>>, LayoutError> {
        let mut writer = Writer::new();
        match self {
            Self::Offer(offer) => {
                bounded(offer.name.len(), MAX_DEVICE_NAME)?;
                writer
                    .u8(1)
                    .fixed(offer.device_id.as_bytes())
                    .fixed(offer.signing_key.as_bytes())
                    .variable(offer.name.as_bytes())
                    .time(offer.time);
            }
            Self::Invitation(invitation) => {
                writer
                    .u8(2)
                    .fixed(invitation.box_id.as_bytes())
                    .fixed(invitation.founding_hash.as_slice())
                    .head(invitation.head);
            }
            Self::Acceptance(acceptance) => {
                bounded(acceptance.sealing_statement.as_slice().len(), MAX_STATEMENT_OCTETS)?;
                writer
                    .u8(3)
                    .head(acceptance.head)
                    .fixed(acceptance.countersignature.as_slice())
                    .variable(acceptance.sealing_statement.as_slice());
            }
            Self::Completion(completion) => {
                bounded(completion.identifiers.len(), MAX_IDENTIFIERS)?;
                writer
                    .u8(4)
                    .fixed(completion.box_id.as_bytes())
                    .fixed(completion.founding_hash.as_slice())
                    .head(completion.head)
                    .count(completion.identifiers.len());
                for identifier in &completion.identifiers {
                    bounded(identifier.len(), MAX_IDENTIFIER)?;
                    writer.variable(identifier.as_bytes());
                }
            }
            Self::Refusal(refusal) => {
                writer.u8(5).u8(refusal.number());
            }
            Self::Withdrawal => {
                writer.u8(6);
            }
        }
        Ok(Zeroizing::new(writer.finish()))
    }

    fn read(octets: &[u8]) -> Result<Self, LayoutError> {
        let mut reader = Reader::new(octets, MAX_LINK_MESSAGE)?;
        let message = match reader.u8()? {
            1 => Self::Offer(Offer {
                device_id: DeviceId::from_bytes(reader.fixed()?),
                signing_key: VerificationKey::from_bytes(reader.fixed()?)
                    .map_err(|_| LayoutError::Field("signing key"))?,
                name: reader.text(MAX_DEVICE_NAME, "name")?.to_owned(),
                time: reader.time("time")?,
            }),
            2 => Self::Invitation(Invitation {
                box_id: BoxId::from_bytes(reader.fixed()?),
                founding_hash: FixedOctets(reader.fixed()?),
                head: reader.head()?,
            }),
            3 => Self::Acceptance(Acceptance {
                head: reader.head()?,
                countersignature: FixedOctets(reader.fixed()?),
                sealing_statement: reader.variable(MAX_STATEMENT_OCTETS)?.into(),
            }),
            4 => Self::Completion(Completion {
                box_id: BoxId::from_bytes(reader.fixed()?),
                founding_hash: FixedOctets(reader.fixed()?),
                head: reader.head()?,
                identifiers: {
                    let count = reader.count(MAX_IDENTIFIERS)?;
                    let identifier = |_| reader.text(MAX_IDENTIFIER, "identifier").map(str::to_owned);
                    (0..count).map(identifier).collect::<Result<_, _>>()?
                },
            }),
            5 => {
                let number = reader.u8()?;
                let refusal = LinkRefusal::ALL.into_iter().find(|refusal| refusal.number() == number);
                Self::Refusal(refusal.ok_or(LayoutError::Field("refusal"))?)
            }
            6 => Self::Withdrawal,
            _ => return Err(LayoutError::OtherKind),
        };
        reader.finish()?;
        Ok(message)
    }
}

const fn bounded(length: usize, limit: usize) -> Result<(), LayoutError> {
    if length > limit { Err(LayoutError::TooLong { limit }) } else { Ok(()) }
}
