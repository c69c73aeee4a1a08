//! What was acknowledged survives the death of the process, at whatever moment it comes.
//!
//! The test runs its own executable again as a child that appends and says what was acknowledged, kills it, and looks.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rossby_log::{Log, Offset};
use rossby_schemas::topic::Topic;

use super::{INBOX, number, read_to_end, record};

pub(crate) const TOPICS: &[(Topic, u32)] = &[(Topic::Inbox, 3)];

/// Set in the child, to where the log is.
pub(crate) const CHILD: &str = "ROSSBY_TEST_LOG_CHILD";

const APPENDERS: usize = 8;
const ROUNDS: usize = 8;

/// What the child does until it is killed: appends from several tasks to three partitions.
pub(crate) async fn append_until_killed(log: Arc<dyn Log>, round: usize) {
    let appenders = (0..APPENDERS).map(|appender| {
        let log = Arc::clone(&log);
        tokio::spawn(async move {
            let key = format!("{round}/{appender}");
            let partition = u32::try_from(appender % 3).unwrap();
            for n in 0.. {
                let offset = log.append(&INBOX, partition, record(&key, n)).await.expect("appended");
                // One write, so that the kill can't tear the line.
                let line = format!("acknowledged {partition} {key} {n} {offset}\n");
                std::io::stdout().write_all(line.as_bytes()).expect("the parent listens");
            }
        })
    });
    futures::future::join_all(appenders.collect::<Vec<_>>()).await;
}

/// An acknowledged append: partition, key, number, offset.
type Acknowledged = (u32, String, usize, Offset);

/// Runs the child and kills it after `acknowledgements` lines. Gives all that it said until it was dead.
fn run_and_kill(place: &str, round: usize, acknowledgements: usize) -> Vec<Acknowledged> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "durability_child", "--nocapture"])
        .env(CHILD, format!("{round} {place}"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    let mut other = Vec::new();
    let mut killed = false;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        // The test harness writes without a line's end before the test's own output.
        let Some(start) = line.find("acknowledged ") else {
            other.push(line);
            continue;
        };
        let words: Vec<&str> = line[start..].split(' ').collect();
        let [_, partition, key, n, offset] = words[..] else { panic!("{line}") };
        said.push((partition.parse().unwrap(), key.to_owned(), n.parse().unwrap(), offset.parse().unwrap()));
        if said.len() >= acknowledgements && !killed {
            child.kill().unwrap();
            killed = true;
        }
    }
    let status = child.wait().unwrap();
    assert!(killed, "the child ended by itself ({status}): {other:?}");
    said
}

/// Kills the child `ROUNDS` times. `open` opens the log afterwards, and the log is closed before the next round.
pub(crate) async fn survives_kills<O, F>(place: &str, seed: u64, open: O)
where
    O: Fn() -> F,
    F: Future<Output = Arc<dyn Log>>,
{
    let mut random = super::noise(ROUNDS * 2, seed).to_vec().into_iter();
    let mut acknowledged: Vec<Acknowledged> = Vec::new();
    for round in 0..ROUNDS {
        let after = 1 + usize::from(random.next().unwrap()) * usize::from(random.next().unwrap()) % 700;
        let place = place.to_owned();
        acknowledged.extend(tokio::task::spawn_blocking(move || run_and_kill(&place, round, after)).await.unwrap());

        let log = open().await;
        let mut stored: BTreeMap<String, Vec<(usize, Offset)>> = BTreeMap::new();
        for partition in 0..3 {
            let mut reader = log.read(&INBOX, partition, 0).await.unwrap();
            for found in read_to_end(&mut *reader).await {
                let key = String::from_utf8(found.record.key.clone().unwrap().to_vec()).unwrap();
                assert_eq!(key.rsplit('/').next().unwrap().parse::<u32>().unwrap() % 3, partition);
                stored.entry(key).or_default().push((number(&found), found.offset));
            }
        }
        for (key, records) in &stored {
            // Each appender waits for its acknowledgements, so there is no gap, and nothing is there twice.
            let numbers: Vec<usize> = records.iter().map(|(n, _)| *n).collect();
            assert_eq!(numbers, (0..records.len()).collect::<Vec<_>>(), "seed {seed}, round {round}, appender {key}");
        }
        for (partition, key, n, offset) in &acknowledged {
            let found = stored.get(key).and_then(|records| records.get(*n));
            assert_eq!(
                found,
                Some(&(*n, *offset)),
                "seed {seed}, round {round}: {key} in {partition} was acknowledged"
            );
        }
        log.close().await;
    }
    assert!(acknowledged.len() >= ROUNDS);
}
