//! Abbreviations of zones with a fixed offset, as PostgreSQL's default list has them.
//!
//! The list of PostgreSQL is longer; one that is not here is refused where it is used, and never read as another.

/// Minutes east of Greenwich, by abbreviation, in the order of the alphabet.
const ABBREVIATIONS: &[(&str, i32)] = &[
    ("ACDT", 630),
    ("ACST", 570),
    ("ADT", -180),
    ("AEDT", 660),
    ("AEST", 600),
    ("AKDT", -480),
    ("AKST", -540),
    ("ART", -180),
    ("AST", -240),
    ("AWST", 480),
    ("BDT", 360),
    ("BRST", -120),
    ("BRT", -180),
    ("BST", 60),
    ("CDT", -300),
    ("CEST", 120),
    ("CET", 60),
    ("CLST", -180),
    ("CLT", -180),
    ("COT", -300),
    ("CST", -360),
    ("EAT", 180),
    ("EDT", -240),
    ("EEST", 180),
    ("EET", 120),
    ("EST", -300),
    ("GMT", 0),
    ("HKT", 480),
    ("HST", -600),
    ("ICT", 420),
    ("IDT", 180),
    ("IST", 120),
    ("JST", 540),
    ("KST", 540),
    ("MDT", -360),
    ("MEST", 120),
    ("MET", 60),
    ("MSK", 180),
    ("MST", -420),
    ("MYT", 480),
    ("NDT", -150),
    ("NPT", 345),
    ("NST", -210),
    ("NZDT", 780),
    ("NZST", 720),
    ("PDT", -420),
    ("PET", -300),
    ("PHT", 480),
    ("PKT", 300),
    ("PST", -480),
    ("SAST", 120),
    ("SGT", 480),
    ("UCT", 0),
    ("UT", 0),
    ("UTC", 0),
    ("UYT", -180),
    ("WAT", 60),
    ("WET", 0),
    ("Z", 0),
    ("ZULU", 0),
];

/// Seconds east of Greenwich of an abbreviation in any case.
pub fn offset_seconds(abbreviation: &str) -> Option<i32> {
    let wanted = abbreviation.to_ascii_uppercase();
    let at = ABBREVIATIONS.binary_search_by_key(&wanted.as_str(), |(name, _)| name).ok()?;
    Some(ABBREVIATIONS[at].1 * 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_so_that_every_abbreviation_is_found() {
        assert!(ABBREVIATIONS.iter().all(|(name, minutes)| offset_seconds(name) == Some(minutes * 60)));
        assert_eq!(offset_seconds("cest"), Some(7200));
        assert_eq!(offset_seconds("XYZ"), None);
    }
}
