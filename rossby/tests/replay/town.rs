//! Two people who have talked, with their server.

use std::path::{Path, PathBuf};

use crate::human::Human;
use crate::operator::Operator;
use crate::process::Server;
use crate::set_up::SetUp;

/// Two people and their server, which runs.
#[derive(Debug)]
pub(crate) struct Town {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) server: Server,
    pub(crate) ann: Human,
    pub(crate) ben: Human,
    pub(crate) ann_box: String,
    pub(crate) operator: Operator,
}

impl Town {
    /// They have met, written, read, blocked and changed what can be changed; Ben has something waiting.
    pub(crate) fn that_talked(set_up: &SetUp) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data");
        let server = set_up.start(&data_dir, 0);
        let ann = Human::new(folder.path(), "ann@example.org", &server);
        let ben = Human::new(folder.path(), "ben@example.org", &server);
        let ann_box = ann.join(&server)["box_id"].as_str().unwrap().to_owned();
        ben.join(&server);
        ann.done(&["send", "ben@example.org", "one"]);
        ben.reads(&["one"]);
        ben.done(&["send", "ann@example.org", "two"]);
        ann.reads(&["two"]);
        ann.done(&["settings", "--accept-from", "contacts"]);
        ann.done(&["contact", "ben@example.org"]);
        ann.done(&["block", "ben@example.org"]);
        ann.done(&["unblock", "ben@example.org"]);
        ann.done(&["send", "ben@example.org", "three"]);
        let operator = Operator::new(set_up, &data_dir);
        Self { folder, server, ann, ben, ann_box, operator }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.operator.data_dir.clone()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A path as an argument.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}
