//! The rules of addresses by example, and properties of any text.

use super::{EmptyName, Parameter, UTM_NAMES, host};
use proptest::prelude::*;
use std::borrow::Cow;
use std::time::{Duration, Instant};

fn utm<'u>(url: &'u str, name: &str) -> Option<Cow<'u, str>> {
    Parameter::try_new(name).expect("a name").value_in(url)
}

#[track_caller]
fn assert_source(url: &str, expected: Option<&str>) {
    assert_eq!(utm(url, "source").as_deref(), expected, "{url}");
}

#[test]
fn the_query_is_read_wherever_it_stands() {
    assert_source("https://shop.example/a?utm_source=baidu&utm_medium=cpc", Some("baidu"));
    assert_source("/a?x=1&utm_source=baidu#top", Some("baidu"));
    assert_source("?utm_source=baidu", Some("baidu"));
    assert_source("utm_medium=cpc&utm_source=baidu", Some("baidu"));
    assert_source("https://shop.example/utm_source=baidu", None);
    assert_source("https://shop.example/", None);
    assert_source("", None);
}

#[test]
fn the_fragment_is_read_after_the_query() {
    assert_source("https://shop.example/#/home?utm_source=baidu", Some("baidu"));
    assert_source("https://shop.example/#utm_source=baidu", Some("baidu"));
    assert_source("https://shop.example/?utm_source=a#/home?utm_source=b", Some("a"));
    assert_source("https://shop.example/?utm_medium=a#/home?utm_source=b", Some("b"));
    assert_source("https://shop.example/#/home?x=1#utm_source=b", None);
}

#[test]
fn only_ampersands_separate_and_the_first_equals_sign_ends_a_name() {
    assert_source("?a=1;utm_source=b", None);
    assert_source("?utm_source=a;b=c", Some("a;b=c"));
    assert_source("?&&utm_source=a&", Some("a"));
    assert_source("?xutm_source=a&utm_sources=b&utm_source=c", Some("c"));
}

#[test]
fn names_are_read_in_any_case_and_decoded() {
    assert_source("?UTM_Source=Baidu", Some("Baidu"));
    assert_source("?utm%5Fsource=baidu", Some("baidu"));
    assert_source("?%75%74%6d%5F%73%6f%75%72%63%65=baidu", Some("baidu"));
    assert_eq!(utm("?%E6%9D%A5%E6%BA%90=a", "来源").as_deref(), Some("a"));
}

#[test]
fn the_first_occurrence_wins_even_if_it_is_empty() {
    assert_source("?utm_source=a&utm_source=b", Some("a"));
    assert_source("?utm_source=&utm_source=b", None);
    assert_source("?utm_source&utm_source=b", None);
    assert_source("?utm_source=#utm_source=b", None);
}

#[test]
fn values_are_decoded_and_what_does_not_decode_stays() {
    assert_source("?utm_source=%E4%BD%A0%e5%a5%bd", Some("你好"));
    assert_source("?utm_source=a+b%20c%2Bd", Some("a b c+d"));
    assert_source("?utm_source=100%", Some("100%"));
    assert_source("?utm_source=%zz%4", Some("%zz%4"));
    assert_source("?utm_source=%e4%BDx", Some("%e4%BDx"));
    assert_source("?utm_source=%41%ff%42%C3%A9", Some("A%ffBé"));
    assert_source("?utm_source=a%00b", Some("a%00b"));
    assert_source("?utm_source=%+1", Some("% 1"));
    assert_source("?utm_source=百度", Some("百度"));
    assert_source("?utm_source=%百度", Some("%百度"));
}

#[test]
fn a_plain_value_is_borrowed() {
    assert!(matches!(utm("?utm_source=baidu", "source"), Some(Cow::Borrowed("baidu"))));
}

#[test]
fn short_names_are_those_of_utm_and_all_others_are_exact() {
    let url = "?source=no&utm_source=yes&gclid=Cj0&utm_id=7&utm_creative_format=video";
    assert_eq!(utm(url, "source").as_deref(), Some("yes"));
    assert_eq!(utm(url, " UTM_SOURCE ").as_deref(), Some("yes"));
    assert_eq!(utm(url, "gclid").as_deref(), Some("Cj0"));
    assert_eq!(utm(url, "utm_gclid"), None);
    assert_eq!(utm(url, "id").as_deref(), Some("7"));
    assert_eq!(utm(url, "creative_format").as_deref(), Some("video"));
    for name in UTM_NAMES {
        assert_eq!(Parameter::try_new(name), Parameter::try_new(&format!("utm_{name}")));
    }
}

