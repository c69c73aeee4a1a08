//! People at the command line, with a server on Kafka and PostgreSQL. Needs `ROSSBY_TEST_KAFKA` and `ROSSBY_TEST_POSTGRES`;
//! `cargo xtask test` starts both. What needs a
//! program that not every machine has is here too: `cargo xtask setup` installs a keyring.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod following;
mod human;
#[cfg(target_os = "linux")]
mod keyring;
mod relay;
mod set_up;
mod stories;

#[path = "../server/process.rs"]
mod process;
#[path = "../server/rebuild.rs"]
mod rebuild;

use rossby_testing::S3;
use set_up::SetUp;

#[tokio::test(flavor = "multi_thread")]
async fn two_people_talk() {
    let set_up = SetUp::on_servers().await;
    tokio::task::spawn_blocking(move || stories::two_people::talk(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_keeps_to_its_master_secret() {
    let set_up = SetUp::on_servers().await;
    tokio::task::spawn_blocking(move || stories::secrets::are_kept_to(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_devices_are_one_person() {
    let set_up = SetUp::on_servers().await;
    tokio::task::spawn_blocking(move || stories::devices::share(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_to_an_account_is_told() {
    let set_up = SetUp::on_servers().await;
    tokio::task::spawn_blocking(move || stories::history::is_told(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_read_back() {
    let set_up = SetUp::on_servers().await;
    tokio::task::spawn_blocking(move || stories::archive::is_read_back(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_has_several_identifiers() {
    let set_up = SetUp::on_servers().await;
    tokio::task::spawn_blocking(move || stories::identifiers::share(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identifier_is_recovered_unless_an_old_device_objects() {
    let set_up = SetUp::on_servers().await;
    tokio::task::spawn_blocking(move || stories::recovery::recover(&set_up)).await.unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn the_systems_keyring_holds_the_keys() {
    let set_up = SetUp::on_servers().await;
    tokio::task::spawn_blocking(move || keyring::holds_the_keys(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_answered_edited_deleted_and_receipted() {
    let set_up = SetUp::on_servers().await;
    tokio::task::spawn_blocking(move || stories::content::says(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_verify_each_other() {
    let set_up = SetUp::on_servers().await;
    tokio::task::spawn_blocking(move || stories::verify::each_other(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_the_same_for_all() {
    let set_up = SetUp::on_servers().await;
    tokio::task::spawn_blocking(move || stories::groups::talk(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_250_is_reached_by_one_request() {
    stories::crowd::is_reached_by_one_request(&SetUp::on_servers().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_s_devices_have_their_groups() {
    let set_up = SetUp::on_servers().await;
    tokio::task::spawn_blocking(move || stories::groups::devices(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_call_themselves_is_for_those_whom_they_accepted() {
    let set_up = SetUp::on_servers().await;
    tokio::task::spawn_blocking(move || stories::profile::is_claimed(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_server_is_away() {
    let set_up = SetUp::on_servers().await;
    tokio::task::spawn_blocking(move || stories::outbox::waits(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_sees_neither_texts_nor_keys_nor_addresses() {
    stories::capture::finds_no_secret(&SetUp::on_servers().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_sees_no_groups() {
    stories::hidden_groups::show_nowhere(&SetUp::on_servers().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_account_leaves_nothing_that_names_its_person() {
    stories::deletion::leaves_nothing(&SetUp::on_servers().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_lose_and_double_nothing() {
    stories::kills::lose_and_double_nothing(&SetUp::on_servers().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_twice_counts_once() {
    stories::duplicates::count_once(&SetUp::on_servers().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attachments_come_as_they_were_sent() {
    let s3 = S3::start().await;
    let set_up = SetUp::on_servers().await.with_blobs_in(&s3);
    tokio::task::spawn_blocking(move || stories::attachments::share(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_megabytes_need_little_memory() {
    let s3 = S3::start().await;
    let set_up = SetUp::on_servers().await.with_blobs_in(&s3);
    tokio::task::spawn_blocking(move || stories::transfers::large(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn attachments_survive_whoever_dies() {
    let s3 = S3::start().await;
    let set_up = SetUp::on_servers().await.with_blobs_in(&s3);
    tokio::task::spawn_blocking(move || stories::transfers::survives(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_sees_messages_and_who_writes() {
    let set_up = SetUp::on_servers().await;
    tokio::task::spawn_blocking(move || stories::follow::shows_what_comes(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_goes_on_when_the_server_was_away() {
    let set_up = SetUp::on_servers().await;
    tokio::task::spawn_blocking(move || stories::follow::survives(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn following_and_fetching_lose_and_double_nothing() {
    let set_up = SetUp::on_servers().await;
    tokio::task::spawn_blocking(move || stories::follow::beside_others(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_removed_stops_to_follow() {
    let set_up = SetUp::on_servers().await;
    tokio::task::spawn_blocking(move || stories::follow::removed(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_device_is_refused_in_every_process_at_once() {
    let set_up = SetUp::on_servers().await;
    tokio::task::spawn_blocking(move || stories::follow::in_two_processes(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_up_while_the_home_follows() {
    let set_up = SetUp::on_servers().await;
    tokio::task::spawn_blocking(move || stories::transfers::beside_following(&set_up)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_is_seen_by_those_who_have_accepted_it_and_kept_nowhere() {
    stories::typing::is_seen(&SetUp::on_servers().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_whose_server_is_away_is_understood() {
    stories::proxied::is_away(&SetUp::on_servers().await).await;
}
