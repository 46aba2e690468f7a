//! Experiments, leads, subscriptions, mail, invitations, the survey.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::read::{EventRow, cents, flags, only, texts};
use super::{local, sample};
use crate::demo::lake::clock::DAY_US;

fn named(name: &str) -> impl Iterator<Item = &'static EventRow> {
    sample().events.iter().filter(move |event| event.event == name)
}

#[test]
fn the_coupon_works_and_the_other_split_is_broken() {
    let claimed: HashMap<&str, i64> = named("coupon_claimed").map(|event| (event.user.as_str(), event.at_us)).collect();
    let mut counts: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    let mut seen = HashSet::new();
    for exposure in named("experiment_exposure") {
        let experiment = exposure.experiment.as_deref().expect("an exposure to something");
        let variant = exposure.variant.as_deref().expect("a variant");
        assert!(seen.insert((experiment, &exposure.user)), "nobody sees two variants");
        let count = counts.entry((experiment, variant)).or_default();
        let claims = claimed.get(exposure.user.as_str()).is_some_and(|at_us| *at_us > exposure.at_us);
        *count = (count.0 + 1, count.1 + usize::from(claims && experiment == "coupon_banner"));
    }
    let planted = BTreeMap::from([
        (("coupon_banner", "control"), (6_000, 600)),
        (("coupon_banner", "treatment"), (6_000, 690)),
        (("new_home", "control"), (6_300, 0)),
        (("new_home", "treatment"), (5_700, 0)),
    ]);
    assert_eq!(counts, planted);
    assert_eq!(claimed.len(), 1_290);
}

#[test]
fn the_pipeline_is_planted() {
    let stages = ["lead_created", "mql", "sql", "opportunity_created", "won"];
    let leads = |name: &str| -> HashSet<&str> { named(name).filter_map(|event| event.lead.as_deref()).collect() };
    assert_eq!(stages.map(|stage| leads(stage).len()), [500, 300, 200, 150, 110]);
    for pair in stages.windows(2) {
        assert!(leads(pair[1]).is_subset(&leads(pair[0])), "{} after {}", pair[1], pair[0]);
    }
    let orders: HashMap<&str, i64> = named("purchase")
        .filter(|order| order.order_index == Some(1))
        .map(|order| (order.user.as_str(), order.at_us))
        .collect();
    for won in named("won") {
        assert_eq!((won.revenue_cents, orders[won.user.as_str()]), (Some(80_000), won.at_us));
    }
}

#[test]
fn leads_are_worth_what_was_planted() {
    let leads = only(&sample().lake, "leads");
    let mut sums: BTreeMap<String, (i64, i64, i64)> = BTreeMap::new();
    let rows = texts(leads, "lead_channel")
        .into_iter()
        .flatten()
        .zip(flags(leads, "sold").into_iter().flatten())
        .zip(cents(leads, "order_value"));
    for ((channel, sold), cents) in rows {
        let sum = sums.entry(channel).or_default();
        *sum = (sum.0 + 1, sum.1 + i64::from(sold), sum.2 + cents.unwrap_or(0) / 100);
    }
    assert_eq!(sums["industry_site"], (500, 110, 176 * 500));
    assert_eq!(sums["baidu"], (1_000, 300, 90 * 1_000));
    assert_eq!(sums["seo"], (600, 180, 90 * 600));
    assert_eq!(sums.len(), 3);
}

#[test]
fn subscribers_renew_as_planted() {
    let renewals: HashSet<(&str, i64)> = named("renew").map(|event| (event.user.as_str(), event.at_us)).collect();
    let (march, april) = (local("2026-04-01T00:00:00"), local("2026-04-02T00:00:00"));
    let mut cohorts = [[0; 3]; 2];
    let mut subscribers = HashSet::new();
    for start in named("subscribe") {
        assert!(subscribers.insert(&start.user), "everybody subscribes once");
        assert!(start.at_us < march || start.at_us >= april, "nobody starts on 1 April");
        assert!(start.at_us < local("2026-05-01T00:00:00"));
        let cohort = &mut cohorts[usize::from(start.at_us >= april)];
        cohort[0] += 1;
        for (index, days) in [(1, 30), (2, 60)] {
            let renewed = renewals.contains(&(&start.user, start.at_us + days * DAY_US));
            cohort[index] += usize::from(renewed);
        }
        if start.at_us >= april {
            assert!(start.at_us + 60 * DAY_US >= local("2026-06-01T00:00:00"));
        }
    }
    assert_eq!(cohorts, [[600, 480, 384], [400, 320, 0]]);
    assert_eq!(renewals.len(), 480 + 384 + 320);
}

