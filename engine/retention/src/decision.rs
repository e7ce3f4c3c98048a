//! Deciding on the points of a VM.

use std::collections::HashSet;
use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::calendar::Period;
use crate::{Candidate, Hold, Rule, Rules};

/// What becomes of a point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The point's id.
    pub id: String,
    /// Why it is kept; empty where it is removed.
    pub reasons: Vec<Reason>,
}

/// Why a point is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// A rule chose it.
    Rule {
        /// The rule.
        rule: Rule,
        /// For which period, such as `2026-11-20`; of `last`, which one it is, from 1.
        period: String,
    },
    /// There are no rules.
    NoRules,
    /// It is the newest point of its VM.
    Newest,
    /// It is the point of its VM that was written last.
    NewestWritten,
    /// It is the newest point of its VM that is not known to be bad.
    NewestGood,
    /// It is pinned.
    Pin,
    /// It is held.
    Hold(Hold),
    /// Something was said of it that is not understood here.
    UnknownNote,
    /// Its own time is past the time at which it was written.
    TimeNotTrusted,
}

impl Decision {
    /// Returns whether the point stays.
    pub fn is_kept(&self) -> bool {
        !self.reasons.is_empty()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule { rule, period } => write!(f, "{} {period}", rule.name()),
            Self::NoRules => f.write_str("no rules"),
            Self::Newest => f.write_str("the newest point"),
            Self::NewestWritten => f.write_str("the point that was written last"),
            Self::NewestGood => f.write_str("the newest point not known to be bad"),
            Self::Pin => f.write_str("pin"),
            Self::Hold(Hold { name, until: None }) => write!(f, "hold {name:?}"),
            Self::Hold(Hold {
                name,
                until: Some(until),
            }) => write!(f, "hold {name:?} until {until}"),
            Self::UnknownNote => f.write_str("a note that this program does not know"),
            Self::TimeNotTrusted => f.write_str("time not trusted"),
        }
    }
}

/// Decides on all points of one VM; the answers are in the order of `points`.
pub fn decide(points: &[Candidate], rules: &Rules, now: Timestamp) -> Vec<Decision> {
    let mut decisions: Vec<Decision> = points
        .iter()
        .map(|point| Decision {
            id: point.id.clone(),
            reasons: own_reasons(point, now),
        })
        .collect();
    let newest_first = newest_first(points);
    keep_newest(points, &newest_first, &mut decisions);
    if rules.are_empty() {
        for decision in &mut decisions {
            decision.reasons.push(Reason::NoRules);
        }
        return decisions;
    }
    follow(points, &newest_first, rules, &mut decisions);
    // What may be bad or back-dated takes no other point's place. Each time only adds.
    let doubts: [fn(&Candidate) -> bool; 3] = [
        |point| point.known_bad,
        |point| !point.is_prompt(),
        |point| point.known_bad || !point.is_prompt(),
    ];
    for is_doubted in doubts {
        let mut others = newest_first.clone();
        others.retain(|index| !is_doubted(&points[*index]));
        if others.len() < newest_first.len() {
            follow(points, &others, rules, &mut decisions);
        }
    }
    decisions
}

/// Returns why a point is kept whatever the others are.
fn own_reasons(point: &Candidate, now: Timestamp) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if point.pinned {
        reasons.push(Reason::Pin);
    }
    reasons.extend(point.active_holds(now).cloned().map(Reason::Hold));
    if point.unknown_note {
        reasons.push(Reason::UnknownNote);
    }
    if !point.is_time_trusted() {
        reasons.push(Reason::TimeNotTrusted);
    }
    reasons
}

/// Returns the points that rules look at, newest first.
fn newest_first(points: &[Candidate]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len())
        .filter(|index| points[*index].is_time_trusted())
        .collect();
    let key = |index: &usize| (points[*index].time, &points[*index].id);
    order.sort_by(|one, other| key(other).cmp(&key(one)));
    order
}

fn keep_newest(points: &[Candidate], newest_first: &[usize], decisions: &mut [Decision]) {
    let mut keep = |index: Option<usize>, reason: Reason| {
        let decision = index.and_then(|index| decisions.get_mut(index));
        decision
            .into_iter()
            .for_each(|own| own.reasons.push(reason.clone()));
    };
    let newest = newest_first.first().copied();
    let by_written = |index: &usize| {
        let point = &points[*index];
        (point.written, point.time, &point.id)
    };
    let trusted = newest_first.iter().copied();
    let written = trusted.max_by(|one, other| by_written(one).cmp(&by_written(other)));
    let good = newest_first
        .iter()
        .copied()
        .find(|index| !points[*index].known_bad);
    keep(newest, Reason::Newest);
    if written != newest {
        keep(written, Reason::NewestWritten);
    }
    if good != newest {
        keep(good, Reason::NewestGood);
    }
}

/// Follows the rules over `order`, which is newest first.
fn follow(points: &[Candidate], order: &[usize], rules: &Rules, decisions: &mut [Decision]) {
    let mut kept: HashSet<usize> = HashSet::new();
    for rule in Rule::ALL {
        let count = usize::try_from(rules.count(rule)).unwrap_or(usize::MAX);
        for (index, period) in chosen(points, order, rule, count, rules, &kept) {
            kept.insert(index);
            let reason = Reason::Rule { rule, period };
            if let Some(decision) = decisions.get_mut(index)
                && !decision.reasons.contains(&reason)
            {
                decision.reasons.push(reason);
            }
        }
    }
}

/// Returns the points that a rule chooses, and what for.
fn chosen(
    points: &[Candidate],
    order: &[usize],
    rule: Rule,
    count: usize,
    rules: &Rules,
    kept: &HashSet<usize>,
) -> Vec<(usize, String)> {
    if count == 0 {
        return Vec::new();
    }
    if rule == Rule::Last {
        let last = order.iter().copied().take(count).zip(1_usize..);
        return last
            .map(|(index, number)| (index, number.to_string()))
            .collect();
    }
    let period_of = |index: usize| Period::of(rule, points[index].time, &rules.time_zone);
    let mut covered: HashSet<Period> = kept.iter().filter_map(|index| period_of(*index)).collect();
    let mut chosen = Vec::new();
    for index in order.iter().copied() {
        if chosen.len() == count {
            break;
        }
        if let Some(period) = period_of(index)
            && covered.insert(period)
        {
            chosen.push((index, period.to_string()));
        }
    }
    chosen
}
