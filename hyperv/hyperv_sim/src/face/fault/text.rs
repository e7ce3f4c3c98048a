//! Faults as people write them.

use std::fmt;
use std::str::FromStr;

use super::{Effect, Fault, FaultPoint, METHODS, VSS_POINTS, VSS_RESTORE_POINTS, When};

/// Bytes of a fault's text that are looked at.
const TEXT_BYTES_MAX: usize = 64 << 10;

impl FromStr for Fault {
    type Err = String;

    /// Reads a fault; the error says what is wrong with the text.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = words(text)?.into_iter();
        let point = words.next().ok_or_else(|| {
            "a fault begins with where it strikes, such as CreateSnapshot".to_owned()
        })?;
        let mut fault = Self::new(read_point(&point)?, Effect::ConnectionLost);
        let mut effect = None;
        let mut description = None;
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((&word, ""));
            match name {
                "class" => fault.class = Some(value.to_owned()),
                "vm" => fault.vm = Some(value.to_owned()),
                "nth" => fault.when = When::Nth(number(name, value)?),
                "first" => fault.when = When::First(number(name, value)?),
                "every" => fault.when = When::Every,
                "after" => fault.after = true,
                "before" => fault.after = false,
                "text" => description = Some(value.to_owned()),
                _ if effect.is_some() => return Err(format!("{word} is a second effect")),
                _ => effect = Some(read_effect(name, value)?),
            }
        }
        fault.effect = effect.ok_or_else(|| "it does not say what happens".to_owned())?;
        match (&mut fault.effect, description) {
            (_, None) => {}
            (Effect::JobFails { text, .. }, Some(description)) => *text = description,
            (_, Some(_)) => return Err("text= belongs to a job that fails".to_owned()),
        }
        Ok(fault)
    }
}

fn read_point(word: &str) -> Result<FaultPoint, String> {
    let method = |name: &&&str| name.eq_ignore_ascii_case(word);
    match word.to_ascii_lowercase().as_str() {
        "any" => Ok(FaultPoint::Any),
        "query" => Ok(FaultPoint::Query),
        "get" => Ok(FaultPoint::Get),
        "invoke" => Ok(FaultPoint::Invoke),
        other if other.starts_with("vss:") => read_vss_point(word),
        _ => match METHODS.iter().find(method) {
            Some(name) => Ok(FaultPoint::Method((*name).to_owned())),
            None => Err(format!(
                "{word} is not a call; calls are any, query, get, invoke, {}",
                METHODS.join(", ")
            )),
        },
    }
}

fn read_vss_point(word: &str) -> Result<FaultPoint, String> {
    let name = word.get(4..).unwrap_or_default();
    let mut points = VSS_POINTS.iter().chain(&VSS_RESTORE_POINTS);
    match points.find(|own| own.eq_ignore_ascii_case(name)) {
        Some(own) => Ok(FaultPoint::Vss((*own).to_owned())),
        None => Err(format!(
            "{name:?} is not a call of VSS; those are {}",
            VSS_POINTS.join(", ")
        )),
    }
}

fn read_effect(name: &str, value: &str) -> Result<Effect, String> {
    Ok(match (name, value) {
        ("code", _) => Effect::ReturnCode(code(name, value)?),
        ("job", "hang") => Effect::JobHangs,
        ("job", _) => Effect::JobFails {
            code: number(name, value)?,
            text: String::new(),
        },
        ("conflict", "") => Effect::Conflict,
        ("gone", "") => Effect::Gone,
        ("lost", "") => Effect::ConnectionLost,
        ("dies", "") => Effect::HostDies,
        ("slow", _) => Effect::Slow(number(name, value)?),
        ("truncated", _) => Effect::Truncated(number(name, value)?),
        ("processed", _) => Effect::Processed(number(name, value)?),
        ("merge", "hang") => Effect::MergeHangs,
        ("merge", "fail") => Effect::MergeFails,
        ("moves", node) if !node.is_empty() => Effect::Moves(node.to_owned()),
        ("writer", _) => Effect::WriterFails(code(name, value)?),
        ("component", _) => Effect::ComponentFails(code(name, value)?),
        ("requester", "dies") => Effect::RequesterDies,
        _ if value.is_empty() => return Err(format!("{name} is not an effect")),
        _ => return Err(format!("{name}={value} is not an effect")),
    })
}

