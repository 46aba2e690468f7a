//! What `SET`, `SHOW` and `RESET` speak of: PostgreSQL's parameters that clients ask for,
//! and DataFusion's and our own behind their prefixes.

use std::collections::BTreeMap;
use std::time::Duration;

use datafusion::config::ConfigOptions;

use crate::catalog::system::SettingInfo;
use crate::error::{Error, Result, SqlState};
use crate::query::postgres::times::Zone;
use crate::query::postgres::times::zone::{offset, short_offset};

/// How a parameter's value is checked and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Text,
    Bool,
    /// Milliseconds where no unit is written; printed with the largest unit that divides it.
    Milliseconds,
    Integer,
    OneOf(&'static [&'static str]),
    /// ISO with months first, in any of PostgreSQL's spellings of it.
    DateStyle,
    TimeZone,
    /// Only the value it has may be set.
    Fixed,
    /// May be shown, not set.
    ReadOnly,
}

struct Definition {
    name: &'static str,
    default: &'static str,
    check: Check,
    /// The client is told of a change (`ParameterStatus`).
    reported: bool,
    description: &'static str,
}

const fn define(
    name: &'static str,
    default: &'static str,
    check: Check,
    reported: bool,
    description: &'static str,
) -> Definition {
    Definition { name, default, check, reported, description }
}

/// The version of PostgreSQL whose manners we follow; drivers choose their dialect by it.
pub const SERVER_VERSION: &str = "16.6";
const SERVER_VERSION_NUM: &str = "160006";

const ISOLATION: &[&str] = &["read committed", "read uncommitted", "repeatable read", "serializable"];
const MESSAGES: &[&str] =
    &["debug5", "debug4", "debug3", "debug2", "debug1", "debug", "log", "notice", "warning", "error", "info"];

#[rustfmt::skip]
const DEFINITIONS: &[Definition] = &[
    define("application_name", "", Check::Text, true, "Name of the program that is connected."),
    define("bytea_output", "hex", Check::OneOf(&["hex"]), false, "How bytea is printed."),
    define("client_encoding", "UTF8", Check::OneOf(&["UTF8", "UTF-8", "UNICODE"]), true, "Encoding of text on the wire."),
    define("client_min_messages", "notice", Check::OneOf(MESSAGES), false, "Accepted for clients that set it: every notice is sent."),
    define("DateStyle", "ISO, MDY", Check::DateStyle, true, "How dates are printed and read: always ISO, months first."),
    define("default_table_access_method", "heap", Check::Fixed, false, "Accepted for clients that ask for it: tables are files."),
    define("default_tablespace", "", Check::Fixed, false, "Accepted for clients that ask for it."),
    define("default_transaction_deferrable", "off", Check::Bool, false, "Accepted for clients that set it: no transaction waits for another."),
    define("default_transaction_isolation", "read committed", Check::OneOf(ISOLATION), false, "Isolation of new transactions."),
    define("default_transaction_read_only", "off", Check::Bool, true, "New transactions only read."),
    define("extra_float_digits", "1", Check::Integer, false, "Floating point numbers are always printed exactly."),
    define("idle_in_transaction_session_timeout", "0", Check::Milliseconds, false, "Longest idle time inside a transaction."),
    define("in_hot_standby", "off", Check::ReadOnly, true, "This server is not a standby."),
    define("integer_datetimes", "on", Check::ReadOnly, true, "Times are 64-bit integers on the wire."),
    define("IntervalStyle", "postgres", Check::OneOf(&["postgres"]), true, "How intervals are printed."),
    define("is_superuser", "off", Check::ReadOnly, true, "Whether the user may do everything."),
    define("jit", "off", Check::Bool, false, "Accepted for clients that set it."),
    define("lc_collate", "C", Check::ReadOnly, false, "Text compares by code point."),
    define("lc_ctype", "C.UTF-8", Check::ReadOnly, false, "Character classes."),
    define("lc_messages", "C", Check::Text, false, "Language of messages."),
    define("lc_monetary", "C", Check::Text, false, "Format of money."),
    define("lc_numeric", "C", Check::Text, false, "Format of numbers."),
    define("lc_time", "C", Check::Text, false, "Format of times."),
    define("lock_timeout", "0", Check::Milliseconds, false, "Longest wait for a lock; there are none."),
    define("max_identifier_length", "63", Check::ReadOnly, false, "Length of identifiers in PostgreSQL."),
    define("max_index_keys", "32", Check::ReadOnly, false, "Columns of an index in PostgreSQL."),
    define("row_security", "on", Check::Bool, false, "Accepted for clients that set it."),
    define("scram_iterations", "4096", Check::ReadOnly, true, "Iterations of SCRAM verifiers."),
    define("search_path", "", Check::Text, true, "Schemas in which names are looked up."),
    define("server_encoding", "UTF8", Check::ReadOnly, true, "Encoding of stored text."),
    define("server_version", SERVER_VERSION, Check::ReadOnly, true, "PostgreSQL version that is followed."),
    define("server_version_num", SERVER_VERSION_NUM, Check::ReadOnly, false, "The same as a number."),
    define("session_authorization", "", Check::ReadOnly, true, "User of the session."),
    define("standard_conforming_strings", "on", Check::Fixed, true, "Backslashes in '...' are ordinary."),
    define("statement_timeout", "0", Check::Milliseconds, false, "Longest time of a statement, rows included; 0 is none."),
    define("synchronize_seqscans", "on", Check::Bool, false, "Accepted for clients that set it."),
    define("TimeZone", "UTC", Check::TimeZone, true, "Zone in which instants are printed and calendars count."),
    define("transaction_deferrable", "off", Check::Bool, false, "Accepted for clients that set it: no transaction waits for another."),
    define("transaction_isolation", "read committed", Check::OneOf(ISOLATION), false, "Isolation of this transaction."),
    define("transaction_read_only", "off", Check::Bool, false, "This transaction only reads."),
];

