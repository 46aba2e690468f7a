//! Every line of the two lists of sites counts, and they say one thing each.

use super::sites::{LISTS, LONGEST_ENTRY_BYTES, Site, WORLDWIDE, entries, of_host, of_source};
use super::{Group, group_of};
use std::collections::HashMap;

const GA4: &str = LISTS[0];

#[test]
fn every_source_of_googles_list_is_the_group_of_its_category() {
    let mut count = 0;
    for line in GA4.lines().skip(1) {
        let (source, category) = line.split_once(',').expect("two columns");
        let (organic, paid) = match category {
            "SOURCE_CATEGORY_SEARCH" => (Group::OrganicSearch, Group::PaidSearch),
            "SOURCE_CATEGORY_SHOPPING" => (Group::OrganicShopping, Group::PaidShopping),
            "SOURCE_CATEGORY_SOCIAL" => (Group::OrganicSocial, Group::PaidSocial),
            "SOURCE_CATEGORY_VIDEO" => (Group::OrganicVideo, Group::PaidVideo),
            other => panic!("a category nobody expects: {other}"),
        };
        assert_eq!(group_of(source, "", "", ""), organic, "{source}");
        assert_eq!(group_of(source, "referral", "", ""), organic, "{source}");
        assert_eq!(group_of(source, "cpc", "", ""), paid, "{source}");
        if source.contains('.') {
            let referrer = format!("https://www.{source}/a/b?c=d");
            assert_eq!(group_of("", "", "", &referrer), organic, "{referrer}");
        }
        count += 1;
    }
    assert_eq!(count, 819);
}

#[test]
fn no_line_is_dropped_and_no_source_stands_twice() {
    let mut seen = HashMap::new();
    for list in LISTS {
        assert_eq!(entries(list).count(), list.lines().count() - 1, "a line has no known category");
        for (source, site) in entries(list) {
            assert_eq!(source.trim(), source);
            assert_eq!(of_source(&source), Some(site), "{source}");
            assert_eq!(seen.insert(source.clone(), site), None, "{source} stands twice");
        }
    }
}

#[test]
fn the_longest_entry_is_as_long_as_look_ups_go() {
    let longest = LISTS.iter().flat_map(|list| entries(list)).map(|(source, _)| source.len()).max();
    assert_eq!(longest, Some(LONGEST_ENTRY_BYTES));
}

#[test]
fn companies_known_worldwide_are_entries() {
    for name in WORLDWIDE {
        let site = of_source(name);
        assert!(site.is_some(), "{name}");
        for domain in ["com", "de", "co.jp", "com.br"] {
            assert_eq!(of_host(&format!("www.{name}.{domain}")), site, "{name}.{domain}");
        }
        assert_eq!(of_host(&format!("{name}.example")), None);
        assert_eq!(of_host(&format!("{name}s.de")), None);
    }
}

#[test]
fn the_longest_end_of_a_host_decides() {
    assert_eq!(of_host("www.baidu.com"), Some(Site::Search));
    assert_eq!(of_host("tieba.baidu.com"), Some(Site::Social));
    assert_eq!(of_host("docs.google.com"), Some(Site::Other));
    assert_eq!(of_host("notbaidu.com"), None);
    assert_eq!(of_host("baidu.com.evil.example"), None);
    assert_eq!(of_host("com"), None);
}
