//! Which group a person means, among groups whose names and ids strangers have chosen.

use rossby_crypto::group::{Action, GroupId};

use super::Crowd;
use crate::{Addressee, ClientError, Membership};

impl Crowd {
    /// The group that someone means who writes.
    async fn means(&self, person: usize, text: &str) -> Result<Addressee, ClientError> {
        self.people[person].client.resolve(text).await
    }

    /// Someone makes a group that is called so.
    async fn called(&mut self, by: usize, members: &[usize], name: &str) -> GroupId {
        let id = self.founded(by, &[], members).await;
        self.act(by, id, Action::Rename { name: name.to_owned() }).await.unwrap();
        self.deliver_all().await;
        id
    }
}

fn group(id: GroupId) -> Addressee {
    Addressee::Group(id.into())
}

#[tokio::test]
async fn what_waits_for_an_answer_is_meant_by_its_whole_id_only() {
    let mut crowd = Crowd::strangers(2).await;
    let strange = crowd.called(0, &[1], "garden").await;
    let beginning = strange.to_string()[..4].to_owned();
    for text in ["garden", &beginning, &strange.to_string()[..30]] {
        assert!(matches!(crowd.means(1, text).await, Err(ClientError::NotAnAddressee(_))), "{text}");
        let client = &crowd.people[1].client;
        assert!(
            matches!(client.leave_group(&text.parse().unwrap()).await, Err(ClientError::NoGroupNamed(_))),
            "{text}"
        );
        // It can be looked at.
        assert_eq!(client.resolve_to_read(text).await.unwrap(), group(strange));
        assert_eq!(client.group(&text.parse().unwrap()).await.unwrap().id, strange);
    }
    assert_eq!(crowd.means(1, &strange.to_string()).await.unwrap(), group(strange));
    // The own group is called as the stranger's id begins, or as the stranger's group.
    let own = crowd.called(1, &[], &beginning).await;
    let other = crowd.called(1, &[], "garden").await;
    for (text, id) in [(beginning.as_str(), own), ("garden", other)] {
        assert_eq!(crowd.means(1, text).await.unwrap(), group(id));
        assert_eq!(crowd.people[1].client.resolve_to_read(text).await.unwrap(), group(id));
    }
    // Who answers means what waits for an answer.
    let declined = crowd.people[1].client.decline_group(&"garden".parse().unwrap()).await.unwrap();
    assert_eq!((declined.id, declined.membership), (strange, Membership::Declined));
    assert_eq!(crowd.group(1, other).await.membership, Membership::Admin);
}

#[tokio::test]
async fn a_name_is_meant_before_the_beginning_of_an_id_and_a_whole_id_before_a_name() {
    let mut crowd = Crowd::new(2).await;
    let one = crowd.called(0, &[1], "garden").await;
    let beginning = one.to_string()[..8].to_owned();
    assert_eq!(crowd.means(1, &beginning).await.unwrap(), group(one));
    let named_so = crowd.called(0, &[1], &beginning).await;
    assert_eq!(crowd.means(1, &beginning).await.unwrap(), group(named_so));
    crowd.called(0, &[1], &one.to_string()).await;
    assert_eq!(crowd.means(1, &one.to_string()).await.unwrap(), group(one));
    assert!(matches!(crowd.means(1, "nothing").await, Err(ClientError::NotAnAddressee(_))));
}
