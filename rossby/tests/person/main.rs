//! People at the command line: the real binary as the server and as each person. Here embedded; `servers.rs` tells the same
//! stories on Kafka and PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod chat;
mod demo;
mod following;
mod hints;
mod hostile;
mod hostile_claims;
mod hostile_history;
mod hostile_profile;
mod human;
mod linking;
#[cfg(target_os = "linux")]
mod locks;
mod mistakes;
mod relay;
mod rotation;
mod set_up;
mod shut_out;
mod stories;
mod withheld;

#[path = "../server/process.rs"]
mod process;
#[path = "../server/rebuild.rs"]
mod rebuild;

use rossby_testing::S3;
use set_up::SetUp;

#[test]
fn two_people_talk() {
    stories::two_people::talk(&SetUp::embedded());
}

#[test]
fn a_server_keeps_to_its_master_secret() {
    stories::secrets::are_kept_to(&SetUp::embedded());
}

#[test]
fn several_devices_are_one_person() {
    stories::devices::share(&SetUp::embedded());
}

#[test]
fn what_happened_to_an_account_is_told() {
    stories::history::is_told(&SetUp::embedded());
}

#[test]
fn an_archive_is_read_back() {
    stories::archive::is_read_back(&SetUp::embedded());
}

#[test]
fn a_person_has_several_identifiers() {
    stories::identifiers::share(&SetUp::embedded());
}

#[test]
fn an_identifier_is_recovered_unless_an_old_device_objects() {
    stories::recovery::recover(&SetUp::embedded());
}

#[test]
fn messages_are_answered_edited_deleted_and_receipted() {
    stories::content::says(&SetUp::embedded());
}

#[test]
fn two_people_verify_each_other() {
    stories::verify::each_other(&SetUp::embedded());
}

#[test]
fn a_group_is_the_same_for_all() {
    stories::groups::talk(&SetUp::embedded());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_250_is_reached_by_one_request() {
    stories::crowd::is_reached_by_one_request(&SetUp::embedded()).await;
}

#[test]
fn a_person_s_devices_have_their_groups() {
    stories::groups::devices(&SetUp::embedded());
}

#[test]
fn what_people_call_themselves_is_for_those_whom_they_accepted() {
    stories::profile::is_claimed(&SetUp::embedded());
}

#[test]
fn nothing_is_lost_when_the_server_is_away() {
    stories::outbox::waits(&SetUp::embedded());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_sees_neither_texts_nor_keys_nor_addresses() {
    stories::capture::finds_no_secret(&SetUp::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_sees_no_groups() {
    stories::hidden_groups::show_nowhere(&SetUp::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_account_leaves_nothing_that_names_its_person() {
    stories::deletion::leaves_nothing(&SetUp::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_and_double_nothing() {
    stories::kills::lose_and_double_nothing(&SetUp::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_twice_counts_once() {
    stories::duplicates::count_once(&SetUp::embedded()).await;
}

#[test]
fn attachments_come_as_they_were_sent() {
    stories::attachments::share(&SetUp::embedded());
}

#[tokio::test(flavor = "multi_thread")]
async fn attachments_come_as_they_were_sent_by_s3() {
    let s3 = S3::start().await;
    let set_up = SetUp::embedded().with_blobs_in(&s3);
    tokio::task::spawn_blocking(move || stories::attachments::share(&set_up)).await.unwrap();
}

#[test]
fn a_hundred_megabytes_need_little_memory() {
    stories::transfers::large(&SetUp::embedded());
}

#[test]
fn attachments_survive_whoever_dies() {
    stories::transfers::survives(&SetUp::embedded());
}

#[tokio::test(flavor = "multi_thread")]
async fn attachments_that_the_server_can_not_take_now_wait() {
    let mut s3 = S3::start().await;
    stories::attachments::waits(&SetUp::embedded(), &mut s3).await;
}

#[test]
fn a_file_goes_up_while_the_home_follows() {
    stories::transfers::beside_following(&SetUp::embedded());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_is_seen_by_those_who_have_accepted_it_and_kept_nowhere() {
    stories::typing::is_seen(&SetUp::embedded()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_whose_server_is_away_is_understood() {
    stories::proxied::is_away(&SetUp::embedded()).await;
}

#[test]
fn who_follows_sees_messages_and_who_writes() {
    stories::follow::shows_what_comes(&SetUp::embedded());
}

#[test]
fn who_follows_goes_on_when_the_server_was_away() {
    stories::follow::survives(&SetUp::embedded());
}

#[test]
fn following_and_fetching_lose_and_double_nothing() {
    stories::follow::beside_others(&SetUp::embedded());
}

#[test]
fn a_device_that_is_removed_stops_to_follow() {
    stories::follow::removed(&SetUp::embedded());
}
