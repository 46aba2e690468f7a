//! When each person's moment is, and in which province they live.
//!
//! Buyers fill fixed numbers of places per period and region, so that the pause of Douyin in the
//! west shows exactly as planted. Those with the fewest places to go choose first.

use super::clock::{DAY_COUNT, DAY_US, HOUR_US, SECOND_US, day, day_of, starts_us};
use super::people::Person;
use super::places::{PROVINCES, Province, WEST_COUNT};
use super::random::Random;

/// Days of the pause: Douyin is off in the west from 4 to 17 May.
pub const PAUSE_DAYS: std::ops::Range<i64> = day(5, 4)..day(5, 18);

/// The first day of any moment; a touch may come 45 days earlier, where the journey says so.
const FIRST_DAY: i64 = day(3, 8);

/// First orders in one period: its days, and how many come from the west and from the east.
struct Period {
    days: std::ops::Range<i64>,
    west: usize,
    east: usize,
}

/// The second and third are the fortnights before and during the pause. The others hold what is
/// left, in the proportion of west and east before the pause.
const PERIODS: [Period; 4] = [
    Period { days: FIRST_DAY..day(4, 20), west: 585, east: 1_170 },
    Period { days: day(4, 20)..PAUSE_DAYS.start, west: 180, east: 360 },
    Period { days: PAUSE_DAYS, west: 135, east: 360 },
    Period { days: PAUSE_DAYS.end..DAY_COUNT, west: 180, east: 360 },
];

/// Gives everybody a moment and a place.
pub fn assign(people: &mut [Person], seed: u64) {
    let mut random = Random::new(seed, "moments");
    let clock = DeskClock::new(people, &mut random);
    let mut left: Vec<[usize; 2]> = PERIODS.iter().map(|period| [period.west, period.east]).collect();

    let mut buyers: Vec<usize> = (0..people.len()).filter(|index| people[*index].buys).collect();
    buyers.sort_by_key(|index| freedom(&people[*index]));
    for index in buyers {
        let days = possible_days(&people[index]);
        let weights: Vec<u64> = places(&people[index], &days, &left).collect();
        let place = random.weighted(&weights);
        let (period, region) = (place / 2, place % 2);
        left[period][region] -= 1;
        let days = intersect(&PERIODS[period].days, &days);
        settle(&mut people[index], region == 0, &days, &clock, index, &mut random);
    }
    for (index, person) in people.iter_mut().enumerate().filter(|(_, person)| !person.buys) {
        let is_west = random.below(3) == 0;
        let days = possible_days(person);
        settle(person, is_west, &days, &clock, index, &mut random);
    }
}

/// How many choices a buyer has, roughly: the fewest first.
fn freedom(person: &Person) -> u8 {
    if person.repeats && person.journey.id == "J13" {
        0
    } else if person.journey.id == "J22" {
        1
    } else if person.repeats {
        2
    } else if has_douyin(person) {
        3
    } else {
        4
    }
}

/// The days on which a person's moment may lie.
///
/// All repeat orders must fit before the end: 42 days for the three of a `store_qr` person, 21 for
/// the one of others. J22 touched 45 days earlier, J17 needs somebody to be invited by, and cold
/// calls leave two days for a second and a third dial.
fn possible_days(person: &Person) -> std::ops::Range<i64> {
    let from = match person.journey.id {
        "J22" => day(4, 20),
        "J17" => day(3, 20),
        _ => FIRST_DAY,
    };
    let until = match (person.repeats, person.journey.id) {
        (true, "J13") => day(4, 19),
        (true, _) => day(5, 10),
        (false, "J21") => day(5, 31),
        (false, _) => DAY_COUNT,
    };
    from..until
}

