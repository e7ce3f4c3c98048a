//! The rules once more, as naively as they can be written.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use retention::{Candidate, Rule, Rules};

pub(crate) fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

pub(crate) fn point(id: &str, time: Timestamp) -> Candidate {
    Candidate {
        id: id.to_owned(),
        time,
        written: time,
        pinned: false,
        holds: Vec::new(),
        unknown_note: false,
        known_bad: false,
    }
}

/// Names the period of a time as people would.
fn label(rule: Rule, time: Timestamp, zone: &TimeZone) -> String {
    let format = match rule {
        Rule::Last => "%s %f",
        Rule::Hourly => "%Y-%m-%d %H %z",
        Rule::Daily => "%Y-%m-%d",
        Rule::Weekly => "%G-W%V",
        Rule::Monthly => "%Y-%m",
        Rule::Yearly => "%Y",
    };
    time.to_zoned(zone.clone()).strftime(format).to_string()
}

/// Returns the ids that the rules alone keep, of points that all have trusted times.
pub(crate) fn kept_by_rules(points: &[Candidate], rules: &Rules) -> BTreeSet<String> {
    let mut points: Vec<&Candidate> = points.iter().collect();
    points.sort_by(|one, other| (other.time, &other.id).cmp(&(one.time, &one.id)));
    let mut kept: Vec<&Candidate> = Vec::new();
    for rule in Rule::ALL {
        let count = rules.count(rule) as usize;
        if rule == Rule::Last {
            kept.extend(points.iter().take(count).copied());
            continue;
        }
        let of = |point: &Candidate| label(rule, point.time, &rules.time_zone);
        let before: BTreeSet<String> = kept.iter().map(|point| of(point)).collect();
        let mut periods: Vec<String> = Vec::new();
        for point in &points {
            if !periods.contains(&of(point)) && !before.contains(&of(point)) {
                periods.push(of(point));
            }
        }
        for period in periods.iter().take(count) {
            kept.extend(points.iter().find(|point| of(point) == *period));
        }
    }
    kept.iter().map(|point| point.id.clone()).collect()
}