/// Parameters that are of the open block: its beginning and SET TRANSACTION set them, no RESET does.
const OF_BLOCK: [&str; 2] = ["transaction_isolation", "transaction_read_only"];

/// One parameter as `SHOW ALL` and `pg_settings` list it.
#[derive(Clone, Debug)]
pub struct Setting {
    pub name: String,
    pub value: String,
    pub description: String,
    reset_value: String,
    check: Check,
    default: &'static str,
}

impl From<Setting> for SettingInfo {
    fn from(setting: Setting) -> Self {
        let (kind, unit) = match setting.check {
            Check::Bool => ("bool", None),
            Check::Integer => ("integer", None),
            Check::Milliseconds => ("integer", Some("ms")),
            Check::OneOf(_) => ("enum", None),
            Check::Text | Check::DateStyle | Check::TimeZone | Check::Fixed | Check::ReadOnly => ("string", None),
        };
        let allowed_values = match setting.check {
            Check::OneOf(words) => words.iter().map(|word| (*word).to_owned()).collect(),
            _ => vec![],
        };
        SettingInfo {
            name: setting.name,
            value: setting.value,
            unit,
            description: setting.description,
            context: if setting.check == Check::ReadOnly { "internal" } else { "user" },
            kind,
            allowed_values,
            boot_value: setting.default.to_owned(),
            reset_value: setting.reset_value,
        }
    }
}

/// The parameters of one session. Cloned at BEGIN, so that ROLLBACK can put them back.
#[derive(Clone, Debug)]
pub struct Settings {
    values: BTreeMap<&'static str, String>,
    /// What RESET goes back to: the default, or what the client asked for at start-up.
    initial: BTreeMap<&'static str, String>,
    /// Parameters of other programs (`myapp.user`), which PostgreSQL also keeps.
    custom: BTreeMap<String, String>,
}

impl Settings {
    /// The defaults, with the session's user, what that may do, and its search path.
    pub fn new(user: &str, is_superuser: bool, search_path: &str) -> Self {
        let mut values: BTreeMap<_, _> = DEFINITIONS.iter().map(|d| (d.name, d.default.to_owned())).collect();
        values.insert("session_authorization", user.to_owned());
        values.insert("is_superuser", if is_superuser { "on" } else { "off" }.to_owned());
        values.insert("search_path", search_path.to_owned());
        Self { initial: values.clone(), values, custom: BTreeMap::new() }
    }

    /// Applies what the client asked for in its start-up message; RESET goes back to it.
    pub fn set_initial(&mut self, name: &str, value: &str) -> Result<()> {
        self.set(name, value)?;
        if let Some(definition) = find(name) {
            let value = self.values[definition.name].clone();
            self.initial.insert(definition.name, value);
        }
        Ok(())
    }

