//! The twenty-three ways people come to the shop, with how many take each and how many buy.

use super::clock::DAY_US;

/// One kind of journey to the first order.
#[derive(Debug)]
pub struct Journey {
    pub id: &'static str,
    /// The channels of its touches, in time order.
    pub channels: &'static [&'static str],
    pub people: usize,
    pub buyers: usize,
    /// What a first order is worth, in whole yuan.
    pub order_yuan: i64,
}

const fn journey(
    id: &'static str,
    channels: &'static [&'static str],
    people: usize,
    buyers: usize,
    order_yuan: i64,
) -> Journey {
    Journey { id, channels, people, buyers, order_yuan }
}

/// All journeys; what the demo plants follows from this table.
pub const JOURNEYS: [Journey; 23] = [
    journey("J01", &["douyin", "direct"], 4_000, 240, 120),
    journey("J02", &["douyin", "seo"], 3_000, 240, 120),
    journey("J03", &["douyin", "baidu", "direct"], 2_000, 200, 120),
    journey("J04", &["douyin", "wechat", "email"], 1_000, 100, 120),
    journey("J05", &["douyin"], 8_000, 80, 120),
    journey("J06", &["baidu"], 5_000, 250, 100),
    journey("J07", &["baidu", "direct"], 2_000, 160, 100),
    journey("J08", &["seo"], 4_000, 280, 110),
    journey("J09", &["seo", "email"], 1_000, 120, 110),
    journey("J10", &["xiaohongshu", "wechat"], 2_000, 120, 90),
    journey("J11", &["xiaohongshu", "douyin", "direct"], 1_000, 80, 90),
    journey("J12", &["wechat", "sms"], 1_000, 60, 90),
    journey("J13", &["store_qr"], 2_000, 300, 60),
    journey("J14", &["industry_site", "call_in"], 500, 110, 800),
    journey("J15", &["baidu", "call_in"], 1_000, 300, 300),
    journey("J16", &["seo", "call_in"], 600, 180, 300),
    journey("J17", &["referral"], 800, 160, 150),
    journey("J18", &["direct"], 3_000, 120, 100),
    journey("J19", &["email"], 700, 35, 90),
    journey("J20", &["sms"], 400, 5, 90),
    journey("J21", &["call_out"], 3_000, 60, 400),
    journey("J22", &["xiaohongshu", "seo"], 300, 30, 110),
    journey("J23", &[], 100, 100, 80),
];

/// How long before the person's moment J22 saw its first touch: outside a lookback of 30 days.
const EARLY_TOUCH_DAYS: i64 = 45;

impl Journey {
    /// The touches: channel, and how long before the person's moment.
    ///
    /// The last is one day before it, the others two days apart.
    pub fn touches(&self) -> impl Iterator<Item = (&'static str, i64)> + '_ {
        let last = self.channels.len().saturating_sub(1);
        self.channels.iter().enumerate().map(move |(index, channel)| {
            let days = if self.id == "J22" && index == 0 { EARLY_TOUCH_DAYS } else { 1 + 2 * (last - index) as i64 };
            (*channel, days * DAY_US)
        })
    }

    /// The channel to which a first order of this journey is credited by first touch within 30
    /// days; none where the shop saw the person only at the till.
    pub fn first_channel(&self) -> Option<&'static str> {
        if self.id == "J22" { Some("seo") } else { self.channels.first().copied() }
    }

    /// Called the desk: the orders are taken by telephone.
    pub fn calls_in(&self) -> bool {
        matches!(self.id, "J14" | "J15" | "J16")
    }

    /// Was called by the desk without having asked.
    pub fn is_called_cold(&self) -> bool {
        self.id == "J21"
    }

    /// Came to the shop's till and never to the web.
    pub fn is_walk_in(&self) -> bool {
        self.id == "J23"
    }

    /// Looks round the web shop at the person's moment.
    pub fn shops_on_the_web(&self) -> bool {
        !self.calls_in() && !self.is_called_cold() && !self.is_walk_in()
    }

    /// Has two devices: the Douyin visit on the telephone, the rest on the computer.
    pub fn has_two_devices(&self) -> bool {
        self.id == "J01"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_adds_up() {
        assert_eq!(JOURNEYS.iter().map(|journey| journey.people).sum::<usize>(), 46_400);
        assert_eq!(JOURNEYS.iter().map(|journey| journey.buyers).sum::<usize>(), 3_330);
        let worth = |journey: &Journey| journey.buyers as i64 * journey.order_yuan;
        assert_eq!(JOURNEYS.iter().map(worth).sum::<i64>(), 536_500);
    }

    #[test]
    fn touches_end_one_day_before_the_moment() {
        let offsets =
            |index: usize| -> Vec<i64> { JOURNEYS[index].touches().map(|(_, before_us)| before_us / DAY_US).collect() };
        assert_eq!(offsets(2), [5, 3, 1]);
        assert_eq!(offsets(4), [1]);
        assert_eq!(offsets(21), [45, 1]);
        assert!(offsets(22).is_empty());
    }
}
