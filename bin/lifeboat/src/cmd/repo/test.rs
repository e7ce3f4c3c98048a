//! `lifeboat repo test`: see whether a store does what a repository needs, and how fast.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use store_conformance::{
    CaseOutcome, CaseReport, Fitness, Rates, RatesOptions, SuiteOptions, SuiteReport, Use,
    measure_rates, run_suite,
};

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;
use crate::invocation::Invocation;
use crate::store_choice::StoreChoice;
use crate::ui::{Ui, count, size};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lifeboat repo test --repo /backup
  lifeboat repo test \"s3://backups/hyperv?region=eu-central-1\"
  lifeboat repo test --quick \"s3://backups?endpoint=https://minio.example:9000\"

Run it as the account that will make the backups: what it may do is the first thing that is tried.
All that is written lies under lifeboat-test-... and is removed at the end.")]
pub(crate) struct TestArgs {
    /// Folder or URL, instead of --repo
    #[arg(value_name = "URL")]
    place: Option<PathBuf>,
    /// Leave out what takes long: large objects, long listings and rates
    #[arg(long)]
    quick: bool,
}

pub(crate) fn run(invocation: &Invocation, args: &TestArgs) -> Result<ExitCode, CliError> {
    let ui = &invocation.ui;
    let choice = match &args.place {
        Some(place) => StoreChoice::read(place)?,
        None => invocation.repository_place()?,
    };
    let (store, second) = (choice.open()?, choice.open()?);
    let options = match args.quick {
        true => SuiteOptions::quick(),
        false => SuiteOptions::default(),
    };
    let report = run_suite(&*store, &*second, options, &mut |case| show_case(ui, case))?;
    show_leftover(ui, &report);
    let rates = match report.failures() {
        0 if !args.quick && store.retention().is_none() => {
            Some(measure_rates(&*store, RatesOptions::default())?)
        }
        _ => None,
    };
    if let Some(rates) = &rates {
        show_rates(ui, rates);
    }
    let failures = report.failures();
    let code = match failures {
        0 => ExitCode::Success,
        _ => ExitCode::VerifyFailed,
    };
    ui.message(match failures {
        0 => format!("{} holds a repository well", store.location()),
        _ => format!(
            "{} is not fit for a repository: {}",
            store.location(),
            match failures {
                1 => "one case failed".to_owned(),
                more => format!("{more} cases failed"),
            }
        ),
    });
    let outcome = match failures {
        0 => "success",
        _ => "failed",
    };
    let fields = json!({
        "repository": store.location(),
        "cases": report.cases.len(),
        "failures": failures,
        "left_objects": report.left_objects,
        "rates": rates,
        "file_restore": rates.map(|rates| Fitness::of(&rates, Use::FileRestore)),
        "running_vms": rates.map(|rates| Fitness::of(&rates, Use::RunningVms)),
    });
    ui.summary(outcome, code, fields);
    Ok(code)
}

fn show_case(ui: &Ui, case: &CaseReport) {
    ui.record("case", case);
    let (word, more) = match &case.outcome {
        CaseOutcome::Passed { remark } => ("ok", remark.clone()),
        CaseOutcome::Failed { why } => ("FAILED", Some(why.clone())),
        CaseOutcome::NotApplicable { why } => ("-", Some(why.clone())),
        _ => ("?", None),
    };
    let more = more.map(|more| format!(": {more}")).unwrap_or_default();
    ui.data(format!("{word:<7} {:<24} {}{more}", case.name, case.about));
}

fn show_leftover(ui: &Ui, report: &SuiteReport) {
    let Some(why) = &report.left_why else { return };
    let left = count(report.left_objects, "test object");
    let day = |time: SystemTime| {
        Timestamp::try_from(time).map_or_else(|_| "later".to_owned(), |time| time.to_string())
    };
    match report.left_until {
        Some(until) => ui.warning(&format!(
            "{left} under {} stay until their lock ends, {}",
            report.prefix,
            day(until)
        )),
        None => ui.warning(&format!("{left} stay under {}: {why}", report.prefix)),
    }
}

fn show_rates(ui: &Ui, rates: &Rates) {
    let a_second = |bytes| format!("{}/s", size(bytes));
    ui.data(format!(
        "writes {} in large objects, {} small objects/s",
        a_second(rates.write_bytes_per_second),
        rates.small_writes_per_second
    ));
    ui.data(format!(
        "reads {} in order; 4 KiB at random places {}/s one by one, {}/s eight at once",
        a_second(rates.read_bytes_per_second),
        rates.random_reads_per_second,
        rates.random_reads_at_once_per_second
    ));
    for (what, wanted) in [
        ("restoring files", Use::FileRestore),
        ("running VMs", Use::RunningVms),
    ] {
        ui.data(format!("for {what}: {}", Fitness::of(rates, wanted).name()));
    }
}