    /// `SET name = value`, checked.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match find(name) {
            Some(definition) => {
                let value = definition.check(value)?;
                self.values.insert(definition.name, value);
                Ok(())
            }
            None if name.contains('.') => {
                self.custom.insert(name.to_ascii_lowercase(), value.to_owned());
                Ok(())
            }
            None => Err(unknown(name)),
        }
    }

    /// `SET name TO DEFAULT`, `RESET name`.
    pub fn reset(&mut self, name: &str) -> Result<()> {
        match find(name) {
            Some(definition) if definition.check == Check::ReadOnly => Err(cannot_change(definition.name)),
            Some(definition) if OF_BLOCK.contains(&definition.name) => Err(Error::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("parameter \"{}\" cannot be reset", definition.name),
            )),
            Some(definition) => {
                let value = self.initial[definition.name].clone();
                self.values.insert(definition.name, value);
                Ok(())
            }
            None if self.custom.remove(&name.to_ascii_lowercase()).is_some() => Ok(()),
            None if name.contains('.') => Ok(()),
            None => Err(unknown(name)),
        }
    }

    /// `RESET ALL`, which leaves what is of the open block.
    pub fn reset_all(&mut self) {
        let of_block = self.of_block();
        self.values = self.initial.clone();
        self.values.extend(of_block);
        self.custom.clear();
    }

    /// What the open block is: its isolation, and whether it only reads.
    pub fn of_block(&self) -> Vec<(&'static str, String)> {
        OF_BLOCK.iter().map(|name| (*name, self.values[name].clone())).collect()
    }

    /// The block ends, and what it was.
    pub fn end_block(&mut self) {
        for name in OF_BLOCK {
            self.values.insert(name, self.initial[name].clone());
        }
    }

    /// What a block is that says nothing of itself.
    pub fn of_next_block(&self) -> Vec<(&'static str, String)> {
        OF_BLOCK
            .iter()
            .filter_map(|name| Some((*name, self.values.get(format!("default_{name}").as_str())?.clone())))
            .collect()
    }

    /// The value, and the name as it is spelled.
    pub fn get(&self, name: &str) -> Result<(&str, &str)> {
        match find(name) {
            Some(definition) => Ok((definition.name, &self.values[definition.name])),
            None => self
                .custom
                .get_key_value(&name.to_ascii_lowercase())
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .ok_or_else(|| unknown(name)),
        }
    }

    /// All parameters with their descriptions, by name.
    pub fn all(&self) -> Vec<Setting> {
        let mut all: Vec<_> = DEFINITIONS
            .iter()
            .map(|d| Setting {
                name: d.name.to_owned(),
                value: self.values[d.name].clone(),
                description: d.description.to_owned(),
                reset_value: self.initial[d.name].clone(),
                check: d.check,
                default: d.default,
            })
            .chain(self.custom.iter().map(|(name, value)| Setting {
                name: name.clone(),
                value: value.clone(),
                description: String::new(),
                reset_value: String::new(),
                check: Check::Text,
                default: "",
            }))
            .collect();
        all.sort_by_key(|s| s.name.to_ascii_lowercase());
        all
    }

    /// Parameters of which the client is told at start-up and when they change.
    pub fn reported(&self) -> impl Iterator<Item = (&'static str, &str)> {
        DEFINITIONS.iter().filter(|d| d.reported).map(|d| (d.name, self.values[d.name].as_str()))
    }

    /// The longest time of a statement, if there is a limit.
    pub fn statement_timeout(&self) -> Option<Duration> {
        self.limit("statement_timeout")
    }

    /// The longest idle time inside a transaction, if there is a limit.
    pub fn idle_in_transaction_timeout(&self) -> Option<Duration> {
        self.limit("idle_in_transaction_session_timeout")
    }

    /// A time in milliseconds of which 0 is none.
    fn limit(&self, name: &str) -> Option<Duration> {
        let milliseconds = parse_milliseconds(&self.values[name]).unwrap_or(0);
        (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
    }

    /// The session's zone: an IANA name or an offset that Arrow understands.
    pub fn time_zone(&self) -> String {
        Zone::of_setting(&self.values["TimeZone"]).unwrap_or(Zone::UTC).to_string()
    }

    /// The schemas of `search_path`, in order, as written.
    pub fn search_path(&self) -> Vec<String> {
        split_identifiers(&self.values["search_path"])
    }
}

