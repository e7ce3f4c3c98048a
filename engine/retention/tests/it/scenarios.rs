//! Scenarios that people can check by hand.

use jiff::Timestamp;
use retention::{Candidate, Hold, Rules, decide};

use crate::model::{point, zone};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn points(times: &[&str]) -> Vec<Candidate> {
    times.iter().map(|text| point(text, time(text))).collect()
}

/// Writes the decisions as a table: time, and why it is kept.
fn table(points: &[Candidate], rules: &Rules, now: &str) -> String {
    let decisions = decide(points, rules, time(now));
    let mut lines: Vec<String> = decisions
        .iter()
        .map(|decision| {
            let reasons: Vec<String> = decision.reasons.iter().map(ToString::to_string).collect();
            let why = if reasons.is_empty() {
                "removed".to_owned()
            } else {
                reasons.join(", ")
            };
            format!("{}  {why}", decision.id)
        })
        .collect();
    lines.sort_unstable_by(|one, other| other.cmp(one));
    lines.join("\n")
}

#[test]
fn rules_add_up_from_the_newest_on() {
    let mut times: Vec<String> = Vec::new();
    for day in 10..=21 {
        times.push(format!("2026-11-{day:02}T22:00:00Z"));
    }
    times.push("2026-11-21T10:00:00Z".to_owned());
    times.push("2026-10-31T22:00:00Z".to_owned());
    times.push("2026-10-30T22:00:00Z".to_owned());
    times.push("2026-09-15T22:00:00Z".to_owned());
    times.push("2025-12-24T22:00:00Z".to_owned());
    let times: Vec<&str> = times.iter().map(String::as_str).collect();
    let rules = Rules {
        last: 2,
        daily: 4,
        weekly: 2,
        monthly: 2,
        yearly: 1,
        ..Rules::default()
    };
    // Sunday 2026-11-22: the week of the 16th is covered by days, so weeks begin before it.
    assert_eq!(
        table(&points(&times), &rules, "2026-11-22T08:00:00Z"),
        "\
2026-11-21T22:00:00Z  the newest point, last 1
2026-11-21T10:00:00Z  last 2
2026-11-20T22:00:00Z  daily 2026-11-20
2026-11-19T22:00:00Z  daily 2026-11-19
2026-11-18T22:00:00Z  daily 2026-11-18
2026-11-17T22:00:00Z  daily 2026-11-17
2026-11-16T22:00:00Z  removed
2026-11-15T22:00:00Z  weekly 2026-W46
2026-11-14T22:00:00Z  removed
2026-11-13T22:00:00Z  removed
2026-11-12T22:00:00Z  removed
2026-11-11T22:00:00Z  removed
2026-11-10T22:00:00Z  removed
2026-10-31T22:00:00Z  weekly 2026-W44
2026-10-30T22:00:00Z  removed
2026-09-15T22:00:00Z  monthly 2026-09
2025-12-24T22:00:00Z  monthly 2025-12"
    );
}

