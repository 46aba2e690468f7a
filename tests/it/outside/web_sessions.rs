//! Snowplow's web package and we cut the same 157 events into sessions: where both agree, and why they do not elsewhere.
//!
//! The package believes the session id that the browser sent; we believe gaps between a user's events.
//! Every difference below comes from that or from a rule of the package that it documents.

use super::{rows, serve};

/// Our visits beside the package's sessions, which an id of the browser joins.
///
/// Events that were delivered twice count once, as they first arrived: 160 rows are 157 events.
const VISITS: &str = "delivered AS (
    SELECT DISTINCT ON (event_id) * FROM events ORDER BY event_id, collector_tstamp
), numbered AS (
    SELECT *, SESSIONIZE(derived_tstamp, '30 minutes') OVER (PARTITION BY domain_userid) AS session_no FROM delivered
), visits AS (
    SELECT domain_userid, session_no, min(derived_tstamp) AS started_at, max(derived_tstamp) AS ended_at,
           count(*) AS event_count, count(DISTINCT domain_sessionid) AS id_count
    FROM numbered
    GROUP BY domain_userid, session_no
)";

#[tokio::test]
async fn events_and_visits_are_as_many_as_a_script_counted() {
    let (_server, client) = serve("snowplow_web_sessions").await;
    let sql = format!("WITH {VISITS} SELECT count(*), sum(event_count) FROM visits");
    assert_eq!(rows(&client, &sql).await, [["58", "157"]]);
}

#[tokio::test]
async fn nine_of_eighteen_sessions_are_equal_in_start_end_and_events() {
    let (_server, client) = serve("snowplow_web_sessions").await;
    let sql = format!(
        "WITH {VISITS} SELECT count(*) FROM expected_sessions AS x JOIN visits AS v
         ON (v.domain_userid IS NOT DISTINCT FROM x.domain_userid)
            AND v.started_at = x.start_tstamp AND v.ended_at = x.end_tstamp AND v.event_count = x.total_events"
    );
    assert_eq!(rows(&client, &sql).await, [["9"]]);
    assert_eq!(rows(&client, "SELECT count(*) FROM expected_sessions").await, [["18"]]);
}

#[tokio::test]
async fn every_session_that_differs_has_its_reason() {
    let (_server, client) = serve("snowplow_web_sessions").await;
    let sql = format!(
        "WITH {VISITS}, places AS (SELECT DISTINCT domain_sessionid, domain_userid, session_no FROM numbered),
         compared AS (
             SELECT x.domain_sessionid, count(*) AS visit_count, count(DISTINCT v.domain_userid) AS user_count,
                    max(v.id_count) AS id_count,
                    date_part('epoch', min(v.started_at) - x.start_tstamp) AS starts_later_s,
                    date_part('epoch', max(v.ended_at) - x.end_tstamp) AS ends_later_s,
                    sum(v.event_count) - x.total_events AS more_events
             FROM expected_sessions AS x
             JOIN places AS p ON p.domain_sessionid = x.domain_sessionid
             JOIN visits AS v ON (v.domain_userid IS NOT DISTINCT FROM p.domain_userid) AND v.session_no = p.session_no
             GROUP BY x.domain_sessionid, x.start_tstamp, x.end_tstamp, x.total_events
         )
         SELECT visit_count, user_count, id_count, starts_later_s, ends_later_s, more_events, count(*)
         FROM compared GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6"
    );
    // Visits of ours that hold events of the session, their users and most ids of the browser in one of them; how much
    // later we start and end, in seconds, and how many events more we have; how many sessions are so.
    let expected = [
        // Equal. One of them has no user id: such events are those of one user, as GROUP BY has it.
        ["1", "0", "1", "0", "0", "0", "1"],
        ["1", "1", "1", "0", "0", "0", "7"],
        // A ping comes 5 seconds after its page was opened at the earliest (`snowplow__min_visit_length`), so the package
        // starts a session that begins with a ping 5 seconds before it. Ours start with the event that was seen.
        ["1", "1", "1", "5", "0", "0", "3"],
        // Two ids of the browser at work at the same time, for two users: four sessions of theirs, two visits of ours.
        ["1", "1", "2", "-8.622", "0", "5", "1"],
        ["1", "1", "2", "0", "0", "1", "1"],
        ["1", "1", "2", "0", "0", "2", "1"],
        ["1", "1", "2", "0", "3.556", "5", "1"],
        // The ninth equal one: its id comes again after 244 days. That is a second visit of ours; the package cuts
        // what is more than three days after a session's start.
        ["2", "1", "1", "0", "21081608.543", "1", "1"],
        // The user's id changes twice inside of one id of the session, on three days: three visits of three users.
        ["3", "3", "1", "0", "0", "0", "1"],
        // The `long session`: one event a day for eleven days. That is eleven visits of ours; the package keeps the
        // three events of its first three days.
        ["11", "1", "1", "0", "691344.554", "8", "1"],
    ];
    assert_eq!(rows(&client, &sql).await, expected);
}

/// What is tagged has the package's group. The package has no group for what is not tagged; we read the referrer.
#[tokio::test]
async fn tagged_sessions_have_the_packages_channel_group() {
    let (_server, client) = serve("snowplow_web_sessions").await;
    let sql = "SELECT default_channel_group, channel_group(mkt_source, mkt_medium, mkt_campaign, referrer), count(*) \
               FROM expected_sessions GROUP BY 1, 2 ORDER BY 1, 2";
    let expected = [
        ["Display", "Display", "1"],
        ["Paid Other", "Paid Other", "1"],
        // No source, no medium and no referrer.
        ["Unassigned", "Direct", "4"],
        // One came from https://www.google.com/.
        ["Unassigned", "Organic Search", "1"],
        // Pages of the visited site itself, at localhost: asked with its own pages as referrers, this is the answer.
        ["Unassigned", "Referral", "11"],
    ];
    assert_eq!(rows(&client, sql).await, expected);
}