/// The weight of each place (period by region) for one buyer: the share of its days that suits
/// the person times the places left. No order follows a Douyin touch in the west in the pause.
fn places<'a>(
    person: &'a Person,
    days: &'a std::ops::Range<i64>,
    left: &'a [[usize; 2]],
) -> impl Iterator<Item = u64> + 'a {
    PERIODS.iter().zip(left).flat_map(move |(period, left)| {
        let suitable = intersect(&period.days, days).count() as u64;
        let in_pause = period.days == PAUSE_DAYS;
        let length = period.days.clone().count() as u64;
        [0, 1].map(|region| {
            if region == 0 && in_pause && has_douyin(person) {
                0
            } else {
                left[region] as u64 * suitable * 100 / length
            }
        })
    })
}

fn intersect(a: &std::ops::Range<i64>, b: &std::ops::Range<i64>) -> std::ops::Range<i64> {
    a.start.max(b.start)..a.end.min(b.end)
}

fn has_douyin(person: &Person) -> bool {
    person.journey.channels.contains(&"douyin")
}

/// Gives one person a home and a moment on one of `days`.
fn settle(
    person: &mut Person,
    is_west: bool,
    days: &std::ops::Range<i64>,
    clock: &DeskClock,
    index: usize,
    random: &mut Random,
) {
    person.province = home(is_west, random);
    person.city = *random.pick(person.province.cities);
    loop {
        let day = random.between(days.start, days.end - 1);
        let at_us = starts_us(day) + clock.time_of_day(person, index, day, random);
        if !is_paused(person, at_us) {
            person.moment_us = at_us;
            return;
        }
    }
}

/// Large provinces weigh more.
fn home(is_west: bool, random: &mut Random) -> &'static Province {
    let provinces = if is_west { &PROVINCES[..WEST_COUNT] } else { &PROVINCES[WEST_COUNT..] };
    let weights: Vec<u64> = provinces.iter().map(|province| 1 + province.cities.len() as u64).collect();
    &provinces[random.weighted(&weights)]
}

/// A Douyin touch of this moment would fall into the pause in the west.
fn is_paused(person: &Person, moment_us: i64) -> bool {
    person.province.is_west
        && person
            .journey
            .touches()
            .any(|(channel, before_us)| channel == "douyin" && PAUSE_DAYS.contains(&day_of(moment_us - before_us)))
}

/// Customers per hour of a day, from 8 to 23 o'clock: lunch and evening are busy.
const SHOPPING_HOURS: [u64; 16] = [2, 3, 5, 6, 8, 7, 5, 5, 5, 5, 6, 8, 10, 10, 8, 4];

/// How many first dials of the cold campaign are made from 18:00 to 19:59.
const EVENING_DIALS: usize = 1_000;

/// Chooses times of day. The desk works from 9:00 to 21:00; a fixed number of cold calls is made
/// in the evening. A call comes exactly one day before the moment, so the two share their clock.
struct DeskClock {
    evening: std::collections::HashSet<usize>,
}

impl DeskClock {
    fn new(people: &[Person], random: &mut Random) -> Self {
        let mut cold: Vec<usize> = (0..people.len()).filter(|index| people[*index].journey.is_called_cold()).collect();
        Self { evening: random.take(&mut cold, EVENING_DIALS).into_iter().collect() }
    }

    /// Microseconds after local midnight, in whole milliseconds.
    fn time_of_day(&self, person: &Person, index: usize, on_day: i64, random: &mut Random) -> i64 {
        let hour = if person.journey.is_called_cold() {
            if self.evening.contains(&index) {
                random.between(18, 19)
            } else {
                *random.pick(&[9, 10, 11, 13, 14, 15, 16, 17, 20])
            }
        } else if person.journey.calls_in() {
            random.between(9, 20)
        } else if person.journey.is_walk_in() || person.journey.id == "J13" {
            random.between(10, 20)
        } else if on_day == DAY_COUNT - 1 {
            // Moments end at 13:00 UTC of the last day.
            random.between(8, 20)
        } else {
            8 + random.weighted(&SHOPPING_HOURS) as i64
        };
        hour * HOUR_US + random.between(0, 3_599) * SECOND_US + random.between(0, 999) * 1_000
    }
}

const _: () = assert!(DAY_US == 24 * HOUR_US, "offsets in days keep the clock time");