#[test]
fn the_hour_that_a_clock_shows_twice_is_two_and_the_day_has_25() {
    let rules = Rules {
        hourly: 25,
        time_zone: zone("Europe/Berlin"),
        ..Rules::default()
    };
    // Summer time ends at 01:00 UTC on 2026-10-25.
    let day = points(&["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]);
    assert_eq!(
        table(&day, &rules, "2026-10-26T00:00:00Z"),
        "\
2026-10-25T01:30:00Z  the newest point, hourly 2026-10-25 02:00+01
2026-10-25T00:30:00Z  hourly 2026-10-25 02:00+02"
    );
    let daily = Rules {
        hourly: 0,
        daily: 9,
        ..rules
    };
    // From midnight to midnight these are 25 hours, and one day; in spring 23.
    let autumn = points(&[
        "2026-10-24T22:00:00Z",
        "2026-10-25T22:59:59Z",
        "2026-10-24T21:59:59Z",
        "2026-10-25T23:00:00Z",
    ]);
    assert_eq!(
        table(&autumn, &daily, "2026-10-27T00:00:00Z"),
        "\
2026-10-25T23:00:00Z  the newest point, daily 2026-10-26
2026-10-25T22:59:59Z  daily 2026-10-25
2026-10-24T22:00:00Z  removed
2026-10-24T21:59:59Z  daily 2026-10-24"
    );
    let spring = points(&[
        "2026-03-28T23:00:00Z",
        "2026-03-29T21:59:59Z",
        "2026-03-29T22:00:00Z",
    ]);
    assert_eq!(
        table(&spring, &daily, "2026-03-31T00:00:00Z"),
        "\
2026-03-29T22:00:00Z  the newest point, daily 2026-03-30
2026-03-29T21:59:59Z  daily 2026-03-29
2026-03-28T23:00:00Z  removed"
    );
}

#[test]
fn a_week_belongs_to_the_year_that_has_its_thursday() {
    let rules = Rules {
        weekly: 9,
        ..Rules::default()
    };
    let around = points(&[
        "2027-01-04T00:00:00Z",
        "2027-01-03T12:00:00Z",
        "2026-12-28T12:00:00Z",
        "2026-12-27T12:00:00Z",
    ]);
    assert_eq!(
        table(&around, &rules, "2027-01-05T00:00:00Z"),
        "\
2027-01-04T00:00:00Z  the newest point, weekly 2027-W01
2027-01-03T12:00:00Z  weekly 2026-W53
2026-12-28T12:00:00Z  removed
2026-12-27T12:00:00Z  weekly 2026-W52"
    );
}

#[test]
fn pins_holds_and_bad_times_say_why_they_keep() {
    let rules = Rules {
        last: 1,
        ..Rules::default()
    };
    let mut all = points(&[
        "2026-01-01T00:00:00Z",
        "2026-01-02T00:00:00Z",
        "2026-01-03T00:00:00Z",
        "2026-01-04T00:00:00Z",
        "2026-01-05T00:00:00Z",
        "2026-01-06T00:00:00Z",
        "2031-01-01T00:00:00Z",
    ]);
    all[0].pinned = true;
    let hold = |until: Option<&str>| Hold {
        name: "audit".to_owned(),
        until: until.map(time),
    };
    all[1].holds.push(hold(Some("2026-03-01T00:00:00Z")));
    all[2].holds.push(hold(Some("2026-01-20T00:00:00Z")));
    all[3].unknown_note = true;
    all[4].written = time("2026-01-07T00:00:00Z");
    all[6].written = time("2026-01-06T12:00:00Z");
    assert_eq!(
        table(&all, &rules, "2026-02-01T00:00:00Z"),
        "\
2031-01-01T00:00:00Z  time not trusted
2026-01-06T00:00:00Z  the newest point, last 1
2026-01-05T00:00:00Z  the point that was written last
2026-01-04T00:00:00Z  a note that this program does not know
2026-01-03T00:00:00Z  removed
2026-01-02T00:00:00Z  hold \"audit\" until 2026-03-01T00:00:00Z
2026-01-01T00:00:00Z  pin"
    );
}

#[test]
fn a_bad_point_does_not_take_the_place_of_a_good_one() {
    let rules = Rules {
        daily: 2,
        ..Rules::default()
    };
    let mut all = points(&[
        "2026-01-01T08:00:00Z",
        "2026-01-01T20:00:00Z",
        "2026-01-02T08:00:00Z",
        "2026-01-02T20:00:00Z",
    ]);
    all[3].known_bad = true;
    assert_eq!(
        table(&all, &rules, "2026-01-03T00:00:00Z"),
        "\
2026-01-02T20:00:00Z  the newest point, daily 2026-01-02
2026-01-02T08:00:00Z  the newest point not known to be bad, daily 2026-01-02
2026-01-01T20:00:00Z  daily 2026-01-01
2026-01-01T08:00:00Z  removed"
    );
}

#[test]
fn without_rules_nothing_goes_and_the_only_point_never_does() {
    let all = points(&["2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"]);
    let kept = decide(&all, &Rules::default(), time("2026-01-01T00:00:00Z"));
    assert!(kept.iter().all(retention::Decision::is_kept));
    let rules = Rules {
        yearly: 1,
        ..Rules::default()
    };
    let mut one = points(&["1999-01-01T00:00:00Z"]);
    one[0].known_bad = true;
    assert!(decide(&one, &rules, time("2026-01-01T00:00:00Z"))[0].is_kept());
}

/// The one exception to "raising a number never removes": the newest point of October lies in a
/// week whose newest point is November's.
#[test]
fn more_weeks_may_cover_a_month_by_another_point_than_its_newest() {
    let all = points(&[
        "2026-11-01T12:00:00Z",
        "2026-10-31T12:00:00Z",
        "2026-10-25T12:00:00Z",
    ]);
    let rules = |weekly| Rules {
        weekly,
        monthly: 2,
        ..Rules::default()
    };
    assert_eq!(
        table(&all, &rules(1), "2026-11-02T00:00:00Z"),
        "\
2026-11-01T12:00:00Z  the newest point, weekly 2026-W44
2026-10-31T12:00:00Z  monthly 2026-10
2026-10-25T12:00:00Z  removed"
    );
    assert_eq!(
        table(&all, &rules(2), "2026-11-02T00:00:00Z"),
        "\
2026-11-01T12:00:00Z  the newest point, weekly 2026-W44
2026-10-31T12:00:00Z  removed
2026-10-25T12:00:00Z  weekly 2026-W43"
    );
}
