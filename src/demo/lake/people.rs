//! Who is in the story: every person with a journey, a moment, a place and a platform.
//!
//! People are cast by quota, and in an order that lets every quota fit: first who buys and who
//! comes again, then when and where (`moments`), then on what and how far into the shop
//! (`shopping`). The seed decides only who takes which part.

use std::ops::Index;

use super::clock::{DAY_US, HOUR_US, MINUTE_US};
use super::journeys::{JOURNEYS, Journey};
use super::places::{PROVINCES, Province};
use super::random::Random;
use super::{moments, shopping};

/// Rank of a person in the cast: `u00001` has index 0.
pub type PersonIndex = usize;

/// One person of the story.
#[derive(Clone, Debug)]
pub struct Person {
    pub journey: &'static Journey,
    /// Orders for the first time at the moment.
    pub buys: bool,
    /// Orders again later.
    pub repeats: bool,
    /// The moment of the first order, or the person's last one without an order.
    pub moment_us: i64,
    pub province: &'static Province,
    pub city: &'static str,
    /// What the person shops on: `android`, `ios`, `miniprogram` or `web`.
    pub platform: &'static str,
    /// How far into the web shop: 0 not at all, 1 `page_view` to 5 `purchase`.
    pub level: u8,
    /// Checks out more than three days before paying.
    pub pays_late: bool,
}

/// How much earlier those who pay late look round the shop and check out.
pub const LATE_US: i64 = 3 * DAY_US + 4 * HOUR_US;

/// Time from the first page of a shopping visit to the moment.
pub const SHOPPING_US: i64 = 10 * MINUTE_US;

/// Time from the first page of a shopping visit to the checkout.
pub const CHECKOUT_AFTER_US: i64 = 6 * MINUTE_US;

impl Person {
    /// When the shopping visit of a web person begins.
    pub fn shopping_us(&self) -> i64 {
        self.moment_us - SHOPPING_US - if self.pays_late { LATE_US } else { 0 }
    }

    /// When the person checks out, if they come so far.
    pub fn checkout_us(&self) -> i64 {
        self.shopping_us() + CHECKOUT_AFTER_US
    }

    /// When the shop first meets the person.
    pub fn first_contact_us(&self) -> i64 {
        let touch_us = self.journey.touches().map(|(_, before_us)| self.moment_us - before_us).min();
        match touch_us {
            Some(touch_us) if self.journey.shops_on_the_web() => touch_us.min(self.shopping_us()),
            Some(touch_us) => touch_us,
            None => self.moment_us,
        }
    }

    /// Where the person's orders are taken.
    pub fn order_platform(&self) -> &'static str {
        if self.journey.calls_in() || self.journey.is_called_cold() {
            "phone"
        } else if self.journey.is_walk_in() {
            "store"
        } else {
            self.platform
        }
    }
}

/// All people.
#[derive(Debug)]
pub struct Cast {
    pub people: Vec<Person>,
}

impl Index<PersonIndex> for Cast {
    type Output = Person;

    fn index(&self, index: PersonIndex) -> &Person {
        &self.people[index]
    }
}

impl Cast {
    /// Casts everybody.
    pub fn new(seed: u64) -> Self {
        let mut people = crowd(seed);
        choose_repeaters(&mut people, seed);
        moments::assign(&mut people, seed);
        shopping::assign(&mut people, seed);
        Self { people }
    }

    /// The people for whom `wanted` holds, in the order of their ids.
    pub fn who(&self, wanted: impl Fn(&Person) -> bool) -> Vec<PersonIndex> {
        (0..self.people.len()).filter(|index| wanted(&self.people[*index])).collect()
    }

    /// The same, in random order.
    pub fn who_shuffled(&self, random: &mut Random, wanted: impl Fn(&Person) -> bool) -> Vec<PersonIndex> {
        let mut found = self.who(wanted);
        random.shuffle(&mut found);
        found
    }
}

/// Everybody with a journey, in random order so that an id tells nothing.
fn crowd(seed: u64) -> Vec<Person> {
    let mut people = Vec::with_capacity(46_400);
    for journey in &JOURNEYS {
        for rank in 0..journey.people {
            people.push(Person {
                journey,
                buys: rank < journey.buyers,
                repeats: false,
                moment_us: 0,
                province: &PROVINCES[0],
                city: PROVINCES[0].cities[0],
                platform: "web",
                level: 0,
                pays_late: false,
            });
        }
    }
    Random::new(seed, "crowd").shuffle(&mut people);
    people
}

/// How many buyers of each first channel order again.
pub const REPEATERS: [(&str, usize); 12] = [
    ("store_qr", 135),
    ("seo", 122),
    ("douyin", 86),
    ("baidu", 71),
    ("referral", 56),
    ("industry_site", 44),
    ("xiaohongshu", 30),
    ("direct", 24),
    ("wechat", 12),
    ("email", 7),
    ("call_out", 6),
    ("sms", 1),
];

/// Chooses who orders again. Nobody of J22: their first orders come too late to fit a second.
fn choose_repeaters(people: &mut [Person], seed: u64) {
    let mut random = Random::new(seed, "repeaters");
    for (channel, count) in REPEATERS {
        let mut pool: Vec<PersonIndex> = (0..people.len())
            .filter(|index| {
                let person = &people[*index];
                person.buys && person.journey.id != "J22" && person.journey.first_channel() == Some(channel)
            })
            .collect();
        for index in random.take(&mut pool, count) {
            people[index].repeats = true;
        }
    }
}
