//! What a change of a group does.

use rossby_schemas::ids::BoxId;

use super::MAX_MEMBERS;
use crate::layout::{LayoutError, Reader, Writer};

/// How many octets a group's name has at most.
pub const MAX_NAME_OCTETS: usize = 256;

/// What a member may do. The lower one comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Writes and reads, and may leave.
    Member,
    /// May also change the group.
    Admin,
}

/// A box that is to be a member, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NewMember {
    /// The box.
    pub box_id: BoxId,
    /// Its role.
    pub role: Role,
}

/// What a change does. Layout: a number (1 octet) and its fields in their order; roles are an octet, 0 for member and 1 for
/// admin, lists of members are their number (u32) and box id and role of each, in ascending order of box ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// 1: founds the group. Its author is the first member, and an admin.
    Found {
        /// Random octets, so that no two groups have one id.
        random: [u8; 16],
        /// The group's name (variable): not empty, without control characters.
        name: String,
        /// The other members. Not the author.
        members: Vec<NewMember>,
    },
    /// 2: adds members, at least one.
    Add {
        /// The new members.
        members: Vec<NewMember>,
    },
    /// 3: removes a member.
    Remove {
        /// Who is removed. Not the author.
        member: BoxId,
    },
    /// 4: the author leaves.
    Leave,
    /// 5: gives a member a role.
    SetRole {
        /// The member.
        member: BoxId,
        /// Its new role.
        role: Role,
    },
    /// 6: gives the group another name.
    Rename {
        /// The name (variable), as for the founding.
        name: String,
    },
    /// 7: the author has seen the parents, and names its key record's head. Changes nothing; it joins heads, and shuts out
    /// what a device that was removed from the author's box signs afterwards.
    Affirm,
}

impl Action {
    /// Whether every member may do it, and not admins alone. Such an action counts always.
    #[must_use]
    pub const fn is_for_every_member(&self) -> bool {
        matches!(self, Self::Leave | Self::Affirm)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        match self {
            Self::Found { random, name, members } => {
                writer.u8(1).fixed(random).variable(name.as_bytes());
                write_members(writer, members);
            }
            Self::Add { members } => write_members(writer.u8(2), members),
            Self::Remove { member } => {
                writer.u8(3).fixed(member.as_bytes());
            }
            Self::Leave => {
                writer.u8(4);
            }
            Self::SetRole { member, role } => {
                writer.u8(5).fixed(member.as_bytes()).u8(role_number(*role));
            }
            Self::Rename { name } => {
                writer.u8(6).variable(name.as_bytes());
            }
            Self::Affirm => {
                writer.u8(7);
            }
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, LayoutError> {
        Ok(match reader.u8()? {
            1 => Self::Found {
                random: reader.fixed()?,
                name: reader.text(MAX_NAME_OCTETS, "name")?.to_owned(),
                members: read_members(reader)?,
            },
            2 => Self::Add { members: read_members(reader)? },
            3 => Self::Remove { member: BoxId::from_bytes(reader.fixed()?) },
            4 => Self::Leave,
            5 => Self::SetRole { member: BoxId::from_bytes(reader.fixed()?), role: read_role(reader)? },
            6 => Self::Rename { name: reader.text(MAX_NAME_OCTETS, "name")?.to_owned() },
            7 => Self::Affirm,
            _ => return Err(LayoutError::Field("action")),
        })
    }

    /// What can be told from the action and its author alone.
    pub(super) fn check(&self, author: BoxId) -> Result<(), LayoutError> {
        match self {
            Self::Found { name, members, .. } => {
                check_name(name)?;
                check_members(members)?;
                let names_author = members.iter().any(|member| member.box_id == author);
                if names_author { Err(LayoutError::Field("members")) } else { Ok(()) }
            }
            Self::Add { members } if members.is_empty() => Err(LayoutError::Field("members")),
            Self::Add { members } => check_members(members),
            Self::Remove { member } if *member == author => Err(LayoutError::Field("member")),
            Self::Rename { name } => check_name(name),
            Self::Remove { .. } | Self::Leave | Self::SetRole { .. } | Self::Affirm => Ok(()),
        }
    }
}

fn check_name(name: &str) -> Result<(), LayoutError> {
    if name.len() > MAX_NAME_OCTETS {
        Err(LayoutError::TooLong { limit: MAX_NAME_OCTETS })
    } else if name.trim().is_empty() || name.chars().any(char::is_control) {
        Err(LayoutError::Field("name"))
    } else {
        Ok(())
    }
}

/// The author is a member too, so a list has one less than a group.
fn check_members(members: &[NewMember]) -> Result<(), LayoutError> {
    if members.len() > MAX_MEMBERS - 1 {
        Err(LayoutError::TooLong { limit: MAX_MEMBERS - 1 })
    } else if !members.is_sorted_by(|one, next| one.box_id < next.box_id) {
        Err(LayoutError::Field("members"))
    } else {
        Ok(())
    }
}

fn write_members(writer: &mut Writer, members: &[NewMember]) {
    writer.count(members.len());
    for member in members {
        writer.fixed(member.box_id.as_bytes()).u8(role_number(member.role));
    }
}

fn read_members(reader: &mut Reader<'_>) -> Result<Vec<NewMember>, LayoutError> {
    let count = reader.count(MAX_MEMBERS - 1)?;
    let member = |_| Ok(NewMember { box_id: BoxId::from_bytes(reader.fixed()?), role: read_role(reader)? });
    (0..count).map(member).collect()
}

const fn role_number(role: Role) -> u8 {
    match role {
        Role::Member => 0,
        Role::Admin => 1,
    }
}

fn read_role(reader: &mut Reader<'_>) -> Result<Role, LayoutError> {
    match reader.u8()? {
        0 => Ok(Role::Member),
        1 => Ok(Role::Admin),
        _ => Err(LayoutError::Field("role")),
    }
}
