//! Any range out of whole sectors.

use block_io::DiskError;

/// Fills a buffer from an offset on by reading whole sectors: where they are wholly asked for into the
/// buffer itself, at its edges beside it.
pub(crate) fn read(
    sector_bytes: u32,
    offset: u64,
    buf: &mut [u8],
    mut sectors: impl FnMut(u64, &mut [u8]) -> Result<(), DiskError>,
) -> Result<(), DiskError> {
    let sector = u64::from(sector_bytes.max(1));
    let sector_len = usize::try_from(sector).unwrap_or(usize::MAX);
    let (mut at, mut rest) = (offset, buf);
    while !rest.is_empty() {
        let within = at % sector;
        if within == 0 && rest.len() >= sector_len {
            let whole = rest.len() / sector_len * sector_len;
            let (part, tail) = rest.split_at_mut(whole);
            sectors(at, part)?;
            at += whole as u64;
            rest = tail;
            continue;
        }
        let mut one = vec![0; sector_len];
        sectors(at - within, &mut one)?;
        let found = one.get(usize::try_from(within).unwrap_or(usize::MAX)..);
        let found = found.unwrap_or(&[]);
        let len = found.len().min(rest.len());
        let (part, tail) = rest.split_at_mut(len);
        part.copy_from_slice(found.get(..len).unwrap_or(&[]));
        at += len as u64;
        rest = tail;
    }
    Ok(())
}
