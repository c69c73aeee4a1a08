//! The programs of the machine that xtask needs: where they are, and which version.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest Java that Kafka 4 runs on.
const JAVA: u32 = 17;
/// The oldest PostgreSQL that Rossby is tested on.
const POSTGRES: u32 = 15;

/// What the machine is to be ready for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// Servers alone.
    Servers,
    /// Tests, which need a person's keyring too.
    Tests,
}

/// A user of this machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct User {
    /// Its number.
    pub(crate) uid: u32,
    /// Its group's number.
    pub(crate) gid: u32,
}

/// What was found, or what is to be said about what wasn't.
#[derive(Debug)]
pub(crate) struct Tools {
    /// The `java` program.
    pub(crate) java: PathBuf,
    /// The `mvn` program.
    pub(crate) maven: PathBuf,
    /// The folder with PostgreSQL's programs.
    pub(crate) postgres: PathBuf,
}

/// Something that the machine lacks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lacking {
    /// Java, new enough.
    Java,
    /// Maven.
    Maven,
    /// PostgreSQL's programs, new enough.
    Postgres,
    /// A C and a C++ compiler: librdkafka is written in C, but its build asks for both.
    Compiler,
    /// `make`.
    Make,
    /// A session's bus, on Linux, where the keyring is reached by it.
    Bus,
    /// A keyring, on Linux: tests lock a home with it.
    Keyring,
}

impl Lacking {
    /// The name for people.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Java => format!("Java {JAVA} or newer (java)"),
            Self::Maven => "Maven (mvn)".to_owned(),
            Self::Postgres => format!("PostgreSQL {POSTGRES} or newer (initdb, postgres, psql)"),
            Self::Compiler => "a C and a C++ compiler (cc, c++)".to_owned(),
            Self::Make => "make".to_owned(),
            Self::Bus => "D-Bus (dbus-run-session)".to_owned(),
            Self::Keyring => "a keyring (gnome-keyring-daemon)".to_owned(),
        }
    }

    /// The package of Debian and Ubuntu that brings it.
    pub(crate) fn package(self) -> &'static str {
        match self {
            Self::Java => "default-jre-headless",
            Self::Maven => "maven",
            Self::Postgres => "postgresql",
            Self::Compiler => "g++",
            Self::Make => "make",
            Self::Bus => "dbus",
            Self::Keyring => "gnome-keyring",
        }
    }
}

impl Tools {
    /// Looks for everything, and gives the list of what is lacking otherwise.
    pub(crate) fn find(purpose: Purpose) -> Result<Self, Vec<Lacking>> {
        let java = on_path("java").filter(|java| major_version(java, "-version").is_some_and(|major| major >= JAVA));
        let maven = on_path("mvn");
        let postgres = postgres_folder();
        let c = ["cc", "gcc", "clang"].into_iter().find_map(on_path);
        let compiler = c.and(["c++", "g++", "clang++"].into_iter().find_map(on_path));
        let make = on_path("make").or_else(|| on_path("gmake"));
        let needs_keyring = purpose == Purpose::Tests && cfg!(target_os = "linux");
        let lacking: Vec<Lacking> = [
            (java.is_none(), Lacking::Java),
            (maven.is_none(), Lacking::Maven),
            (postgres.is_none(), Lacking::Postgres),
            (compiler.is_none(), Lacking::Compiler),
            (make.is_none(), Lacking::Make),
            (needs_keyring && on_path("dbus-run-session").is_none(), Lacking::Bus),
            (needs_keyring && on_path("gnome-keyring-daemon").is_none(), Lacking::Keyring),
        ]
        .into_iter()
        .filter_map(|(is_lacking, what)| is_lacking.then_some(what))
        .collect();
        match (java, maven, postgres) {
            (Some(java), Some(maven), Some(postgres)) if lacking.is_empty() => Ok(Self { java, maven, postgres }),
            _ => Err(lacking),
        }
    }
}

/// The program `name` in the folders of `PATH`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// The folder with the newest PostgreSQL's programs: Debian keeps them out of `PATH`, by version.
fn postgres_folder() -> Option<PathBuf> {
    let by_version = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = by_version.map(|entry| entry.path().join("bin")).collect();
    // Of symbolic links the target: beside it are the programs that nobody has linked.
    folders.extend(on_path("initdb").and_then(|initdb| initdb.canonicalize().ok()?.parent().map(Path::to_path_buf)));
    folders
        .into_iter()
        .filter(|folder| ["initdb", "postgres", "psql"].iter().all(|name| is_program(&folder.join(name))))
        .filter_map(|folder| Some((major_version(folder.join("postgres"), "--version")?, folder)))
        .filter(|(major, _)| *major >= POSTGRES)
        .max()
        .map(|(_, folder)| folder)
}

fn major_version(program: impl AsRef<OsStr>, flag: &str) -> Option<u32> {
    let output = Command::new(program).arg(flag).output().ok().filter(|output| output.status.success())?;
    // Java says its version on standard error.
    first_number(&String::from_utf8_lossy(&output.stdout))
        .or_else(|| first_number(&String::from_utf8_lossy(&output.stderr)))
}

/// The first number in `text`: `openjdk version "17.0.15"`, `postgres (PostgreSQL) 15.18 (Debian ...)`.
fn first_number(text: &str) -> Option<u32> {
    let start = text.find(|character: char| character.is_ascii_digit())?;
    let digits = &text[start..];
    let end = digits.find(|character: char| !character.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// Whom to run PostgreSQL as, which refuses to be run by root: `postgres` where there is one, else `nobody`. `None` when
/// xtask isn't run by root.
pub(crate) fn unprivileged_user() -> Option<User> {
    if !is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    find_user(&users, "postgres").or_else(|| find_user(&users, "nobody"))
}

/// Whether xtask is run by root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn find_user(users: &str, name: &str) -> Option<User> {
    let mut fields = users.lines().find(|line| line.split(':').next() == Some(name))?.split(':').skip(2);
    Some(User { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::{User, find_user, first_number};

    #[test]
    fn versions_are_read_from_what_the_programs_say() {
        assert_eq!(first_number("openjdk version \"17.0.15\" 2025-04-15\n"), Some(17));
        assert_eq!(first_number("java version \"1.8.0_392\""), Some(1));
        assert_eq!(first_number("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(first_number("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(first_number("command not found"), None);
    }

    #[test]
    fn users_are_found_by_their_whole_name() {
        let users = "root:x:0:0:root:/root:/bin/sh\npostgresql:x:7:7::/:/bin/sh\npostgres:x:101:104::/:/bin/sh\n";
        assert_eq!(find_user(users, "postgres"), Some(User { uid: 101, gid: 104 }));
        assert_eq!(find_user(users, "nobody"), None);
    }
}
