//! What the shop does to people: experiments, mail, invitations by friends, the survey.

use std::collections::HashMap;

use super::clock::{DAY_COUNT, DAY_US, HOUR_US, MINUTE_US, SECOND_US, day, day_of};
use super::events::Event;
use super::people::{Cast, Person, PersonIndex};
use super::random::Random;

/// A variant of an experiment: name, people who see it, of whom claim a coupon.
type Variant = (&'static str, usize, usize);

/// The coupon works; the split of the new home page is broken.
const EXPERIMENTS: [(&str, [Variant; 2]); 2] = [
    ("coupon_banner", [("control", 6_000, 600), ("treatment", 6_000, 690)]),
    ("new_home", [("control", 6_300, 0), ("treatment", 5_700, 0)]),
];

/// Exposures, and coupons claimed. Both happen during the shopping visit of web people.
pub fn experiments(cast: &Cast, seed: u64) -> Vec<Event> {
    let mut events = Vec::new();
    for (experiment, variants) in EXPERIMENTS {
        let mut random = Random::new(seed, experiment);
        let mut people = cast.who_shuffled(&mut random, |person| person.journey.shops_on_the_web()).into_iter();
        for (variant, seen, claimed) in variants {
            for (rank, person) in people.by_ref().take(seen).enumerate() {
                let at_us = cast[person].shopping_us() + 2 * SECOND_US;
                let mut exposure = Event::server(person, at_us, "experiment_exposure");
                exposure.exposure = Some((experiment, variant));
                events.push(exposure);
                if rank < claimed {
                    let at_us = at_us + random.between(5, 50) * SECOND_US;
                    events.push(Event::server(person, at_us, "coupon_claimed"));
                }
            }
        }
    }
    events
}

/// People who get three mails in a week and six, and how many of them unsubscribe.
const MAILS: [(i64, usize, usize); 2] = [(3, 8_000, 32), (6, 1_000, 30)];

/// Mail is sent within five days, evenly.
const MAIL_SPAN_DAYS: i64 = 5;

/// Mails and those who had enough of them. Whoever came by a mail has got one: everybody with a
/// touch by email is among the readers, and got the last mail two hours before that touch.
pub fn mails(cast: &Cast, seed: u64) -> Vec<Event> {
    let mut random = Random::new(seed, "mails");
    let by_mail = |person: &Person| person.journey.channels.contains(&"email");
    let clickers = cast.who(by_mail);
    let strangers = MAILS.iter().map(|(_, people, _)| people).sum::<usize>() - clickers.len();
    let mut pool = cast.who(|person| {
        person.journey.shops_on_the_web()
            && !by_mail(person)
            && day_of(person.moment_us) + MAIL_SPAN_DAYS + 2 < DAY_COUNT
    });
    let mut readers = random.take(&mut pool, strangers);
    readers.extend(clickers);
    random.shuffle(&mut readers);

    let mut events = Vec::new();
    let mut readers = readers.into_iter();
    for (mails, people, mut unsubscribe) in MAILS {
        for person in readers.by_ref().take(people) {
            let last_us = if by_mail(&cast[person]) {
                cast[person].moment_us - DAY_US - 2 * HOUR_US
            } else {
                cast[person].moment_us + (1 + MAIL_SPAN_DAYS) * DAY_US
            };
            let gap_us = MAIL_SPAN_DAYS * DAY_US / (mails - 1);
            for before in (0..mails).rev() {
                let mut mail = Event::server(person, last_us - before * gap_us, "email_sent");
                mail.campaign = Some("weekly_leaf");
                events.push(mail);
            }
            if unsubscribe > 0 && !by_mail(&cast[person]) {
                unsubscribe -= 1;
                events.push(Event::server(person, last_us + HOUR_US, "email_unsubscribe"));
            }
        }
    }
    events
}

/// Who invited each person of J17: 400 inviters, two friends each. An inviter has had their own
/// moment before their first friend comes.
pub fn invitations(cast: &Cast, seed: u64) -> HashMap<PersonIndex, PersonIndex> {
    let mut random = Random::new(seed, "invitations");
    let mut invited = cast.who(|person| person.journey.id == "J17");
    invited.sort_by_key(|person| cast[*person].moment_us);
    let mut candidates = cast.who(|person| person.level >= 2 && person.journey.id != "J17");
    candidates.sort_by_key(|person| cast[*person].moment_us);

    let mut invitations = HashMap::new();
    let mut met = Vec::new();
    let mut candidates = candidates.into_iter().peekable();
    for friends in invited.chunks(2) {
        let first_us = cast[friends[0]].first_contact_us();
        while let Some(person) = candidates.next_if(|person| cast[*person].moment_us < first_us) {
            met.push(person);
        }
        for inviter in random.take(&mut met, 1) {
            invitations.extend(friends.iter().map(|friend| (*friend, inviter)));
        }
    }
    invitations
}

/// One group of the people who were asked how likely they would recommend the shop.
struct Asked {
    people: usize,
    promoters: usize,
    passives: usize,
    detractors: usize,
}

/// Buyers who called: three in ten answer.
const CALLERS: Asked = Asked { people: 580, promoters: 140, passives: 24, detractors: 10 };

/// Everybody else who was asked: eight in a hundred answer.
const OTHERS: Asked = Asked { people: 10_325, promoters: 380, passives: 276, detractors: 170 };

/// The survey: who was asked, and the answers.
pub struct Survey {
    pub asked: Vec<PersonIndex>,
    pub answers: Vec<Event>,
}

/// Asks both groups.
pub fn survey(cast: &Cast, seed: u64) -> Survey {
    let mut random = Random::new(seed, "survey");
    let mut survey = Survey { asked: Vec::new(), answers: Vec::new() };
    let called = |person: &Person| person.buys && person.journey.calls_in();
    for (group, is_caller) in [(CALLERS, true), (OTHERS, false)] {
        let mut people = cast.who_shuffled(&mut random, |person| called(person) == is_caller);
        // Those who answer do so within the demo; whom nobody hears from may have been asked late.
        people.sort_by_key(|person| day_of(cast[*person].moment_us) >= day(5, 27));
        people.truncate(group.people);
        let scores = std::iter::repeat_n(9..=10, group.promoters)
            .chain(std::iter::repeat_n(7..=8, group.passives))
            .chain(std::iter::repeat_n(0..=6, group.detractors));
        for (person, range) in people.iter().zip(scores) {
            let at_us = cast[*person].moment_us + 2 * DAY_US + random.between(0, 2 * 24 * 60) * MINUTE_US;
            let mut answer = Event::server(*person, at_us, "survey_answer");
            answer.score = Some(random.between(*range.start(), *range.end()) as f64);
            survey.answers.push(answer);
        }
        survey.asked.extend(people);
    }
    survey
}
