//! What a list of models may say, how it is normalised, and what is said against it where.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn normalised(text: &str) -> String {
    Models::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
}

fn refused(text: &str) -> (usize, String) {
    let error = Models::parse(text).expect_err(text);
    (error.position, error.to_string())
}

const EVERY_MODEL: &str = "first, last, last_non(direct, 'sms promo'), linear, position(0.4, 0.4), \
    position(0.3, 0.2, 0.5), time_decay(7 days), weights(0.5, 0.3, 0.2), participation, linear_position, \
    geometric(0.5), milestones(0.3, 0.3, 0.3)";

#[test]
fn every_model_is_read_and_written_as_it_is() {
    assert_eq!(normalised(EVERY_MODEL), EVERY_MODEL);
    for name in NAMES {
        assert!(EVERY_MODEL.contains(name), "{name}");
    }
}

#[test]
fn spaces_case_and_full_width_signs_do_not_matter() {
    for (text, expected) in [
        ("  LINEAR  ", "linear"),
        ("linear()", "linear"),
        ("first,last", "first, last"),
        ("Position（0.40，.4），Last_Non（微信，'短信 推广'）", "position(0.4, 0.4), last_non(微信, '短信 推广')"),
        ("last_non('it''s', '', 'a,b', '微信（新）')", "last_non('it''s', '', 'a,b', '微信（新）')"),
        ("last_non('direct')", "last_non(direct)"),
        ("weights(1, 0, -0)", "weights(1, 0, 0)"),
    ] {
        assert_eq!(normalised(text), expected);
    }
}

#[test]
fn half_lives_are_numbers_with_units() {
    let (minute, hour) = (60 * SECOND, 3_600 * SECOND);
    for (text, half_life_us, expected) in [
        ("7 days", 7 * DAY, "7 days"),
        ("'7 days'", 7 * DAY, "7 days"),
        ("7d", 7 * DAY, "7 days"),
        ("168 hours", 7 * DAY, "168 hours"),
        ("1 DAY 12 Hours", DAY + 12 * hour, "1 day 12 hours"),
        ("1 week", 7 * DAY, "1 week"),
        ("2 w", 14 * DAY, "2 weeks"),
        ("1.50 hrs", 90 * minute, "1.5 hours"),
        ("3 m", 3 * minute, "3 minutes"),
        ("90", 90 * SECOND, "90 seconds"),
        ("0.5", SECOND / 2, "0.5 seconds"),
        ("250 ms", SECOND / 4, "250 milliseconds"),
        ("1 us", 1, "1 microsecond"),
        ("0.0000006", 1, "0.0000006 seconds"),
        ("106751991 days", 106_751_991 * DAY, "106751991 days"),
    ] {
        let models = Models::parse(&format!("time_decay({text})")).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(models[0].rule(), &Rule::TimeDecay { half_life_us }, "{text}");
        assert_eq!(models[0].text(), format!("time_decay({expected})"));
    }
}

#[test]
fn what_is_no_half_life_is_refused_with_its_reason() {
    let reasons = [
        ("1 month", "'month' has no fixed length; use days or weeks"),
        ("2 Years", "'Years' has no fixed length; use days or weeks"),
        ("7 dayz", "'dayz' is no unit; units are microseconds, milliseconds, seconds, minutes, hours, days, weeks"),
        ("0", "it must be longer than zero"),
        ("0 days", "it must be longer than zero"),
        ("0.0000004", "it must be longer than zero"),
        ("-7 days", "it must be positive"),
        ("days", "write numbers with units, such as 7 days or '1 day 12 hours'"),
        ("1 day 12", "write numbers with units, such as 7 days or '1 day 12 hours'"),
        ("1.2.3 days", "write numbers with units, such as 7 days or '1 day 12 hours'"),
        (". days", "write numbers with units, such as 7 days or '1 day 12 hours'"),
        ("''", "write numbers with units, such as 7 days or '1 day 12 hours'"),
        ("106751992 days", "it is longer than time reaches"),
        ("99999999999999999999 us", "it is longer than time reaches"),
    ];
    for (text, reason) in reasons {
        let given = text.trim_matches('\'');
        let message = format!("'{given}' is no half-life for model time_decay: {reason}");
        assert_eq!(refused(&format!("first, time_decay({text})")), (18, message));
    }
}

