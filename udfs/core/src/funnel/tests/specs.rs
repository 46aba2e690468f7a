//! What a spec refuses, and in which words.

use super::super::{Compat, MAX_STEPS, Modes, ModesError, Report, Spec, SpecError};

fn all_modes() -> impl Iterator<Item = Modes> {
    (0..32).map(|bits| Modes {
        strict_order: bits & 1 > 0,
        strict_deduplication: bits & 2 > 0,
        strict_increase: bits & 4 > 0,
        strict_once: bits & 8 > 0,
        allow_reentry: bits & 16 > 0,
    })
}

#[test]
fn eight_of_the_thirty_two_combinations_are_supported() {
    assert_eq!(all_modes().filter(|modes| modes.check().is_ok()).count(), 8);
}

#[test]
fn names_make_modes_in_any_order_and_twice() {
    let modes = Modes::from_names(["strict_increase", "strict_order", "strict_order"]).expect("supported");
    assert_eq!(modes, Modes { strict_order: true, strict_increase: true, ..Modes::DEFAULT });
    assert_eq!(modes.to_string(), "strict_order + strict_increase");
    assert_eq!(Modes::from_names([]), Ok(Modes::DEFAULT));
    for modes in Modes::SUPPORTED {
        assert_eq!(Modes::from_names(modes.names()), Ok(modes));
    }
}

#[test]
fn an_unknown_mode_is_refused_by_name() {
    for name in ["strict", "STRICT_ORDER", "", "strict_order "] {
        assert_eq!(Modes::from_names([name]), Err(ModesError::Unknown { name: name.to_owned() }));
    }
    assert_eq!(
        Modes::from_names(["strict"]).map_err(|error| error.to_string()),
        Err("unknown mode 'strict'; the modes are strict_order, strict_deduplication, strict_increase, strict_once, \
             allow_reentry"
            .to_owned())
    );
}

#[test]
fn reentry_without_order_has_its_own_words() {
    for modes in all_modes().filter(|modes| modes.allow_reentry && !modes.strict_order) {
        assert_eq!(modes.check(), Err(ModesError::ReentryWithoutOrder));
    }
    assert_eq!(
        ModesError::ReentryWithoutOrder.to_string(),
        "allow_reentry relaxes strict_order and has no meaning without it; use strict_order + allow_reentry"
    );
}

#[test]
fn an_unsupported_combination_names_the_supported_ones() {
    let modes = Modes { strict_order: true, strict_deduplication: true, ..Modes::DEFAULT };
    let error = modes.check().expect_err("unsupported");
    assert_eq!(error, ModesError::Unsupported { modes });
    assert_eq!(
        error.to_string(),
        "the modes strict_order + strict_deduplication do not combine; supported are no mode, strict_order, \
         strict_deduplication, strict_increase, strict_once, strict_order + strict_increase, \
         strict_deduplication + strict_increase, strict_order + allow_reentry"
    );
    let spec = Spec::try_new(2, 1, modes, Compat::Tributary, Report::First);
    assert_eq!(spec, Err(SpecError::Modes(error)));
}

#[test]
fn a_funnel_has_one_to_sixty_four_steps() {
    let try_steps = |steps| Spec::try_new(steps, 1, Modes::DEFAULT, Compat::Tributary, Report::First);
    assert_eq!(try_steps(0), Err(SpecError::Steps { steps: 0 }));
    assert!(try_steps(1).is_ok());
    assert!(try_steps(MAX_STEPS).is_ok());
    assert_eq!(try_steps(MAX_STEPS + 1), Err(SpecError::Steps { steps: 65 }));
    assert_eq!(SpecError::Steps { steps: 65 }.to_string(), "a funnel has 1 to 64 steps, got 65");
}

#[test]
fn a_window_is_positive() {
    let try_window = |window_us| Spec::try_new(2, window_us, Modes::DEFAULT, Compat::Tributary, Report::First);
    assert_eq!(try_window(0), Err(SpecError::Window { window_us: 0 }));
    assert_eq!(try_window(-1), Err(SpecError::Window { window_us: -1 }));
    assert!(try_window(1).is_ok());
    assert!(try_window(i64::MAX).is_ok());
}

#[test]
fn clickhouse_leaves_no_report_to_choose() {
    for report in [Report::Last, Report::Fastest] {
        let spec = Spec::try_new(2, 1, Modes::DEFAULT, Compat::ClickHouse, report);
        assert_eq!(spec, Err(SpecError::ReportUnderClickHouse { report }));
    }
}

#[test]
fn only_strict_order_sees_rows_without_a_step() {
    for modes in Modes::SUPPORTED {
        let spec = Spec::try_new(2, 1, modes, Compat::Tributary, Report::First).expect("valid spec");
        assert_eq!(spec.sees_all_rows(), modes.strict_order);
    }
}
