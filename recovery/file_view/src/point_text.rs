//! What a point's text says.

use std::fmt::Write as _;

use file_restore::OwnNames;
use guest_files::{GuestFileSystem, State};
use guest_reader::{DisksFacts, Guest, VolumeFacts};
use jiff::tz::TimeZone;

use crate::ViewPoint;

/// What is known of an open point.
pub(crate) struct PointAbout {
    point: ViewPoint,
    pub(crate) facts: DisksFacts,
    names: OwnNames,
}

impl PointAbout {
    pub(crate) fn new(point: ViewPoint, facts: DisksFacts, names: OwnNames) -> Self {
        Self {
            point,
            facts,
            names,
        }
    }

    /// Writes the text, for which all volumes' states are needed, in the order of the volumes.
    pub(crate) fn text(&self, states: &[String]) -> String {
        let mut text = String::new();
        // Writing into a text does not fail.
        let _ = self.write(&mut text, states);
        text
    }

    fn write(&self, text: &mut String, states: &[String]) -> std::fmt::Result {
        let time = self.point.started.to_zoned(TimeZone::system());
        let time = time.strftime("%Y-%m-%d %H:%M:%S %z");
        writeln!(
            text,
            "The files of a virtual machine, as a backup has them."
        )?;
        writeln!(
            text,
            "Nothing here can be changed; copy out what you need.\n"
        )?;
        writeln!(text, "Virtual machine  {}", shown(&self.point.vm_name))?;
        writeln!(text, "Restore point    {}", self.point.id)?;
        writeln!(text, "Time             {time}")?;
        writeln!(text, "Consistency      {}", shown(&self.point.consistency))?;
        if let Some(checkpoint) = &self.point.checkpoint {
            writeln!(text, "Checkpoint       {}", shown(checkpoint))?;
        }
        writeln!(text, "\nVolumes")?;
        for ((number, volume), state) in (0..).zip(&self.facts.volumes).zip(states) {
            writeln!(text, "  {}", self.volume(number, volume))?;
            writeln!(text, "      {}", shown(state))?;
        }
        if self.facts.volumes.is_empty() {
            writeln!(text, "  none was found on the disks")?;
        }
        let notes = (0..)
            .zip(&self.facts.notes)
            .flat_map(|(disk, notes): (u32, _)| {
                notes.iter().map(move |note| format!("disk {disk}: {note}"))
            });
        let notes: Vec<String> = notes.chain(self.names.notes.iter().cloned()).collect();
        if !notes.is_empty() {
            writeln!(text, "\nNotes")?;
        }
        for note in notes {
            writeln!(text, "  {}", shown(&note))?;
        }
        Ok(())
    }

    fn volume(&self, number: u32, volume: &VolumeFacts) -> String {
        let mut words = vec![format!("/{}", shown(&volume.name))];
        words.push(volume.content.name().to_owned());
        if !volume.label.is_empty() {
            words.push(format!("\"{}\"", shown(&volume.label)));
        }
        words.push(format!("{} MiB", volume.size_bytes >> 20));
        let letters = self.names.letters.iter();
        let letters = letters.filter(|(_, of)| **of == number);
        words.extend(letters.map(|(letter, _)| format!("known as {letter}:")));
        let mounted = self.names.mounted.iter().filter(|(_, of)| *of == number);
        words.extend(mounted.map(|(path, _)| format!("known as {}", shown(path))));
        words.join("  ")
    }
}

/// Says in which state a volume is, or why it cannot be read.
pub(crate) fn state(guest: &dyn Guest, number: u32, volume: &VolumeFacts) -> String {
    if !volume.used_by.is_empty() {
        return format!("part of {}", volume.used_by.join(", "));
    }
    match guest.open(number) {
        Ok(system) => state_of(system),
        Err(error) => format!("cannot be read: {error}"),
    }
}

fn state_of(system: &dyn GuestFileSystem) -> String {
    match &system.about().state {
        State::Clean => "left in order".to_owned(),
        State::Replayed => "its journal was replayed in memory: this is its last state".to_owned(),
        State::Behind(why) => format!("may be older than what the guest wrote last: {why}"),
    }
}

/// Takes control characters out of what a guest or a host wrote.
pub(crate) fn shown(text: &str) -> String {
    let letters = text.chars();
    let shown = letters.map(|letter| if letter.is_control() { '?' } else { letter });
    shown.collect()
}