#[test]
fn an_empty_name_is_refused() {
    assert_eq!(Parameter::try_new(""), Err(EmptyName));
    assert_eq!(Parameter::try_new(" \t"), Err(EmptyName));
}

#[test]
fn hosts_are_found_between_scheme_and_path() {
    for (url, expected) in [
        ("https://www.baidu.com/link?url=x", Some("www.baidu.com")),
        ("HTTPS://User:pass@WWW.Baidu.com:8443/", Some("WWW.Baidu.com")),
        ("//cdn.example/a", Some("cdn.example")),
        ("baidu.com", Some("baidu.com")),
        ("baidu.com:80/x", Some("baidu.com")),
        ("baidu.com./x", Some("baidu.com")),
        ("baidu.com?u=http://other.example", Some("baidu.com")),
        ("https://baidu.com#x@other.example", Some("baidu.com")),
        ("https://baidu.com\\@other.example", Some("baidu.com")),
        ("http://[::1]:80/x", Some("[::1]")),
        ("http://127.0.0.1:8080", Some("127.0.0.1")),
        ("android-app://com.tencent.mm/", Some("com.tencent.mm")),
        ("https://例子.测试/a", Some("例子.测试")),
        (" https://baidu.com ", Some("baidu.com")),
        ("", None),
        ("/path/only", None),
        ("https://", None),
        ("https:///path", None),
        ("about:blank", None),
        ("mailto:a@b.example", None),
        ("a@b.example", None),
        ("-", None),
        ("(none)", None),
        ("not a host", None),
        ("http://[::1", None),
        ("http://[]", None),
        ("[@]#", None),
        ("baidu.com..", Some("baidu.com")),
        ("https://baidu.com;x/", None),
        ("http://a:b:c/", None),
    ] {
        assert_eq!(host(url), expected, "{url}");
    }
}

/// Every byte as an escape.
fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Text near the shape of an address.
fn near_url() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a:/?#&=%+@.\\[\\]u4Ee你-]{0,40}", "(utm_source=|%|%E4|%BD|%00|[&?#+a=]){0,12}"]
}

proptest! {
    #[test]
    fn an_encoded_value_comes_back(value in "[^\\x00]{1,20}", before in "[a-z=&]{0,10}") {
        let url = format!("https://shop.example/?{before}&utm_source={}&utm_source=other#x", encode(&value));
        let found = utm(&url, "source");
        prop_assert_eq!(found.as_deref(), Some(value.as_str()));
    }

    #[test]
    fn any_text_has_an_answer_without_zero_bytes_of_its_own(url in near_url(), name in near_url()) {
        if let Ok(parameter) = Parameter::try_new(&name) {
            let value = parameter.value_in(&url);
            prop_assert!(value.is_none_or(|value| !value.is_empty() && (url.contains('\0') || !value.contains('\0'))));
        }
    }

    #[test]
    fn a_host_is_a_part_of_its_text_and_its_own_host(url in near_url()) {
        if let Some(found) = host(&url) {
            prop_assert!(url.contains(found));
            prop_assert!(!found.is_empty() && !found.contains(['/', '?', '#', '@', ' ']));
            let dressed = format!("https://user@{found}:1/x");
            prop_assert_eq!(host(&dressed), Some(found));
        }
    }
}

#[test]
fn a_megabyte_is_quick() {
    let start = Instant::now();
    for piece in ["%", "%4", "%E4", "&", "=", "?", "#", "utm_sourc=", "%75", "a=%75&", "+", "@", ":", "[", "你"] {
        let many = piece.repeat(1_000_000 / piece.len());
        for url in [many.clone(), format!("?utm_source={many}"), format!("https://a.example/{many}?utm_source=b")] {
            utm(&url, "source");
            host(&url);
        }
        utm("?a=b", &many.replace(' ', "a"));
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