#[test]
fn subscribers_fail_to_pay_as_planted() {
    let mut failures: HashMap<&str, Vec<i64>> = HashMap::new();
    for event in named("payment_failed") {
        failures.entry(&event.user).or_default().push(event.at_us);
    }
    let mut counts = [0; 3];
    for cancel in named("cancel") {
        let failed = failures.remove(cancel.user.as_str()).unwrap_or_default();
        assert!(failed.iter().all(|at_us| (0..=7 * DAY_US).contains(&(cancel.at_us - at_us))));
        counts[failed.len()] += 1;
    }
    assert_eq!(counts[1..], [30, 90]);
    assert!(failures.is_empty(), "who fails to pay cancels");
}

#[test]
fn too_much_mail_drives_people_away() {
    let mut mails: HashMap<&str, Vec<i64>> = HashMap::new();
    for mail in named("email_sent") {
        mails.entry(&mail.user).or_default().push(mail.at_us);
    }
    let mut counts: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    let gone: HashSet<&str> = named("email_unsubscribe").map(|event| event.user.as_str()).collect();
    for (user, times) in &mails {
        assert!(times[times.len() - 1] - times[0] <= 7 * DAY_US, "all within a week");
        let count = counts.entry(times.len()).or_default();
        *count = (count.0 + 1, count.1 + usize::from(gone.contains(user)));
    }
    assert_eq!(counts, BTreeMap::from([(3, (8_000, 32)), (6, (1_000, 30))]));
    for click in named("email_click") {
        assert!(mails[click.user.as_str()].iter().any(|sent_us| *sent_us < click.at_us));
    }
}

#[test]
fn friends_invite_friends() {
    let invited: HashMap<&str, &str> =
        sample().events.iter().filter_map(|event| Some((event.user.as_str(), event.referrer.as_deref()?))).collect();
    let inviters: HashSet<&str> = invited.values().copied().collect();
    let buyers: HashSet<&str> = named("purchase").map(|order| order.user.as_str()).collect();
    let bought = invited.keys().filter(|user| buyers.contains(*user)).count();
    assert_eq!((inviters.len(), invited.len(), bought), (400, 800, 160));

    let mut met: HashSet<&str> = HashSet::new();
    for event in &sample().events {
        if let Some(inviter) = event.referrer.as_deref() {
            assert!(met.contains(inviter), "{inviter} is met before the friend comes");
        }
        met.insert(&event.user);
    }
}

#[test]
fn the_survey_has_the_planted_score_and_rates() {
    let answers: HashMap<&str, f64> =
        named("survey_answer").map(|answer| (answer.user.as_str(), answer.score.expect("a score"))).collect();
    assert_eq!(answers.len(), 1_000);
    assert_eq!(answers.values().filter(|score| **score >= 9.0).count(), 520);
    assert_eq!(answers.values().filter(|score| **score <= 6.0).count(), 180);

    let calls = only(&sample().lake, "calls");
    let callers: HashSet<String> = texts(calls, "user_id")
        .into_iter()
        .flatten()
        .zip(texts(calls, "call_direction"))
        .zip(texts(calls, "call_outcome"))
        .filter(|((_, direction), outcome)| {
            direction.as_deref() == Some("inbound") && outcome.as_deref() == Some("sold")
        })
        .map(|((user, _), _)| user)
        .collect();
    let users = only(&sample().lake, "users");
    let mut counts = [[0; 2]; 2];
    for (user, attributes) in texts(users, "user_id").into_iter().zip(texts(users, "attributes")) {
        let user = user.expect("a user");
        if attributes.as_deref() == Some(r#"{"survey": "asked"}"#) {
            let count = &mut counts[usize::from(callers.contains(&user))];
            count[0] += 1;
            count[1] += usize::from(answers.contains_key(user.as_str()));
        }
    }
    // 0.08 of all others and 0.30 of the buyers who called.
    assert_eq!(counts, [[10_325, 826], [580, 174]]);
}
