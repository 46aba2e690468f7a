//! What holds for any text.

use super::super::text;
use super::{Group, Visit, group, group_of};
use proptest::prelude::*;
use std::time::{Duration, Instant};

/// Texts that come near the rules more often than chance would.
fn near_text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("google"),
        Just("www."),
        Just(".com"),
        Just("baidu"),
        Just("cpc"),
        Just("cpm"),
        Just("email"),
        Just("(none)"),
        Just("(direct)"),
        Just("信息流"),
        Just("shop"),
        Just("e"),
        Just("https://"),
        Just("."),
        Just("/"),
        Just("video"),
        Just("push"),
        Just("organic"),
        Just("cross-network"),
        Just("paid"),
        Just("social"),
    ];
    prop_oneof![any::<String>(), prop::collection::vec(word, 0..4).prop_map(|words| words.concat())]
}

/// ASCII in its full-width twin.
fn widen(text: &str) -> String {
    let wide = |letter: char| if letter.is_ascii_graphic() { char::from_u32(u32::from(letter) + 0xFEE0) } else { None };
    text.chars().map(|letter| wide(letter).unwrap_or(letter)).collect()
}

proptest! {
    #[test]
    fn case_and_spaces_around_never_matter(
        source in near_text(), medium in near_text(), campaign in near_text(), referrer in near_text(),
    ) {
        let plain = group_of(&source, &medium, &campaign, &referrer);
        let odd = |text: &str| format!(" \t{}\u{3000}\n", text.to_ascii_uppercase());
        prop_assert_eq!(group_of(&odd(&source), &odd(&medium), &odd(&campaign), &odd(&referrer)), plain);
    }

    #[test]
    fn full_width_source_and_medium_read_as_ascii(source in near_text(), medium in near_text()) {
        let plain = group_of(&source, &medium, "", "");
        prop_assert_eq!(group_of(&widen(&source), &widen(&medium), "", ""), plain);
    }

    #[test]
    fn folding_twice_is_folding_once(any in near_text()) {
        let once = text::fold(&any).into_owned();
        prop_assert_eq!(text::fold(&once), once.as_str());
    }

    #[test]
    fn a_paid_medium_is_never_an_organic_group(source in near_text(), campaign in near_text(), referrer in near_text()) {
        use Group::{CrossNetwork, Display, PaidOther, PaidSearch, PaidShopping, PaidSocial, PaidVideo};
        for medium in ["cpc", "cpm", "ppc", "paid_social", "信息流", "竞价", "gclid"] {
            let given = group_of(&source, medium, &campaign, &referrer);
            let paid = [CrossNetwork, Display, PaidOther, PaidSearch, PaidShopping, PaidSocial, PaidVideo];
            prop_assert!(paid.contains(&given), "{} is {}", medium, given);
        }
    }
}

#[test]
fn a_megabyte_is_quick() {
    let start = Instant::now();
    for piece in ["a.", "shop", "A", "cp", "@", ":", "信", "%", "//"] {
        let text = piece.repeat(1_000_000 / piece.len());
        group(&Visit { source: &text, medium: &text, campaign: &text, referrer: &text });
        group(&Visit { referrer: &text, ..Visit::default() });
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
