//! The log answers questions: the real binary, over an embedded server's log. `servers.rs` asks the same of Kafka and PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod audits;
mod events;
mod operator;
mod replays;
mod town;
mod verifies;

#[path = "../person/human.rs"]
#[allow(dead_code, reason = "shared with the stories of people")]
mod human;
#[path = "../server/process.rs"]
#[allow(dead_code, reason = "shared with the server's tests")]
mod process;
#[path = "../server/rebuild.rs"]
mod rebuild;
#[path = "../person/set_up.rs"]
#[allow(dead_code, reason = "shared with the stories of people")]
mod set_up;

use set_up::SetUp;

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_log_gives_the_same_tables() {
    events::an_exported_log_gives_the_same_tables(&SetUp::embedded()).await;
}

#[test]
fn events_are_shown_counted_and_filtered_beside_a_running_server() {
    events::are_shown_counted_and_filtered(&SetUp::embedded());
}

#[test]
fn what_can_not_be_imported_is_refused_and_leaves_nothing() {
    events::what_can_not_be_imported(&SetUp::embedded());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_of_any_moment_are_built() {
    replays::builds_any_moment(&SetUp::embedded(), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_replay_goes_on_and_what_is_anothers_is_refused() {
    replays::goes_on_where_it_was(&SetUp::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_that_is_not_as_the_log_says_is_told() {
    verifies::tells_every_row_that_is_not_as_the_log_says(&SetUp::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_is_told_with_who_did_it_and_what_counted() {
    audits::tell_what_happened(&SetUp::embedded()).await;
}