/// Reads a code, as a number of sixteen or of ten.
fn code(name: &str, value: &str) -> Result<u32, String> {
    let hex = value
        .strip_prefix("0x")
        .or_else(|| value.strip_prefix("0X"));
    match hex {
        Some(hex) => u32::from_str_radix(hex, 16)
            .map_err(|_| format!("{name}={value} is not a code that fits")),
        None => number(name, value),
    }
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T, String> {
    let whole = || format!("{name}={value} is not a whole number that fits");
    value.parse().map_err(|_| whole())
}

/// Cuts a text at its blanks, except those in double quotes.
fn words(text: &str) -> Result<Vec<String>, String> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("it has {} bytes", text.len()));
    }
    let mut words = Vec::new();
    let mut word = String::new();
    let mut begun = false;
    let mut quoted = false;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => {
                quoted = !quoted;
                begun = true;
            }
            '\\' if quoted => word.extend(characters.next()),
            blank if blank.is_whitespace() && !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            other => {
                word.push(other);
                begun = true;
            }
        }
    }
    if quoted {
        return Err("a quote has no end".to_owned());
    }
    if begun {
        words.push(word);
    }
    Ok(words)
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.point)?;
        if let Some(class) = &self.class {
            write!(f, " class={}", quoted(class))?;
        }
        if let Some(vm) = &self.vm {
            write!(f, " vm={}", quoted(vm))?;
        }
        match self.when {
            When::Every => {}
            When::Nth(nth) => write!(f, " nth={nth}")?,
            When::First(count) => write!(f, " first={count}")?,
        }
        write!(f, " {}", self.effect)?;
        if self.after {
            f.write_str(" after")?;
        }
        Ok(())
    }
}

impl fmt::Display for FaultPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any",
            Self::Query => "query",
            Self::Get => "get",
            Self::Invoke => "invoke",
            Self::Method(name) => name,
            Self::Vss(name) => return write!(f, "vss:{name}"),
        })
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReturnCode(code) => write!(f, "code={code}"),
            Self::JobFails { code, text } if text.is_empty() => write!(f, "job={code}"),
            Self::JobFails { code, text } => write!(f, "job={code} text={}", quoted(text)),
            Self::JobHangs => f.write_str("job=hang"),
            Self::Conflict => f.write_str("conflict"),
            Self::Gone => f.write_str("gone"),
            Self::ConnectionLost => f.write_str("lost"),
            Self::HostDies => f.write_str("dies"),
            Self::Slow(seconds) => write!(f, "slow={seconds}"),
            Self::Truncated(instances) => write!(f, "truncated={instances}"),
            Self::Processed(bytes) => write!(f, "processed={bytes}"),
            Self::MergeHangs => f.write_str("merge=hang"),
            Self::MergeFails => f.write_str("merge=fail"),
            Self::Moves(node) => write!(f, "moves={}", quoted(node)),
            Self::WriterFails(code) => write!(f, "writer=0x{code:08X}"),
            Self::ComponentFails(code) => write!(f, "component=0x{code:08X}"),
            Self::RequesterDies => f.write_str("requester=dies"),
        }
    }
}

/// Writes a value so that it is read back as one word.
fn quoted(value: &str) -> String {
    let plain = |character: char| character.is_alphanumeric() || "-_.:".contains(character);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    wmi::quote(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fault_is_read_as_it_is_written() {
        for text in [
            "CreateSnapshot vm=SQL01 nth=1 job=32775 text=\"the VM is saving\"",
            "any nth=17 dies after",
            "query class=Msvm_ConcreteJob truncated=3",
            "get lost",
            "invoke vm=\"two words\" first=3 conflict",
            "ConvertToReferencePoint job=hang",
            "ConvertToReferencePoint merge=hang",
            "DestroySnapshot merge=fail",
            "CreateSnapshot vm=SQL01 nth=1 moves=HV2 after",
            "GetVirtualDiskChanges processed=65536",
            "GetVirtualDiskChanges code=32768",
            "query slow=60",
            "get class=Msvm_ConcreteJob nth=2 gone",
            "vss:Freeze writer=0x800423F3",
            "vss:Begin requester=dies after",
        ] {
            let fault: Fault = text.parse().unwrap();
            assert_eq!(fault.to_string(), text);
        }
        let fault: Fault = "createsnapshot text=busy every job=5 before"
            .parse()
            .unwrap();
        assert_eq!(fault.to_string(), "CreateSnapshot job=5 text=busy");
    }

    #[test]
    fn the_examples_of_the_syntax_can_be_read() {
        let examples = crate::face::FAULT_SYNTAX.lines().rev();
        for example in examples.take_while(|line| !line.is_empty()) {
            assert_eq!(example.parse::<Fault>().unwrap().to_string(), example);
        }
    }

    #[test]
    fn what_is_no_fault_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "begins with"),
            ("Explode lost", "CreateSnapshot"),
            ("query", "what happens"),
            ("query lost gone", "second effect"),
            ("query nth=x lost", "whole number"),
            ("query job=", "whole number"),
            ("query burn", "not an effect"),
            ("query lost=now", "not an effect"),
            ("query lost text=x", "belongs to a job"),
            ("query vm=\"x lost", "no end"),
        ] {
            let error = text.parse::<Fault>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = text.parse::<Fault>();
        }

        #[test]
        fn names_and_texts_come_back(vm in ".{1,20}", text in ".{1,40}", code in any::<u32>()) {
            let fault = Fault::new(FaultPoint::Any, Effect::JobFails { code, text }).of_vm(&vm);
            prop_assert_eq!(fault.to_string().parse::<Fault>(), Ok(fault));
        }
    }
}
