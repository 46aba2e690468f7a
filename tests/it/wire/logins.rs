//! Who is let in: passwords, names, places.

use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use tempfile::TempDir;
use tokio_postgres::{Config, NoTls};

use super::raw::Raw;
use super::{db_error, failure};
use crate::fixtures;
use crate::server::{Server, connect, run, tributary};

/// What `tributary user` prints for a name and a password.
fn user(name: &str, password: &str, arguments: &[&str]) -> String {
    let mut child = tributary()
        .args(["user", name])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    writeln!(child.stdin.take().expect("a pipe"), "{password}").expect("the program reads");
    let output = child.wait_with_output().expect("the program ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

/// A server with a config file; the folder is the file's.
pub(super) struct Configured {
    pub(super) server: Server,
    _folder: TempDir,
}

pub(super) fn config_file(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("tributary.toml");
    std::fs::write(&path, text).expect("the folder can be written");
    path
}

pub(super) fn start(text: &str, arguments: &[&str]) -> Configured {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = config_file(&folder, text).display().to_string();
    let arguments = [&["--config", &path], arguments].concat();
    Configured { server: Server::start_with(&[fixtures::golden_lake()], &arguments), _folder: folder }
}

/// Ana, who may do everything, and Bi, who may not.
pub(super) fn users() -> String {
    user("ana", "oolong", &["--superuser"]) + &user("bi", "sencha", &[])
}

pub(super) fn with_password(server: &Server, user: &str, password: &str) -> Config {
    let mut config = server.config();
    config.user(user).password(password);
    config
}

async fn refusal(config: &Config) -> (String, String) {
    match config.connect(NoTls).await {
        Ok(_) => panic!("the client was let in"),
        Err(error) => {
            let error = db_error(&error);
            assert_eq!(error.severity(), "FATAL");
            (error.code().code().to_owned(), error.message().to_owned())
        }
    }
}

#[tokio::test]
async fn a_password_lets_in_its_user_and_nobody_else() {
    let configured = start(&users(), &[]);
    let server = &configured.server;
    for (name, password, superuser) in [("ana", "oolong", "on"), ("bi", "sencha", "off")] {
        let client = connect(&with_password(server, name, password)).await;
        let row = client
            .query_one("SELECT current_user, session_user, user, current_setting('is_superuser')", &[])
            .await
            .expect("the session answers");
        assert_eq!([0, 1, 2, 3].map(|at| row.get::<_, String>(at)), [name, name, name, superuser]);
    }
    for (name, password) in [("ana", "sencha"), ("ana", "Oolong"), ("bi", "oolong"), ("eve", "oolong")] {
        let (state, message) = refusal(&with_password(server, name, password)).await;
        assert_eq!(state, "28P01", "{name}");
        assert_eq!(message, format!("password authentication failed for user \"{name}\""));
    }
    assert!(!server.log().contains("oolong") && !server.log().contains("sencha"), "{}", server.log());
}

#[test]
fn a_stranger_is_challenged_as_a_user_is_and_always_with_the_same_salt() {
    let configured = start(&users(), &[]);
    let challenge = |name: &str| {
        let mut raw = Raw::open(&configured.server);
        raw.send_startup(name);
        let offered = raw.message();
        assert_eq!(offered, (b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0".to_vec()));
        raw.send(b'p', b"SCRAM-SHA-256\0\0\0\0\x0an,,n=,r=me");
        let (kind, body) = raw.message();
        assert_eq!((kind, &body[..4]), (b'R', &b"\0\0\0\x0b"[..]));
        let text = String::from_utf8(body[4..].to_vec()).expect("text");
        let (nonce, salt) = text.split_once(',').expect("a salt after the nonce");
        assert!(nonce.starts_with("r=me"), "{text}");
        (nonce.len(), salt.to_owned())
    };
    let (ana, eve) = (challenge("ana"), challenge("eve"));
    assert_eq!((ana.0, ana.1.len()), (eve.0, eve.1.len()));
    assert_eq!(eve.1, challenge("eve").1);
    assert_ne!(eve.1, challenge("mallory").1);
    assert_eq!(ana.1, challenge("ana").1);
}

#[test]
fn before_the_login_only_answers_to_it_are_heard() {
    let configured = start(&users(), &[]);
    for (kind, body) in [(b'Q', &b"SELECT 1\0"[..]), (b'X', b""), (b'p', b"SCRAM-SHA-256"), (b'p', b"MD5\0\0\0\0\0")] {
        let mut raw = Raw::open(&configured.server);
        raw.send_startup("ana");
        raw.message();
        raw.send(kind, body);
        let (answer, body) = raw.message();
        assert_eq!(answer, b'E', "{}", kind as char);
        assert!(body.windows(6).any(|field| field == b"C08P01"), "{}", String::from_utf8_lossy(&body));
        assert!(raw.is_closed());
    }
}

#[tokio::test]
async fn names_are_checked_where_passwords_are_not() {
    let configured = start("authentication = 'trust'\n[users.ana]\nsuperuser = true", &[]);
    connect(&configured.server.config()).await;
    let mut eve = configured.server.config();
    eve.user("eve");
    assert_eq!(refusal(&eve).await, ("28000".to_owned(), "role \"eve\" does not exist".to_owned()));
}

#[tokio::test]
async fn an_address_that_others_reach_may_be_used_where_passwords_are_asked_for() {
    let configured = start(&users(), &["--listen", "0.0.0.0:0"]);
    let mut config = with_password(&configured.server, "ana", "oolong");
    assert!(configured.server.address().ip().is_unspecified());
    config = {
        let mut local = Config::new();
        local.host("127.0.0.1").port(config.get_ports()[0]).user("ana").password("oolong").dbname("tributary");
        local
    };
    connect(&config).await.query_one("SELECT 1", &[]).await.expect("the session answers");
}

#[tokio::test]
async fn only_a_superuser_makes_tables_of_files_anywhere() {
    let configured = start(&users(), &[]);
    let (ana, bi) = (
        connect(&with_password(&configured.server, "ana", "oolong")).await,
        connect(&with_password(&configured.server, "bi", "sencha")).await,
    );
    let file = fixtures::testdata("lakes/tea/drift");
    let create =
        |name: &str, location: &str| format!("CREATE EXTERNAL TABLE {name} STORED AS PARQUET LOCATION '{location}'");
    let existing = create("drift", &format!("{}/", file.display()));
    // Whether something is there makes no difference to the refusal.
    for (sql, place) in
        [(&existing, file.display().to_string()), (&create("no", "/no/such/folder"), "/no/such".to_owned())]
    {
        let (state, message) = failure(bi.simple_query(sql).await);
        assert_eq!(state, "42501", "{message}");
        assert!(message.starts_with(&format!("permission denied for location \"{place}")), "{message}");
    }
    ana.batch_execute(&existing).await.expect("a superuser may");
}

#[tokio::test]
async fn listed_places_are_for_all_and_others_for_nobody() {
    let folder = fixtures::testdata("lakes/tea/drift");
    let configured = start(&format!("external_locations = ['{}']\n{}", folder.display(), users()), &[]);
    for (name, password) in [("ana", "oolong"), ("bi", "sencha")] {
        let client = connect(&with_password(&configured.server, name, password)).await;
        let create = |end: &str| {
            format!("CREATE EXTERNAL TABLE drift_{name} STORED AS PARQUET LOCATION '{}{end}'", folder.display())
        };
        assert_eq!(failure(client.simple_query(&create("/../by_day/")).await).0, "42501");
        client.batch_execute(&create("/")).await.expect("the place is listed");
    }
}

#[test]
fn a_config_file_with_a_password_in_clear_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (text, told) in [
        ("[users.ana]\npassword = 'oolong'", "tributary user"),
        ("authentication = 'scram-sha-256'", "nobody could connect"),
        ("authentication = 'md5'", "scram-sha-256"),
        ("external_locations = ['/no/such/folder']", "/no/such/folder"),
        ("[users.ana]\nadmin = true", "superuser"),
    ] {
        let path = config_file(&folder, text).display().to_string();
        let lake = fixtures::golden_lake();
        let output = run(tributary().args(["serve", "--listen", "127.0.0.1:0", "--lake", &lake, "--config", &path]));
        let written = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{text}");
        assert!(written.contains(told), "{text}: {written}");
        assert!(!written.contains("panicked"), "{written}");
    }
}
