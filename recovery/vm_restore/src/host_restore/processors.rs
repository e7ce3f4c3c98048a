//! Whether memory that was saved on one host's processors resumes on another's (requirement REST-16).

use hyperv_host::HostSettings;
use repository::RestorePoint;

/// How the processors of two hosts are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Likeness {
    /// They are of one model.
    Same,
    /// They are of one maker.
    SameMaker,
    /// They are of different makers: nothing resumes.
    OtherMaker,
    /// One of them is not known.
    Unknown,
}

/// Returns the model of the processors that a point's VM ran on; `None` where the point does not
/// tell, or tells of several nodes with different ones.
pub(crate) fn processor_of(point: &RestorePoint) -> Option<String> {
    let settings: HostSettings = serde_json::from_value(point.host_settings.clone()?).ok()?;
    let own = settings
        .nodes
        .iter()
        .find(|node| node.computer.to_lowercase() == point.host.to_lowercase());
    let mut nodes = settings.nodes.iter();
    let first = own.or_else(|| nodes.next())?;
    let is_like = own.is_some() || nodes.all(|node| node.processor == first.processor);
    let known = is_like && !first.processor.is_empty();
    known.then(|| first.processor.clone())
}

/// Compares the models of two processors. Hosts may write the maker before a model.
pub(crate) fn likeness(one: Option<&str>, other: Option<&str>) -> Likeness {
    let (Some(one), Some(other)) = (one.map(folded), other.map(folded)) else {
        return Likeness::Unknown;
    };
    if one.ends_with(&other) || other.ends_with(&one) {
        return Likeness::Same;
    }
    match (maker(&one), maker(&other)) {
        (Some(one), Some(other)) if one == other => Likeness::SameMaker,
        (Some(_), Some(_)) => Likeness::OtherMaker,
        _ => Likeness::Unknown,
    }
}

/// Writes a model in lower case, with single blanks.
fn folded(model: &str) -> String {
    let words: Vec<&str> = model.split_whitespace().collect();
    words.join(" ").to_lowercase()
}

fn maker(model: &str) -> Option<&'static str> {
    // Each as its models are written, or as `Win32_Processor.Manufacturer` has it.
    let known = [
        ("intel", "Intel"),
        ("amd", "AMD"),
        ("ampere", "Arm"),
        ("snapdragon", "Arm"),
        ("qualcomm", "Arm"),
        ("cobalt", "Arm"),
    ];
    let mut known = known.into_iter();
    known
        .find(|(word, _)| model.contains(word))
        .map(|(_, maker)| maker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_told_apart_by_model_and_maker() {
        let xeon = "Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz";
        let with_maker = "GenuineIntel Intel(R) Xeon(R)  Gold 6230 CPU @ 2.10GHz";
        let older = "Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz";
        let epyc = "AMD EPYC 7763 64-Core Processor";
        for (other, expected) in [
            (Some(xeon), Likeness::Same),
            (Some(with_maker), Likeness::Same),
            (Some(older), Likeness::SameMaker),
            (Some(epyc), Likeness::OtherMaker),
            (Some("AuthenticAMD EPYC"), Likeness::OtherMaker),
            (Some("Something Else 1"), Likeness::Unknown),
            (None, Likeness::Unknown),
        ] {
            assert_eq!(likeness(Some(xeon), other), expected, "{other:?}");
        }
    }
}
