//! The commands that a stranger copies: the block of the README's quick start, on a folder it has not seen.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::fixtures;
use crate::server::Server;

const HEADING: &str = "## Quick start: your own folder";

/// The three commands of the block: serve, connect, ask.
fn commands() -> [String; 3] {
    let readme = std::fs::read_to_string(fixtures::root().join("README.md")).expect("there is a README");
    let (_, section) = readme.split_once(HEADING).unwrap_or_else(|| panic!("README.md has no '{HEADING}'"));
    let (_, block) = section.split_once("```sh\n").expect("a block of commands");
    let (block, _) = block.split_once("\n```").expect("the block ends");
    let lines: Vec<String> = block.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    lines.try_into().unwrap_or_else(|lines| panic!("three commands, not {lines:?}"))
}

/// A folder of a shop that the README has never heard of.
fn unseen_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let events = "event_id,user_id,event_time,event,shop\n\
                  1,Mei,2025-11-01 10:00:00,walked in,Lijiang\n\
                  2,Mei,2025-11-01 10:40:00,drank tea,Lijiang\n\
                  3,Otto,2025-11-02 09:00:00,walked in,Dali\n\
                  4,Otto,2025-12-24 09:00:00,drank tea,Dali\n\
                  5,Pia,2025-11-03 08:00:00,drank tea,Dali\n";
    std::fs::write(folder.path().join("events.csv"), events).expect("it can be written");
    folder
}

#[test]
fn three_commands_of_the_readme_answer_a_funnel_over_an_unseen_folder() {
    let [serve, connect, ask] = commands();
    let folder = unseen_folder();

    // First command, with the folder in its place.
    let arguments = serve.strip_prefix("tributary serve --lake ").unwrap_or_else(|| panic!("{serve}"));
    assert_eq!(arguments.trim(), "DIR", "the folder is the one thing to replace in: {serve}");
    let server = Server::start(&[folder.path().display().to_string()]);

    // Second command: only the port differs, for other tests run beside this one.
    let mut words = connect.split_whitespace();
    assert_eq!(words.next(), Some("psql"), "{connect}");
    let port = server.address().port().to_string();
    let words: Vec<String> = words.map(|word| if word == "5432" { port.clone() } else { word.to_owned() }).collect();
    assert!(words.contains(&port), "{connect}");

    // Third command, with the names of two events of this folder.
    assert!(ask.contains("'page_view'") && ask.contains("'purchase'"), "{ask}");
    let ask = ask.replace("'page_view'", "'walked in'").replace("'purchase'", "'drank tea'");

    let psql = Command::new("psql")
        .args(["--no-psqlrc", "--csv", "--set", "ON_ERROR_STOP=1"])
        .args(&words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut psql = match psql {
        Ok(psql) => psql,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && std::env::var_os("CI").is_none() => {
            println!("skipped: psql is not installed");
            return;
        }
        Err(error) => panic!("psql: {error}"),
    };
    let stdin = psql.stdin.take().expect("it is piped");
    { stdin }.write_all(format!("{ask}\n").as_bytes()).expect("psql reads");
    let output = psql.wait_with_output().expect("psql ends");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Mei did both within the window, Otto came back too late, Pia never walked in.
    let mut lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.remove(0), "level,users", "{printed}");
    lines.sort_unstable();
    assert_eq!(lines, ["0,1", "1,1", "2,1"], "{printed}");
}
