//! The texts that the view makes up.

use crate::ViewError;
use crate::guest_thread::{Desk, GuestThread};
use crate::point_text::{shown, state};
use crate::view::{FileView, not_found};

impl FileView {
    pub(crate) fn point_text(&self, point: u32) -> Result<String, ViewError> {
        let open = self.points.get(point)?;
        let states = match open.states.get() {
            Some(states) => states,
            None => {
                let states = open.ask(|desk| states(desk))?;
                open.states.get_or_init(|| states)
            }
        };
        Ok(open.about.text(states))
    }

    pub(crate) fn volume_text(&self, point: u32, volume: u32) -> Result<String, ViewError> {
        let open = self.points.get(point)?;
        let why = open.ask(move |desk| desk.guest.open(volume).err().map(|why| why.to_string()))?;
        let why = why.ok_or_else(not_found)?;
        Ok(why_it_is_empty(&open, volume, &why))
    }
}

fn states(desk: &Desk<'_>) -> Vec<String> {
    let volumes = (0..).zip(&desk.guest.facts().volumes);
    volumes
        .map(|(number, volume)| state(desk.guest, number, volume))
        .collect()
}

fn why_it_is_empty(open: &GuestThread, volume: u32, why: &str) -> String {
    let what = open.volume(volume).map(|facts| {
        let name = shown(&facts.name);
        format!(
            "/{name} ({}, {} MiB)",
            facts.content.name(),
            facts.size_bytes >> 20
        )
    });
    format!(
        "The files of volume {} cannot be shown:\n\n{}\n",
        what.unwrap_or_default(),
        shown(why)
    )
}
