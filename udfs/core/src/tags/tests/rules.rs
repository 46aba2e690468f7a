//! Each rule by example, the goldens of the design among them.

use super::super::{Atom, Case, Number, fold, split_tags};
use super::{answer, compiled, matches, normal, program};

const AB: &[&str] = &["a", "b"];

#[test]
fn the_goldens_of_the_design_hold() {
    assert!(matches("a & !c", AB));
    assert!(!matches("a - b", AB));
    assert!(!matches("a ^ b", AB));
    assert!(!matches("!a | b & c", AB));
    assert!(matches("at_least(2, a, b, c)", AB));
    assert!(matches("!a", &[]));
}

#[test]
fn the_segment_of_the_surface_reads_as_written() {
    let segment = program("高价值 AND (兴趣:红茶 OR 兴趣:白茶) AND NOT 流失风险");
    assert!(answer(&segment, &["高价值", "兴趣:红茶"]));
    assert!(answer(&segment, &["兴趣:白茶", "高价值", "兴趣:红茶"]));
    assert!(!answer(&segment, &["高价值", "兴趣:红茶", "流失风险"]));
    assert!(!answer(&segment, &["高价值", "兴趣:绿茶"]));
    assert!(!answer(&segment, &["兴趣:红茶"]));

    let callable = program("高意向 且 非 流失风险");
    assert!(answer(&callable, &["高意向"]));
    assert!(!answer(&callable, &["高意向", "流失风险"]));
}

#[test]
fn tags_1_order_repeats_and_empty_texts_change_nothing() {
    for tags in [&["a", "b"][..], &["b", "a"], &["a", "b", "a", "a"], &["", "a", "b"]] {
        assert!(matches("all(a, b)", tags));
        assert!(!matches("at_least(3, a, b, c)", tags));
        assert!(!matches("unknown", tags));
    }
    assert!(!matches("*", &[""]), "the empty text is no tag");
}

#[test]
fn tags_1_a_reset_forgets_the_row_before() {
    let program = program("a | b:*");
    let mut matcher = program.matcher();
    matcher.see("b:1");
    assert!(matcher.matches());
    matcher.reset();
    assert!(!matcher.matches());
}

#[test]
fn tags_2_names_hold_letters_digits_and_signs() {
    for name in [
        "vip",
        "2026",
        "兴趣:红茶",
        "utm.source/x",
        "é_è",
        "हिन्दी",
        "a+b",
        "#1",
        "50%",
        "~x",
        "👍🏽",
        "نمی‌دانم",
        "让·雷诺",
    ] {
        assert!(matches(name, &[name]), "{name}");
        assert!(!matches(name, &["other"]), "{name}");
        assert_eq!(normal(name), name);
    }
    assert!(!matches("vip", &["VIP"]), "case matters");
    assert!(!matches("vip", &["vip "]), "a tag is taken as it stands");
}

#[test]
fn tags_2_a_hyphen_inside_a_word_belongs_to_it() {
    assert!(matches("a-b", &["a-b"]));
    assert!(!matches("a-b", &["a"]));
    for expression in ["a - b", "a -b", "a- b", "a-(b)", "a-\"b\"", "(a)-b", "a － b"] {
        assert_eq!(program(expression).atoms().len(), 2, "{expression}");
        assert!(matches(expression, &["a"]), "{expression}");
        assert!(!matches(expression, &["a", "b"]), "{expression}");
    }
    assert!(matches("promo-*", &["promo-spring"]));
    assert!(matches("a－b", &["a-b"]), "its full-width twin too");
}