/// Copies the parameters that DataFusion keeps itself into its options.
pub fn apply_time_zone(options: &mut ConfigOptions, zone: &str) {
    options.execution.time_zone = Some(zone.to_owned());
}

fn find(name: &str) -> Option<&'static Definition> {
    let name = match name.to_ascii_lowercase().as_str() {
        "time zone" | "time.zone" => "timezone".to_owned(),
        other => other.to_owned(),
    };
    DEFINITIONS.iter().find(|d| d.name.eq_ignore_ascii_case(&name))
}

fn unknown(name: &str) -> Error {
    Error::new(SqlState::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))
}

fn cannot_change(name: &str) -> Error {
    Error::new(SqlState::CANT_CHANGE_RUNTIME_PARAM, format!("parameter \"{name}\" cannot be changed"))
}

impl Definition {
    fn check(&self, value: &str) -> Result<String> {
        let wrong = |hint: String| {
            Error::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("invalid value for parameter \"{}\": \"{value}\"", self.name),
            )
            .with_hint(hint)
        };
        match self.check {
            Check::Text => Ok(value.to_owned()),
            Check::Bool => match value.to_ascii_lowercase().as_str() {
                "on" | "true" | "yes" | "1" | "t" | "y" => Ok("on".to_owned()),
                "off" | "false" | "no" | "0" | "f" | "n" => Ok("off".to_owned()),
                _ => Err(wrong("Use on or off.".to_owned())),
            },
            Check::Milliseconds => match parse_milliseconds(value) {
                Some(milliseconds) => Ok(print_milliseconds(milliseconds)),
                None => Err(wrong(
                    "Valid units for this parameter are \"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\".".to_owned(),
                )),
            },
            Check::Integer => match value.trim().parse::<i32>() {
                Ok(number) => Ok(number.to_string()),
                Err(_) => Err(wrong("Use a whole number.".to_owned())),
            },
            // The start-up message of asyncpg has the encoding's name in quotes; PostgreSQL looks at its letters only.
            Check::OneOf(allowed) => {
                match allowed.iter().find(|a| a.eq_ignore_ascii_case(value.trim().trim_matches('\''))) {
                    Some(_) if self.name == "client_encoding" => Ok("UTF8".to_owned()),
                    Some(found) => Ok((*found).to_owned()),
                    None => Err(wrong(format!("Available values: {}.", allowed.join(", ")))),
                }
            }
            Check::DateStyle => {
                let is_ours = |word: &str| {
                    ["iso", "mdy", "us", "noneuro", "noneuropean"]
                        .iter()
                        .any(|ours| word.trim().eq_ignore_ascii_case(ours))
                };
                match value.split(',').all(is_ours) {
                    true => Ok(self.default.to_owned()),
                    false => Err(wrong("Available values: ISO, MDY; ISO; MDY.".to_owned())),
                }
            }
            Check::TimeZone => check_time_zone(value)
                .ok_or_else(|| wrong("Use a name like Asia/Shanghai or hours east of Greenwich like 8.".to_owned())),
            Check::Fixed if value.eq_ignore_ascii_case(self.default) => Ok(self.default.to_owned()),
            Check::Fixed | Check::ReadOnly => Err(cannot_change(self.name)),
        }
    }
}

/// A zone as SHOW prints it: an IANA name in its own spelling, or an offset as POSIX writes it.
///
/// A number and an interval are hours **east** of Greenwich, an offset with a colon is one **west** of it.
fn check_time_zone(value: &str) -> Option<String> {
    let value = value.trim();
    let east = |seconds: i32| format!("<{}>{}", short_offset(seconds), short_offset(-seconds));
    if let Some(span) = value.to_ascii_lowercase().strip_prefix("interval") {
        return offset(span.trim().trim_matches('\''), ':').map(east);
    }
    if let Ok(hours) = value.parse::<f64>() {
        let seconds = hours * 3600.0;
        return (seconds.abs() < 86_400.0 && seconds % 60.0 == 0.0).then(|| east(seconds as i32));
    }
    match Zone::of_setting(value)? {
        Zone::Named(zone) => Some(zone.name().to_owned()),
        Zone::Fixed(_) => Some(value.to_owned()),
    }
}

