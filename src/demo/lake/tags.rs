//! What the shop thinks of people: tags, with the time since when and until when.

use std::collections::HashSet;

use super::clock::{DAY_US, END_US, HOUR_US, MINUTE_US};
use super::people::{Cast, PersonIndex};
use super::random::Random;

/// A tag that a person has or had.
#[derive(Clone, Debug)]
pub struct Tag {
    pub person: PersonIndex,
    pub tag: &'static str,
    pub set_us: i64,
    /// None while the person has it.
    pub unset_us: Option<i64>,
}

/// A tag and the rule that sets it.
#[derive(Debug)]
pub struct TagRule {
    pub rule_id: &'static str,
    pub tag: &'static str,
    pub description: &'static str,
    pub definition: &'static str,
}

pub const HIGH_INTENT: &str = "高意向";
pub const CHURN_RISK: &str = "流失风险";
pub const HIGH_VALUE: &str = "高价值";
pub const RED_TEA: &str = "兴趣:红茶";
pub const WHITE_TEA: &str = "兴趣:白茶";

/// All tags.
pub const TAG_RULES: [TagRule; 5] = [
    TagRule {
        rule_id: "R01",
        tag: HIGH_INTENT,
        description: "加购且评分靠前",
        definition: "reached add_to_cart, best scores of the month",
    },
    TagRule {
        rule_id: "R02",
        tag: CHURN_RISK,
        description: "预测近期不再来",
        definition: "score of the churn model above 0.7",
    },
    TagRule {
        rule_id: "R03",
        tag: HIGH_VALUE,
        description: "客单价高的买家",
        definition: "buyer with a high expected value",
    },
    TagRule { rule_id: "R04", tag: RED_TEA, description: "爱看红茶", definition: "likes red tea" },
    TagRule { rule_id: "R05", tag: WHITE_TEA, description: "爱看白茶", definition: "likes white tea" },
];

const HIGH_INTENT_PEOPLE: usize = 5_000;
const HIGH_INTENT_AT_RISK: usize = 1_200;
/// People at risk without 高意向.
const OTHERS_AT_RISK: usize = 4_000;
/// People who were at risk and are no longer: rows of the history only.
const NO_LONGER_AT_RISK: usize = 600;

/// Of 高价值: those with a taste and not at risk, with a taste and at risk, without a taste.
const VALUED_SAFE: usize = 640;
const VALUED_AT_RISK: usize = 110;
const VALUED_WITHOUT_TASTE: usize = 250;

const RED_ONLY: usize = 6_500;
const WHITE_ONLY: usize = 3_500;
const RED_AND_WHITE: usize = 2_500;

/// Who is tagged now.
#[derive(Debug)]
pub struct Tagged {
    pub tags: Vec<Tag>,
    /// 高意向 and not 流失风险: whom the shop would like to text.
    pub wanted: Vec<PersonIndex>,
}

/// Tags everybody.
pub fn tags(cast: &Cast, seed: u64) -> Tagged {
    let mut random = Random::new(seed, "tags");
    let mut intent_pool = cast.who(|person| person.level >= 3);
    let intent = random.take(&mut intent_pool, HIGH_INTENT_PEOPLE);
    let mut buyers = cast.who(|person| person.buys);
    let valued_safe = random.take(&mut buyers, VALUED_SAFE);
    let valued_at_risk = random.take(&mut buyers, VALUED_AT_RISK);
    let valued_without_taste = random.take(&mut buyers, VALUED_WITHOUT_TASTE);
    let valued = [valued_safe, valued_at_risk.clone(), valued_without_taste.clone()].concat();

    let at_risk = at_risk(cast, &intent, &valued, valued_at_risk, &mut random);
    let (red, white) = tastes(cast, &valued, &valued_without_taste, &mut random);

    let risky: HashSet<PersonIndex> = at_risk.iter().copied().collect();
    let wanted = intent.iter().copied().filter(|person| !risky.contains(person)).collect();
    let mut recovered_pool = cast.who(|person| person.level >= 2);
    recovered_pool.retain(|person| !risky.contains(person) && cast[*person].moment_us < END_US - 9 * DAY_US);
    let recovered = random.take(&mut recovered_pool, NO_LONGER_AT_RISK);

    let mut tags = Vec::new();
    for (tag, people) in
        [(HIGH_INTENT, intent), (CHURN_RISK, at_risk), (HIGH_VALUE, valued), (RED_TEA, red), (WHITE_TEA, white)]
    {
        for person in people {
            let set_us = set_us(cast, person, &mut random);
            tags.push(Tag { person, tag, set_us, unset_us: None });
        }
    }
    for person in recovered {
        let set_us = cast[person].moment_us + DAY_US;
        let unset_us = Some(set_us + random.between(24, 7 * 24) * HOUR_US);
        tags.push(Tag { person, tag: CHURN_RISK, set_us, unset_us });
    }
    tags.sort_by_key(|tag| (tag.person, tag.set_us, tag.tag));
    Tagged { tags, wanted }
}

/// Soon after the moment, and before the demo ends.
fn set_us(cast: &Cast, person: PersonIndex, random: &mut Random) -> i64 {
    let at_us = cast[person].moment_us + random.between(30, 24 * 60) * MINUTE_US;
    at_us.min(END_US - MINUTE_US)
}

/// People at risk: of the valued only those meant to be, of 高意向 exactly the quota.
fn at_risk(
    cast: &Cast,
    intent: &[PersonIndex],
    valued: &[PersonIndex],
    valued_at_risk: Vec<PersonIndex>,
    random: &mut Random,
) -> Vec<PersonIndex> {
    let is_intent: HashSet<PersonIndex> = intent.iter().copied().collect();
    let is_valued: HashSet<PersonIndex> = valued.iter().copied().collect();
    let already = valued_at_risk.iter().filter(|person| is_intent.contains(person)).count();
    let mut intent_pool: Vec<PersonIndex> =
        intent.iter().copied().filter(|person| !is_valued.contains(person)).collect();
    let mut others_pool = cast.who(|person| person.level >= 1);
    others_pool.retain(|person| !is_intent.contains(person) && !is_valued.contains(person));

    let mut at_risk = valued_at_risk;
    at_risk.extend(random.take(&mut intent_pool, HIGH_INTENT_AT_RISK - already));
    at_risk.extend(random.take(&mut others_pool, OTHERS_AT_RISK - (VALUED_AT_RISK - already)));
    at_risk
}

/// Who likes red tea and who likes white. The valued come first, all but those without a taste.
fn tastes(
    cast: &Cast,
    valued: &[PersonIndex],
    without_taste: &[PersonIndex],
    random: &mut Random,
) -> (Vec<PersonIndex>, Vec<PersonIndex>) {
    let without: HashSet<PersonIndex> = without_taste.iter().copied().collect();
    let is_valued: HashSet<PersonIndex> = valued.iter().copied().collect();
    let mut people: Vec<PersonIndex> = valued.iter().copied().filter(|person| !without.contains(person)).collect();
    let mut pool = cast.who(|person| person.level >= 1);
    pool.retain(|person| !is_valued.contains(person));
    let count = RED_ONLY + WHITE_ONLY + RED_AND_WHITE - people.len();
    people.extend(random.take(&mut pool, count));
    random.shuffle(&mut people);

    let both = people.split_off(RED_ONLY + WHITE_ONLY);
    let white_only = people.split_off(RED_ONLY);
    (people.into_iter().chain(both.iter().copied()).collect(), white_only.into_iter().chain(both).collect())
}
