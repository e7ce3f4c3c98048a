//! What holds for all points and all rules.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use retention::{Candidate, Hold, Rule, Rules, decide};

use crate::model::{kept_by_rules, point, zone};

const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/St_Johns",
];

fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

/// Points minutes to years apart, some at the same time.
fn points() -> impl Strategy<Value = Vec<Candidate>> {
    let step = prop_oneof![0_i64..3, 20_i64..90, 600_i64..3000, 9000_i64..60_000];
    prop::collection::vec(step, 1..60).prop_map(|steps| {
        let mut time = now();
        let made = steps.into_iter().enumerate().map(|(number, minutes)| {
            time -= SignedDuration::from_mins(minutes);
            point(&format!("p{number:02}"), time)
        });
        made.collect()
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    let count = || prop_oneof![Just(0_u32), 1_u32..6];
    let counts = (count(), count(), count(), count(), count(), count());
    (counts, 0..ZONES.len()).prop_map(|((last, hourly, daily, weekly, monthly, yearly), at)| {
        Rules {
            last,
            hourly,
            daily,
            weekly,
            monthly,
            yearly,
            time_zone: zone(ZONES[at]),
        }
    })
}

fn kept(points: &[Candidate], rules: &Rules) -> BTreeSet<String> {
    let decisions = decide(points, rules, now());
    assert_eq!(decisions.len(), points.len());
    let kept = decisions.into_iter().filter(retention::Decision::is_kept);
    kept.map(|decision| decision.id).collect()
}

fn raised(rules: &Rules, rule: Rule, by: u32) -> Rules {
    let mut rules = rules.clone();
    match rule {
        Rule::Last => rules.last += by,
        Rule::Hourly => rules.hourly += by,
        Rule::Daily => rules.daily += by,
        Rule::Weekly => rules.weekly += by,
        Rule::Monthly => rules.monthly += by,
        Rule::Yearly => rules.yearly += by,
    }
    rules
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn what_is_kept_is_what_the_naive_rules_keep_and_the_newest(
        points in points(), rules in rules(),
    ) {
        let mut expected = kept_by_rules(&points, &rules);
        let newest = points.iter().max_by_key(|own| (own.time, own.id.clone())).unwrap();
        expected.insert(newest.id.clone());
        if rules.are_empty() {
            expected = points.iter().map(|own| own.id.clone()).collect();
        }
        prop_assert_eq!(kept(&points, &rules), expected);
    }

    #[test]
    fn raising_a_number_or_adding_a_rule_removes_nothing_that_was_kept(
        points in points(), rules in rules(), at in 0..Rule::ALL.len(), by in 1_u32..4,
    ) {
        let rule = Rule::ALL[at];
        // Weeks do not lie within months and years: see the test of its own.
        let more = raised(&rules, rule, by);
        let weeks_over_months = more.weekly > 0 && (rules.monthly > 0 || rules.yearly > 0);
        prop_assume!(!(rules.are_empty() || weeks_over_months && rule <= Rule::Weekly));
        let (before, after) = (kept(&points, &rules), kept(&points, &more));
        prop_assert!(before.is_subset(&after), "{:?}", before.difference(&after));
    }

    #[test]
    fn a_month_or_year_that_had_a_point_has_one_however_many_more_weeks_are_kept(
        points in points(), rules in rules(), at in 0..Rule::ALL.len(), by in 1_u32..4,
    ) {
        prop_assume!(!rules.are_empty());
        let more = raised(&rules, Rule::ALL[at], by);
        let months = |rules: &Rules| -> BTreeSet<String> {
            let ids = kept(&points, rules);
            let own = points.iter().filter(|own| ids.contains(&own.id));
            let month = |own: &Candidate| own.time.to_zoned(rules.time_zone.clone());
            own.map(|own| month(own).strftime("%Y-%m").to_string()).collect()
        };
        let (before, after) = (months(&rules), months(&more));
        prop_assert!(before.is_subset(&after), "{:?}", before.difference(&after));
    }

    #[test]
    fn pins_holds_and_unknown_notes_add_one_point_and_change_no_other(
        points in points(), rules in rules(), at in any::<prop::sample::Index>(), how in 0..3,
    ) {
        let before = kept(&points, &rules);
        let mut points = points;
        let index = at.index(points.len());
        let own = &mut points[index];
        match how {
            0 => own.pinned = true,
            1 => own.holds.push(Hold { name: "audit".to_owned(), until: None }),
            _ => own.unknown_note = true,
        }
        let mut expected = before;
        expected.insert(own.id.clone());
        prop_assert_eq!(kept(&points, &rules), expected);
    }

    #[test]
    fn a_time_that_cannot_be_right_is_kept_and_counts_for_nothing(
        points in points(), rules in rules(), days in 2_i64..3000,
    ) {
        let before = decide(&points, &rules, now());
        let mut with = points.clone();
        let mut ahead = point("ahead", now() + SignedDuration::from_hours(24 * days));
        ahead.written = now();
        with.push(ahead);
        let mut after = decide(&with, &rules, now());
        prop_assert!(after.pop().unwrap().is_kept());
        prop_assert_eq!(before, after);
    }

    #[test]
    fn a_bad_point_keeps_its_place_and_takes_no_other_ones(
        points in points(), rules in rules(), marks in prop::collection::vec(any::<bool>(), 60),
    ) {
        let all_good = kept(&points, &rules);
        let without: Vec<Candidate> = points
            .iter()
            .zip(&marks)
            .filter(|(_, bad)| !**bad)
            .map(|(own, _)| own.clone())
            .collect();
        let mut points = points;
        for (own, bad) in points.iter_mut().zip(&marks) {
            own.known_bad = *bad;
        }
        let marked = kept(&points, &rules);
        prop_assert!(all_good.is_subset(&marked));
        prop_assert!(kept(&without, &rules).is_subset(&marked));
    }

    #[test]
    fn back_dated_points_push_none_out_that_was_written_in_time(
        points in points(), rules in rules(), days in prop::collection::vec(3_i64..400, 1..40),
        bad in any::<bool>(),
    ) {
        let genuine = kept(&points, &rules);
        let mut with = points;
        for (number, days) in days.into_iter().enumerate() {
            let time = now() - SignedDuration::from_hours(24 * days);
            let mut junk = point(&format!("z{number:02}"), time);
            junk.written = now();
            junk.known_bad = bad && number % 2 == 0;
            with.push(junk);
        }
        prop_assert!(genuine.is_subset(&kept(&with, &rules)));
    }

    #[test]
    fn a_copy_of_which_all_points_are_late_keeps_what_the_rules_choose(
        points in points(), rules in rules(),
    ) {
        let mut copies = points.clone();
        for copy in &mut copies {
            copy.written = copy.time + SignedDuration::from_hours(24 * 30);
        }
        prop_assert_eq!(kept(&copies, &rules), kept(&points, &rules));
    }

    #[test]
    fn the_order_in_which_points_are_listed_is_nothing(
        points in points().prop_shuffle(), rules in rules(),
    ) {
        let mut sorted = points.clone();
        sorted.sort_by(|one, other| one.id.cmp(&other.id));
        prop_assert_eq!(kept(&points, &rules), kept(&sorted, &rules));
    }
}
