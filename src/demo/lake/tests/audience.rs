//! Tags, consents, identity.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::read::{instants, lists, only, texts};
use super::{local, sample};

/// The people with a tag now, as the list of `users` says.
fn tagged(tag: &str) -> HashSet<String> {
    let users = only(&sample().lake, "users");
    texts(users, "user_id")
        .into_iter()
        .flatten()
        .zip(lists(users, "tags"))
        .filter(|(_, tags)| tags.iter().any(|held| held == tag))
        .map(|(user, _)| user)
        .collect()
}

#[test]
fn audiences_have_the_planted_sizes() {
    let (intent, risk) = (tagged("高意向"), tagged("流失风险"));
    let (red, white) = (tagged("兴趣:红茶"), tagged("兴趣:白茶"));
    assert_eq!(intent.len(), 5_000);
    assert_eq!(intent.intersection(&risk).count(), 1_200);
    assert_eq!(intent.difference(&risk).count(), 3_800);
    assert_eq!((red.len(), white.len()), (9_000, 6_000));
    assert_eq!((red.intersection(&white).count(), red.union(&white).count()), (2_500, 12_500));
    let tastes: HashSet<&String> = red.union(&white).collect();
    let precious = tagged("高价值").iter().filter(|user| tastes.contains(user) && !risk.contains(*user)).count();
    assert_eq!(precious, 640);
}

#[test]
fn the_history_of_tags_ends_in_the_current_ones() {
    let history = only(&sample().lake, "user_tags");
    let mut open: BTreeMap<String, HashSet<String>> = BTreeMap::new();
    let rows = texts(history, "user_id")
        .into_iter()
        .flatten()
        .zip(texts(history, "tag").into_iter().flatten())
        .zip(instants(history, "set_at").into_iter().flatten())
        .zip(instants(history, "unset_at"));
    let mut closed = 0;
    for (((user, tag), set_us), unset_us) in rows {
        assert!(unset_us.is_none_or(|unset_us| unset_us > set_us));
        match unset_us {
            Some(_) => closed += 1,
            None => assert!(open.entry(tag).or_default().insert(user), "a tag is held once"),
        }
    }
    assert_eq!(closed, 600);
    for (tag, users) in open {
        assert_eq!(users, tagged(&tag), "{tag}");
    }
}

#[test]
fn consent_to_be_texted_is_what_was_last_said() {
    let consents = only(&sample().lake, "consents");
    let mut said: HashMap<String, Vec<(i64, String)>> = HashMap::new();
    let rows = texts(consents, "user_id")
        .into_iter()
        .flatten()
        .zip(texts(consents, "purpose").into_iter().flatten())
        .zip(texts(consents, "status").into_iter().flatten())
        .zip(instants(consents, "changed_at").into_iter().flatten());
    for (((user, purpose), status), at_us) in rows {
        if purpose == "marketing_sms" {
            said.entry(user).or_default().push((at_us, status));
        }
    }
    said.values_mut().for_each(|words| words.sort());
    let risk = tagged("流失风险");
    let wanted: Vec<String> = tagged("高意向").into_iter().filter(|user| !risk.contains(user)).collect();
    let last = |user: &String| said.get(user).and_then(|words| words.last());
    let granted = wanted.iter().filter(|user| last(user).is_some_and(|word| word.1 == "granted"));
    assert_eq!(granted.count(), 3_400);
    let may = local("2026-05-01T00:00:00")..local("2026-06-01T00:00:00");
    let withdrew =
        wanted.iter().filter(|user| last(user).is_some_and(|word| word.1 == "withdrawn" && may.contains(&word.0)));
    assert_eq!(withdrew.count(), 150);
}

#[test]
fn only_the_two_device_people_have_two_devices() {
    let mut devices: HashMap<&str, HashSet<&str>> = HashMap::new();
    for event in &sample().events {
        devices.entry(&event.user).or_default().insert(&event.device);
    }
    let two = devices.values().filter(|devices| devices.len() == 2).count();
    let one = devices.values().filter(|devices| devices.len() == 1).count();
    assert_eq!((two, one), (4_000, 42_400));
}

#[test]
fn the_tablet_is_linked_to_many_people() {
    let edges = only(&sample().lake, "identity_edges");
    let mut people: HashMap<String, HashSet<String>> = HashMap::new();
    for (id, user) in texts(edges, "id_a").into_iter().zip(texts(edges, "id_b")) {
        people.entry(id.expect("an id")).or_default().insert(user.expect("a person"));
    }
    assert_eq!(people["shop-tablet-01"].len(), 250);
    let shared = people.iter().filter(|(_, people)| people.len() > 1).count();
    assert_eq!(shared, 1, "nothing but the tablet is shared");
}
