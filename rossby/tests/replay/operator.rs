//! What an operator types.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::set_up::SetUp;

/// An operator of a server.
#[derive(Debug, Clone)]
pub(crate) struct Operator {
    settings: Vec<(String, String)>,
    pub(crate) data_dir: PathBuf,
}

impl Operator {
    pub(crate) fn new(set_up: &SetUp, data_dir: &Path) -> Self {
        let mut settings = set_up.settings.clone();
        settings.push(("ROSSBY_SECRETS__FILE".to_owned(), set_up.secrets(data_dir).display().to_string()));
        Self { settings, data_dir: data_dir.to_owned() }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rossby"));
        command.args(arguments).arg("--data-dir").arg(&self.data_dir).envs(self.settings.clone());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What a command prints that succeeds.
    pub(crate) fn prints(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "no bar where no terminal is: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The document that it prints as JSON.
    pub(crate) fn document(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.prints(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// Its lines of JSON.
    pub(crate) fn lines(&self, arguments: &[&str]) -> Vec<Value> {
        self.prints(arguments).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What a command says that fails.
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}
