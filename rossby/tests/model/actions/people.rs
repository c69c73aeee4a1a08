//! People come, and time passes.

use std::time::Duration;

use rossby_client::RegisterOptions;
use rossby_schemas::ids::RegionNumber;

use crate::proxy::Trouble;
use crate::town::Town;

const NAMES: [&str; 5] = ["ann", "ben", "cleo", "dan", "eve"];
const HOME: RegionNumber = RegionNumber(1);
/// How much time passes at most, in minutes.
const MINUTES: usize = 60;
/// How often so much can.
const TIMES: usize = 22;

impl Town {
    /// A person comes, with a device.
    pub(crate) async fn register(&mut self) -> Option<()> {
        let name = *NAMES.get(self.model.people.len())?;
        let trouble = if self.dice.percent(50) { Trouble::Calm } else { self.small_trouble().without_kills() };
        self.note(format!("{name} registers; {trouble:?}"));
        self.model.people.push(name.to_owned());
        let person = self.model.people.len() - 1;
        let (path, client) = self.new_client().await;
        let identifier = self.identifier(person);
        let options = RegisterOptions { region: HOME, recovery_key: false, start_over: false };
        self.proxy.set(trouble);
        client.register(&identifier.parse().unwrap(), options).await.unwrap();
        let code = self.proxy.code_for(&identifier);
        let account = client.authorize(&code).await.unwrap();
        self.proxy.set(Trouble::Calm);
        let wishes = self.some_wishes();
        client.set_receipts(wishes.settings()).await.unwrap();
        self.model.wishes.push(wishes);
        self.boxes.push(account.box_id);
        self.model.add_device(person, "first", None);
        self.moved_in(path, client).await;
        Some(())
    }

    /// Time passes: keys become old, and what was looked up.
    pub(crate) fn pass(&mut self) -> Option<()> {
        if self.passed >= TIMES {
            return None;
        }
        self.passed += 1;
        let minutes = 1 + self.dice.below(MINUTES);
        self.note(format!("{minutes} minutes pass"));
        self.clock.pass(Duration::from_secs(u64::try_from(minutes).unwrap() * 60));
        for device in &mut self.model.devices {
            device.knows.clear();
        }
        Some(())
    }
}