fn parse_milliseconds(value: &str) -> Option<u64> {
    let value = value.trim();
    let digits = value.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(value.len());
    let number: f64 = value[..digits].parse().ok()?;
    let milliseconds = match value[digits..].trim() {
        "us" => number / 1000.0,
        "" | "ms" => number,
        "s" => number * 1000.0,
        "min" => number * 60_000.0,
        "h" => number * 3_600_000.0,
        "d" => number * 86_400_000.0,
        _ => return None,
    };
    // PostgreSQL's own bound: a 32-bit count.
    (milliseconds <= f64::from(i32::MAX)).then_some(milliseconds.round() as u64)
}

fn print_milliseconds(milliseconds: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s"), (1, "ms")];
    match units.iter().find(|(size, _)| milliseconds > 0 && milliseconds.is_multiple_of(*size)) {
        Some((size, unit)) => format!("{}{unit}", milliseconds / size),
        None => "0".to_owned(),
    }
}

/// `a, "B c"` as names: unquoted ones in lower case.
fn split_identifiers(text: &str) -> Vec<String> {
    let mut names = vec![];
    let mut name = String::new();
    let mut quoted = false;
    let mut was_quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                name.push('"');
            }
            '"' => {
                quoted = !quoted;
                was_quoted = true;
            }
            ',' if !quoted => {
                names.push(finish(&mut name, &mut was_quoted));
            }
            c if quoted => name.push(c),
            c => name.extend(c.to_lowercase()),
        }
    }
    names.push(finish(&mut name, &mut was_quoted));
    names.retain(|n| !n.is_empty());
    return names;

    fn finish(name: &mut String, was_quoted: &mut bool) -> String {
        let done = if *was_quoted { name.trim_matches(' ').to_owned() } else { name.trim().to_owned() };
        name.clear();
        *was_quoted = false;
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::new("analyst", false, "\"$user\", demo, public")
    }

    #[test]
    fn statement_timeout_takes_units_and_prints_the_largest() {
        let mut settings = settings();
        settings.set("statement_timeout", "1500").unwrap();
        assert_eq!(settings.get("STATEMENT_TIMEOUT").unwrap().1, "1500ms");
        settings.set("statement_timeout", "2min").unwrap();
        assert_eq!(settings.get("statement_timeout").unwrap().1, "2min");
        assert_eq!(settings.statement_timeout(), Some(Duration::from_secs(120)));
        settings.set("statement_timeout", "0").unwrap();
        assert_eq!(settings.statement_timeout(), None);
        let error = settings.set("statement_timeout", "soon").unwrap_err();
        assert_eq!(error.state, SqlState::INVALID_PARAMETER_VALUE);
    }

    #[test]
    fn an_unknown_parameter_is_an_error_and_a_custom_one_is_kept() {
        let mut settings = settings();
        assert_eq!(settings.set("colour", "red").unwrap_err().state, SqlState::UNDEFINED_OBJECT);
        settings.set("shop.branch", "hangzhou").unwrap();
        assert_eq!(settings.get("shop.branch").unwrap().1, "hangzhou");
    }

    #[test]
    fn reset_goes_back_to_what_the_client_asked_for_at_the_start() {
        let mut settings = settings();
        settings.set_initial("application_name", "notebook").unwrap();
        settings.set("application_name", "other").unwrap();
        settings.reset("application_name").unwrap();
        assert_eq!(settings.get("application_name").unwrap().1, "notebook");
    }

    #[test]
    fn the_search_path_is_split_as_postgresql_splits_it() {
        assert_eq!(settings().search_path(), ["$user", "demo", "public"]);
        assert_eq!(split_identifiers("Demo, \"Tea Shop\""), ["demo", "Tea Shop"]);
    }

    #[test]
    fn zones_are_names_or_offsets() {
        assert_eq!(check_time_zone("asia/shanghai").as_deref(), Some("Asia/Shanghai"));
        assert_eq!(check_time_zone("+8").as_deref(), Some("<+08>-08"));
        assert_eq!(check_time_zone("-3.5").as_deref(), Some("<-03:30>+03:30"));
        assert_eq!(check_time_zone("interval '-08:00'").as_deref(), Some("<-08>+08"));
        assert_eq!(check_time_zone("UTC+3").as_deref(), Some("UTC+3"));
        assert_eq!(check_time_zone("Middle Earth"), None);
    }

    #[test]
    fn read_only_parameters_stay() {
        let mut settings = settings();
        let error = settings.set("server_version", "9.6").unwrap_err();
        assert_eq!(error.state, SqlState::CANT_CHANGE_RUNTIME_PARAM);
    }
}