#[test]
fn every_fault_has_its_place_and_its_words() {
    let names = NAMES.join(", ");
    for (text, position, message) in [
        ("", 0, format!("no model is named; the models are {names}")),
        ("  ", 2, format!("no model is named; the models are {names}")),
        ("linaer", 0, format!("unknown model 'linaer', did you mean 'linear'?; the models are {names}")),
        ("first, markov(1)", 7, format!("unknown model 'markov'; the models are {names}")),
        ("微信", 0, format!("unknown model '微信'; the models are {names}")),
        ("first,", 6, "expected a model, but the text ends".to_owned()),
        ("first,,last", 6, "expected a model, got ',last'".to_owned()),
        ("first last", 6, "expected a comma between two models, got 'last'".to_owned()),
        ("first)", 5, "expected a comma between two models, got ')'".to_owned()),
        ("last, geometric(0.5", 15, "the parenthesis opened here is never closed".to_owned()),
        ("last_non('a", 9, "the quote opened here is never closed".to_owned()),
        ("last_non(a,)", 11, "expected an argument, got ')'".to_owned()),
        ("last_non((a))", 9, "expected an argument, got '(a))'".to_owned()),
        ("last_non('a' b)", 13, "expected a comma or a closing parenthesis, got 'b)'".to_owned()),
        ("last_non()", 0, "model last_non does not take 0 arguments; write last_non(direct)".to_owned()),
        (
            "last_non(sms promo)",
            9,
            "put quotes around a label with a space, or a comma between two: 'sms promo'".to_owned(),
        ),
        ("linear(1)", 0, "model linear does not take 1 argument; write it without arguments".to_owned()),
        (
            "time_decay",
            0,
            "model time_decay does not take 0 arguments; write time_decay(7 days), with the half-life".to_owned(),
        ),
        (
            "position(0.4)",
            0,
            "model position does not take 1 argument; write position(0.4, 0.4) or position(0.4, 0.2, 0.4)".to_owned(),
        ),
        ("position(0.4, abc)", 14, "model position takes numbers, got 'abc'".to_owned()),
        ("position(0.4, nan)", 14, "model position takes numbers, got 'nan'".to_owned()),
        ("position(0.4, 1.1)", 14, "the numbers of model position must be between 0 and 1, got 1.1".to_owned()),
        ("position(-0.4, 1)", 9, "the numbers of model position must be between 0 and 1, got -0.4".to_owned()),
        ("position(0.75, 0.75)", 0, "the shares of model position must sum to at most 1, they sum to 1.5".to_owned()),
        ("position(0.25, 0.25, 0.25)", 0, "the shares of model position must sum to 1, they sum to 0.75".to_owned()),
        ("weights(0.5, 0.25)", 0, "the shares of model weights must sum to 1, they sum to 0.75".to_owned()),
        ("geometric(0)", 10, "the numbers of model geometric must be above 0 and at most 1, got 0".to_owned()),
        (
            "milestones(0.5, 0.75)",
            0,
            "the shares of model milestones must sum to at most 1, they sum to 1.25".to_owned(),
        ),
        (
            "milestones(0.5)",
            0,
            "model milestones does not take 1 argument; write milestones(0.3, 0.3, 0.3): the first touch, then each \
             milestone"
                .to_owned(),
        ),
        ("linear, LINEAR ()", 8, "model linear is named twice".to_owned()),
    ] {
        assert_eq!(refused(text), (position, message), "{text}");
    }
}

#[test]
fn one_model_with_two_arguments_is_two_models() {
    assert_eq!(Models::parse("time_decay(1 day), time_decay(7 days)").map(|models| models.len()), Ok(2));
}

#[test]
fn a_spec_refuses_what_no_answer_exists_for() {
    let refused = |models: &str, options: Options| {
        let models = Models::parse(models).expect("models");
        Spec::try_new(models, options).expect_err("refused").to_string()
    };
    let none = Options::default();
    assert_eq!(
        refused("first", Options { lookback_us: Some(0), ..none }),
        "the lookback must be longer than zero, got 0 microseconds"
    );
    assert_eq!(
        refused("first", Options { lookback_touches: Some(0), ..none }),
        "the lookback in touches must be at least 1, got 0"
    );
    assert_eq!(refused("first", Options { milestones: 63, ..none }), "there may be at most 62 milestones, got 63");
    assert_eq!(
        refused("milestones(0.3, 0.3)", Options { milestones: 2, ..none }),
        "model milestones(0.3, 0.3) has 2 weights but needs 3: one for the first touch and one for each of the 2 \
         milestones"
    );
}

#[test]
fn only_rows_that_matter_are_needed() {
    let spec = spec_of("milestones(0.3, 0.3)", Options { milestones: 1, ..Options::default() });
    let needed: Vec<u64> = (0..16).filter(|&kind| spec.needs(kind)).collect();
    assert_eq!(needed, [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mutilated_list_is_read_or_refused_at_a_character(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..8usize, select(vec![
            "", "(", ")", "（", "）", "，", ",", "'", " ", "0", ".", "-", "e9", "微", "first", "\u{0}", "1 day",
        ])), 0..6),
        part in any::<prop::sample::Index>(),
    ) {
        let mut letters: Vec<char> = EVERY_MODEL.chars().collect();
        letters.truncate(part.index(letters.len()) + 1);
        for (place, removed, inserted) in edits {
            let start = place.index(letters.len() + 1);
            let end = (start + removed).min(letters.len());
            letters.splice(start..end, inserted.chars());
        }
        let text: String = letters.into_iter().collect();
        match Models::parse(&text) {
            Ok(models) => prop_assert_eq!(Models::parse(&models.to_string()), Ok(models)),
            Err(error) => prop_assert!(text.is_char_boundary(error.position), "{} {:?}", text, error),
        }
    }
}