#[test]
fn tags_3_quoted_names_hold_any_text() {
    assert!(matches(r#""new york""#, &["new york"]));
    assert!(matches("'new york' & “第一 次” & ‘x’", &["new york", "第一 次", "x"]));
    assert!(matches("＂a b＂ & ＇c＇", &["a b", "c"]));
    assert!(matches(r#""5"" pipe""#, &["5\" pipe"]));
    assert!(matches("'it''s'", &["it's"]));
    assert!(matches("“他说””好””了”", &["他说”好”了"]));
    assert!(matches(r#""and""#, &["and"]), "a quoted operator is a tag");
    assert!(matches(r#""a*""#, &["a*"]) && !matches(r#""a*""#, &["ab"]), "a quoted wildcard is a character");
    assert!(matches(r#"" a""#, &[" a"]) && !matches(r#"" a""#, &["a"]), "space inside quotes belongs to the tag");
}

#[test]
fn tags_4_every_operator_has_its_spellings() {
    for and in ["a AND b", "a and b", "a&b", "a && b", "a ＡＮＤ b", "a＆＆b"] {
        assert_eq!(normal(and), "a AND b");
    }
    for or in ["a OR b", "a Or b", "a|b", "a || b", "a｜b"] {
        assert_eq!(normal(or), "a OR b");
    }
    for xor in ["a XOR b", "a ^ b", "a＾b"] {
        assert_eq!(normal(xor), "a XOR b");
    }
    for not in ["NOT a", "!a", "！a", "! ! !a", "not a"] {
        assert_eq!(normal(not), "NOT a");
    }
    assert_eq!(normal("a - b"), "a AND NOT b");
    assert_eq!(normal("a - !b"), "a AND b");
    assert!(matches("a XOR b", &["a"]) && matches("a XOR b", &["b"]) && !matches("a XOR b", &[]));
}

#[test]
fn tags_5_chinese_operators_are_separate_words() {
    assert_eq!(normal("a 且 b 或 非 c"), "a AND b OR NOT c");
    assert_eq!(normal("非(a)且(b)"), "NOT (a) AND (b)");
    assert_eq!(normal("非“a b”"), "NOT \"a b\"");
    assert!(matches("非活跃", &["非活跃"]) && !matches("非活跃", &[]));
    assert!(matches("非 活跃", &[]) && !matches("非 活跃", &["活跃"]));
    assert!(matches("高意向且非流失", &["高意向且非流失"]));
}

#[test]
fn tags_6_full_width_signs_mean_their_ascii_twins() {
    assert_eq!(normal("（兴趣：红茶｜兴趣：白茶）＆！ｖｉｐ　且　Ａ１"), "(兴趣:红茶 OR 兴趣:白茶) AND NOT vip AND A1");
    assert_eq!(normal("积分＞＝１０００"), "积分 >= 1000");
    assert_eq!(normal("at_least（２，a，b）"), "at_least(2, a, b)");
    assert_eq!(normal("utm：＊"), "utm:*");
    assert!(matches("“兴趣：红茶”", &["兴趣：红茶"]) && !matches("“兴趣：红茶”", &["兴趣:红茶"]));
    assert!(!matches("兴趣：红茶", &["兴趣：红茶"]), "tags of rows are taken as they stand");
}

#[test]
fn tags_7_not_binds_before_and_before_xor_before_or() {
    // Each row is true under the right reading and false under the nearest wrong one.
    assert!(matches("!a & b", &["b"]) && !matches("!a & b", &[]), "(NOT a) AND b, not NOT (a AND b)");
    assert!(matches("a | b & c", &["a"]), "a OR (b AND c), not (a OR b) AND c");
    assert!(matches("a ^ b & c", &["a"]), "a XOR (b AND c), not (a XOR b) AND c");
    assert!(matches("a | b ^ c", &["a", "b", "c"]), "a OR (b XOR c)");
    assert!(!matches("a ^ b ^ b | c", &[]) && matches("a | b ^ a", &["a"]), "a OR (b XOR a), not (a OR b) XOR a");
    assert!(!matches("a - b - c", &["a", "c"]), "(a AND NOT b) AND NOT c, not a AND NOT (b AND NOT c)");
    assert!(!matches("a - b & c", &["a"]), "(a AND NOT b) AND c, not a AND NOT (b AND c)");
    assert!(!matches("(a | b) & c", &["a"]));
    assert!(!matches("!(a & b)", &["a", "b"]) && matches("!(a | b) | c", &["c"]));
}

#[test]
fn tags_8_a_prefix_holds_for_any_tag_that_begins_so() {
    assert!(matches("utm:*", &["utm:douyin"]));
    assert!(matches("utm:*", &["x", "utm:"]));
    assert!(!matches("utm:*", &["utm", "utn:x", "xutm:"]));
    assert!(matches("\"a b\"*", &["a bc"]) && !matches("\"a b\"*", &["ab"]));
    assert!(matches("*", &["x"]) && !matches("*", &[]));
    assert!(matches("兴* & 兴趣* & !兴趣:红*", &["兴趣:白茶"]));
    let long = "a-prefix-of-more-than-sixteen-bytes";
    assert!(matches(&format!("{long}*"), &[&format!("{long}!")]));
    assert!(!matches(&format!("{long}*"), &["a-prefix-of-MORE-than-sixteen-bytes"]));
}

#[test]
fn tags_9_lists_count_their_distinct_items() {
    assert!(matches("any(x, b)", AB) && !matches("any(x, y)", AB));
    assert!(matches("all(a, b)", AB) && !matches("all(a, c)", AB));
    assert!(matches("ANY (x, utm:*, score >= 3)", &["score:3"]), "items are prefixes and comparisons too");
    assert!(!matches("at_least(2, a, a, b)", &["a"]), "an item written twice counts once");
    assert!(!matches("at_least(3, a, b, c)", AB) && matches("at_least(03, a, b, c)", &["c", "b", "a"]));
    assert!(matches("any & all | at_least", &["any", "all"]), "without a parenthesis they are tags");
    assert!(!matches("NOT any(a, c) | any(x) & a", AB));
    // A list followed by an operator of its own kind is read as one list, and only then.
    assert!(!matches("any(x, y) & a", AB) && matches("any(x, y) | a", AB));
    assert!(!matches("at_least(2, a, x, y) | x", AB) && matches("at_least(2, a, x, y) | b", AB));
    assert!(!matches("a ^ (x | b)", AB) && matches("a ^ (x | b) ^ a", AB));
}

#[test]
fn tags_10_a_comparison_reads_every_value_of_the_name() {
    assert!(matches("score >= 30", &["score:30"]) && matches("score >= 30", &["score=30"]));
    assert!(!matches("score >= 30", &["score:29.9"]) && !matches("score > 30", &["score:30.0"]));
    assert!(matches("score < 30", &["score: 29 "]) && matches("score <= 30", &["score:30"]));
    assert!(matches("score = 30", &["score:3e1"]) && matches("score == 30", &["score:+30."]));
    assert!(matches("score <> 30", &["score:31"]) && !matches("score != 30", &["score:30"]));
    assert!(matches("积分≥1000 & 积分≤1000 & 积分≠1", &["积分:1000"]));
    assert!(matches("score > 50", &["score:1", "score:60"]), "any of several values");
    assert!(matches("score > 50 & score < 5", &["score:1", "score:60"]), "also of a pair of conditions");
    for tags in [&["score"][..], &["scores:99"], &["my:score:99"], &["score>99"], &[]] {
        assert!(!matches("score > 50", tags), "{tags:?}");
        assert!(!matches("score <> 50", tags), "{tags:?}");
    }
    assert!(matches("a:b = 3 & a = 'b:3'", &["a:b:3"]), "every colon may end the name");
    assert!(!matches("score", &["score:30"]), "a name alone is the tag, not its values");
    assert!(matches("\"lead score\" > 1", &["lead score:2"]));
}

#[test]
fn tags_11_numbers_compare_exactly_and_texts_by_code_points() {
    assert!(!matches("id = 9007199254740993", &["id:9007199254740992"]), "beyond the integers of a float");
    assert!(matches("x > 0.1", &["x:0.10000000000000000001"]));
    assert!(matches("x > -2.5 & x < -2.3", &["x:-2.4"]) && matches("x = 0", &["x:-0.00"]));
    assert!(matches("x < 1e400 & x > 1e-400", &["x:1e399"]));
    assert!(matches("x = 0.00012", &["x:1.2e-4"]) && matches("x = 120", &["x:0120.0"]));
    for text in
        ["gold", "", "inf", "NaN", "0x10", "1,000", "--1", "1e", "e5", ".", "1.2.3", "1 0", "３０", "1e9999999999"]
    {
        assert!(!matches("x > -1e9", &[&format!("x:{text}")]), "{text}");
        assert!(!matches("x <> 7", &[&format!("x:{text}")]), "{text}");
    }
    assert!(matches("level = 'gold' & level <> 'silver'", &["level:gold"]));
    assert!(matches("day >= '2026-03-01' & day < '2026-04'", &["day:2026-03-31"]));
    assert!(matches("n < '9'", &["n:10"]), "a quoted number is a text");
}

#[test]
fn tags_11_numbers_print_so_that_they_read_back() {
    for (text, printed) in [
        ("0", "0"),
        ("-0.0", "0"),
        ("30", "30"),
        ("-2.50", "-2.5"),
        (".5", "0.5"),
        ("0.00012", "0.00012"),
        ("1e3", "1000"),
        ("12e-3", "0.012"),
        ("1e40", "0.1e41"),
        ("1e-30", "0.1e-29"),
        ("100.001", "100.001"),
    ] {
        let number = Number::read(text);
        assert_eq!(number.as_ref().map(ToString::to_string).as_deref(), Some(printed), "{text}");
        assert_eq!(Number::read(printed), number, "{text}");
    }
}

#[test]
fn tags_12_an_entry_of_a_map_is_its_key_and_its_pair() {
    let entry = |expression: &str, key: &str, value: Option<&str>| {
        let program = program(expression);
        let mut matcher = program.matcher();
        matcher.see_pair(key, value);
        matcher.matches()
    };
    assert!(entry("积分 >= 1000", "积分", Some("1000")));
    assert!(!entry("积分 >= 1000", "积分", Some("999")));
    assert!(!entry("积分 >= 1000", "积分", None));
    assert!(entry("积分", "积分", Some("999")) && entry("积分", "积分", None));
    assert!(entry("兴趣:红茶", "兴趣", Some("红茶")) && !entry("兴趣:红茶", "兴趣", Some("白茶")));
    assert!(entry("兴趣:*", "兴趣", Some("红茶")) && !entry("兴趣:*", "兴趣", None));
    assert!(entry("a = 'b:3'", "a", Some("b:3")));
}

#[test]
fn tags_13_case_is_folded_letter_by_letter_where_asked() {
    let insensitive = |expression: &str, tags: &[&str]| answer(&compiled(expression, Case::Insensitive), tags);
    assert!(insensitive("Vip AND éLAN", &["vIP", "ÉLAN"]));
    assert!(insensitive("'UTM:'* & Level = 'Gold'", &["Utm:X", "LEVEL:GOLD"]));
    assert!(insensitive("ＶＩＰ", &["vip"]));
    assert!(insensitive("İ", &["i"]) && !insensitive("ß", &["SS"]));
    assert_eq!(compiled("VIP & vip", Case::Insensitive).atoms(), [Atom::Tag("vip".to_owned())]);
    let program = compiled("VIP", Case::Insensitive);
    let mut matcher = program.matcher();
    matcher.see_pair("Vip", Some("X"));
    assert!(matcher.matches());
}

#[test]
fn tags_13_the_short_way_leaves_only_letters_without_case() {
    let mut buffer = String::new();
    for character in '\0'..=char::MAX {
        let expected = character.to_lowercase().next();
        let folded = fold::fold(character.encode_utf8(&mut [0; 4]), &mut buffer).chars().next();
        assert_eq!(folded, expected, "U+{:04X}", u32::from(character));
    }
}

#[test]
fn tags_14_delimited_text_is_split_and_trimmed() {
    let tags = |text| split_tags(text).collect::<Vec<_>>();
    assert_eq!(tags("a,b;c|d，e；f、g｜h"), ["a", "b", "c", "d", "e", "f", "g", "h"]);
    assert_eq!(tags(" a , ,, b c 、　d　，"), ["a", "b c", "d"]);
    assert_eq!(tags("兴趣:红茶，高意向。"), ["兴趣:红茶", "高意向。"]);
    assert!(tags("").is_empty() && tags(" , ;").is_empty());

    let program = program("兴趣:红茶 且 积分 > 5");
    let mut matcher = program.matcher();
    matcher.see_delimited("高意向；兴趣:红茶、积分: 6");
    assert!(matcher.matches());
}

#[test]
fn dictionary_bits_add_up_to_the_row() {
    let program = program("at_least(2, a, b:*, c > 1) & !x");
    let mut matcher = program.matcher();
    let bits: Vec<u64> = ["a", "b:1", "c:2", "x", "other"].iter().map(|tag| matcher.tag_bits(tag)[0]).collect();
    assert_eq!(bits, [1, 2, 4, 8, 0]);
    assert!(program.evaluate(&[bits[0] | bits[1]]));
    assert!(!program.evaluate(&[bits[0] | bits[4]]));
    assert!(!program.evaluate(&[bits[0] | bits[1] | bits[3]]));
}

#[test]
fn facts_for_pruning_are_right() {
    assert_eq!(program("a & !a").constant(), Some(false));
    assert_eq!(program("a | !a").constant(), Some(true));
    assert_eq!(program("a & !b").constant(), None);
    assert_eq!(program("a | b | c | d | e | f | !a").constant(), Some(true));

    assert_eq!(program("a & (b | c) - d").required(), [0]);
    assert_eq!(program("all(a, b) & at_least(2, c, d)").required(), [0, 1, 2, 3]);
    assert_eq!(program("at_least(2, a, b, c) | a").required(), [] as [usize; 0]);
    assert_eq!(program("a & b | a & c").required(), [0]);
    assert_eq!(program("!(!a | b)").required(), [0]);
    assert_eq!(program("a ^ b").required(), [] as [usize; 0]);
    assert_eq!(program("!a").required(), [] as [usize; 0]);
}

#[test]
fn the_normal_spelling_quotes_what_must_be() {
    assert_eq!(normal("'and' | 'a b' & 'x'"), "\"and\" OR \"a b\" AND x");
    assert_eq!(normal("'-a' | 'a-b' | 'a--b' | '且'"), "\"-a\" OR a-b OR \"a--b\" OR \"且\"");
    assert_eq!(normal("“：” | '5\"'"), "\"：\" OR \"5\"\"\"");
    assert_eq!(normal("((a))|any(b,'c d'*)|*"), "((a)) OR any(b, \"c d\"*) OR *");
}
