//! Graphs as they are kept: by several processes on one home, and where the store is damaged.

use rossby_crypto::group::{Action, GroupId};

use super::Crowd;
use crate::{Client, ClientConfig, ClientError, Unlock};

impl Crowd {
    /// Another process on someone's home.
    async fn beside(&self, person: usize) -> Client {
        let home = self.people[person].client.home.clone();
        let key = home.parent().unwrap().join("key");
        let mut config = ClientConfig::new(home, Unlock::KeyFile(key));
        config.clock = self.people[person].clock.clone();
        Client::open(config).await.unwrap()
    }
}

async fn renames(client: &Client, id: GroupId, name: &str, commits: bool) {
    let own = client.as_stored().await.unwrap();
    let mut transaction = client.store.begin().await.unwrap();
    let known = client.graph(&mut transaction, id).await.unwrap().unwrap();
    let change = client.next_change(&own, &known.graph, Action::Rename { name: name.to_owned() });
    client.make_change(&mut transaction, &own, change).await.unwrap();
    if commits {
        transaction.commit().await.unwrap();
    } else {
        transaction.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn a_change_that_was_not_committed_is_not_known() {
    let mut crowd = Crowd::new(2).await;
    let id = crowd.founded(0, &[], &[1]).await;
    let other = crowd.beside(0).await;
    let client = &crowd.people[0].client;
    renames(client, id, "one", false).await;
    assert_eq!(client.group(&id.into()).await.unwrap().name, "garden");
    // While it still has that one in mind, another process makes as many.
    renames(client, id, "one", false).await;
    renames(&other, id, "two", true).await;
    renames(client, id, "three", true).await;
    let names: Vec<_> = client.group_history(&id.into()).await.unwrap().into_iter().map(|event| event.action).collect();
    let rename = |name: &str| Action::Rename { name: name.to_owned() };
    assert_eq!(names[1..], [rename("two"), rename("three")]);
    // Whoever reads the store comes to the same.
    let fresh = crowd.beside(0).await;
    assert_eq!(fresh.group(&id.into()).await.unwrap().name, "three");
    assert_eq!(other.group(&id.into()).await.unwrap().name, "three");
    crowd.post(0).await;
    crowd.deliver_all().await;
    assert_eq!(crowd.group(1, id).await.name, "three");
}

#[tokio::test]
async fn one_group_that_can_t_be_read_stops_no_other() {
    let mut crowd = Crowd::new(2).await;
    let (damaged, sound) = (crowd.founded(0, &[], &[1]).await, crowd.founded(0, &[], &[1]).await);
    let mut transaction = crowd.people[0].client.store.begin().await.unwrap();
    sqlx::query("update group_changes set change = x'00' where group_id = ?")
        .bind(damaged.as_bytes().as_slice())
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let client = crowd.beside(0).await;
    assert_eq!(client.group_id(&"garden".parse().unwrap()).await.unwrap(), sound);
    assert_eq!(client.groups().await.unwrap().len(), 1);
    let own = client.as_stored().await.unwrap();
    client.ask_members(&own).await.unwrap();
    // Who asks for it by its id is told.
    let told = client.group_history(&damaged.into()).await;
    assert!(matches!(told, Err(ClientError::DamagedStore(_))), "{told:?}");
}
