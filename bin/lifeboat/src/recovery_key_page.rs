//! The recovery key on paper: a page to print, and what a terminal shows.

use jiff::Timestamp;
use qrcode::types::QrError;
use qrcode::{Color, EcLevel, QrCode};
use repository::RecoveryKey;
use zeroize::Zeroizing;

use crate::cli_error::CliError;
use crate::exit_code::ExitCode;

/// Modules of white around a QR code, without which readers do not find it.
const QUIET_MODULES: usize = 4;
/// Side of a module on the page in millimetres.
const MODULE_MM: usize = 2;

/// What the page says besides the key.
pub(crate) struct PageFacts<'a> {
    pub(crate) repository_id: &'a str,
    /// Where the repository lies.
    pub(crate) location: &'a str,
    pub(crate) printed: Timestamp,
}

fn no_code(error: QrError) -> CliError {
    let message = format!("the key does not fit a QR code: {error}");
    CliError::new(ExitCode::Failed, "qr-code", message)
}

/// A square of modules, true for black, with the white around them.
struct Modules {
    side: usize,
    black: Zeroizing<Vec<bool>>,
}

impl Modules {
    fn of(text: &str) -> Result<Self, CliError> {
        // A quarter of the code may be stained or folded.
        let code = QrCode::with_error_correction_level(text, EcLevel::Q).map_err(no_code)?;
        let inner = code.width();
        let side = inner + 2 * QUIET_MODULES;
        let mut black = Zeroizing::new(vec![false; side * side]);
        for (number, color) in code.to_colors().into_iter().enumerate() {
            let (row, column) = (
                number / inner + QUIET_MODULES,
                number % inner + QUIET_MODULES,
            );
            black[row * side + column] = color == Color::Dark;
        }
        Ok(Self { side, black })
    }

    fn is_black(&self, row: usize, column: usize) -> bool {
        let inside = row < self.side && column < self.side;
        inside && self.black[row * self.side + column]
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Returns an A4 page as SVG: the QR code, the key in letters beneath, and what it belongs to.
pub(crate) fn svg(key: &RecoveryKey, facts: &PageFacts<'_>) -> Result<Zeroizing<String>, CliError> {
    let text = Zeroizing::new(key.to_text());
    let modules = Modules::of(&text)?;
    let side_mm = modules.side * MODULE_MM;
    let (left, top) = ((210 - side_mm.min(210)) / 2, 60);
    // Room for the whole page at once: a string that grows leaves copies of the key behind.
    let mut page = Zeroizing::new(String::with_capacity(256 << 10));
    page.push_str(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"210mm\" height=\"297mm\" \
         viewBox=\"0 0 210 297\">\n<rect width=\"210\" height=\"297\" fill=\"#fff\"/>\n\
         <g font-family=\"sans-serif\" text-anchor=\"middle\" fill=\"#000\">\n",
    );
    let mut line = |y: usize, size: usize, text: &str| {
        page.push_str(&format!(
            "<text x=\"105\" y=\"{y}\" font-size=\"{size}\">{}</text>\n",
            escaped(text)
        ));
    };
    line(25, 9, "Recovery key of a Lifeboat repository");
    line(36, 5, &format!("Repository {}", facts.repository_id));
    line(44, 5, facts.location);
    line(
        52,
        5,
        &format!("Printed {}", facts.printed.strftime("%Y-%m-%d %H:%M UTC")),
    );
    // Five groups to a line, and LB1 on the first.
    let groups: Vec<&str> = text.split('-').collect();
    for (number, groups) in groups.chunks(5).enumerate() {
        let text = Zeroizing::new(groups.join("-"));
        page.push_str(&format!(
            "<text x=\"105\" y=\"{}\" font-size=\"9\" font-family=\"monospace\">{}</text>\n",
            top + side_mm + 14 + 12 * number,
            *text
        ));
    }
    let mut line = |y: usize, text: &str| {
        let y = top + side_mm + 62 + y;
        page.push_str(&format!(
            "<text x=\"105\" y=\"{y}\" font-size=\"4.5\">{text}</text>\n"
        ));
    };
    line(
        0,
        "Whoever has this page and the repository can read and remove the backups.",
    );
    line(
        7,
        "Keep it in a safe place, away from the repository. Type the key with its dashes into a",
    );
    line(
        14,
        "text file, and name that file in LIFEBOAT_RECOVERY_KEY_FILE.",
    );
    page.push_str("</g>\n<path fill=\"#000\" shape-rendering=\"crispEdges\" d=\"");
    for row in 0..modules.side {
        for column in (0..modules.side).filter(|column| modules.is_black(row, *column)) {
            let (x, y) = (left + column * MODULE_MM, top + row * MODULE_MM);
            page.push_str(&format!("M{x} {y}h{MODULE_MM}v{MODULE_MM}h-{MODULE_MM}z"));
        }
    }
    page.push_str("\"/>\n</svg>\n");
    Ok(page)
}

/// Returns the QR code for a terminal, two rows of modules to a line, black on white.
pub(crate) fn terminal(key: &RecoveryKey) -> Result<Zeroizing<String>, CliError> {
    let modules = Modules::of(&Zeroizing::new(key.to_text()))?;
    let mut lines = Zeroizing::new(String::with_capacity(32 << 10));
    for row in (0..modules.side).step_by(2) {
        // White is what is drawn: a dark terminal shows black where nothing is.
        lines.push_str("\u{1b}[97;40m");
        for column in 0..modules.side {
            let upper = !modules.is_black(row, column);
            let lower = !modules.is_black(row + 1, column);
            lines.push(match (upper, lower) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        lines.push_str("\u{1b}[0m\n");
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a QR code from black modules with a decoder that shares no code with the encoder.
    fn decoded(black: &dyn Fn(usize, usize) -> bool, side: usize) -> String {
        const PIXELS: usize = 4;
        let pixel = |x, y| {
            if black(y / PIXELS, x / PIXELS) {
                0
            } else {
                255
            }
        };
        let side = side * PIXELS;
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, pixel);
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1);
        grids[0].decode().unwrap().1
    }

    fn facts() -> PageFacts<'static> {
        PageFacts {
            repository_id: "0123456789abcdef0123456789abcdef",
            location: "/backup/<R&D> \"x\"",
            printed: "2026-05-01T10:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn the_page_decodes_to_the_key_and_says_what_it_belongs_to() {
        for _ in 0..8 {
            let key = RecoveryKey::generate().unwrap();
            let page = svg(&key, &facts()).unwrap();
            // Each square of the path, drawn at one pixel for each module.
            let path = page
                .split(" d=\"")
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap();
            let squares: std::collections::HashSet<(usize, usize)> = path
                .split('M')
                .skip(1)
                .map(|square| {
                    let (x, rest) = square.split_once(' ').unwrap();
                    let (y, rest) = rest.split_once('h').unwrap();
                    assert_eq!(rest, "2v2h-2z");
                    (
                        y.parse::<usize>().unwrap() / 2,
                        x.parse::<usize>().unwrap() / 2,
                    )
                })
                .collect();
            let text = decoded(&|row, column| squares.contains(&(row, column)), 150);
            assert_eq!(text, key.to_text());
            assert_eq!(RecoveryKey::parse(&text).unwrap().to_text(), key.to_text());
            // Beneath, in letters.
            let letters: Vec<&str> = page
                .lines()
                .filter(|line| line.contains("monospace"))
                .map(|line| line.split('>').nth(1).unwrap().split('<').next().unwrap())
                .collect();
            assert_eq!(letters.join("-"), key.to_text());
            assert!(page.contains("0123456789abcdef0123456789abcdef"));
            assert!(page.contains("2026-05-01 10:00 UTC"));
            assert!(page.contains("/backup/&lt;R&amp;D&gt; &quot;x&quot;"));
            assert!(
                page.capacity() == 256 << 10,
                "the page was copied while it grew"
            );
        }
    }

    #[test]
    fn the_terminal_shows_the_same() {
        let key = RecoveryKey::generate().unwrap();
        let shown = terminal(&key).unwrap();
        let rows: Vec<Vec<(bool, bool)>> = shown
            .lines()
            .map(|line| {
                line.trim_start_matches("\u{1b}[97;40m")
                    .trim_end_matches("\u{1b}[0m")
            })
            .map(|line| {
                let halves = |c| match c {
                    '█' => (false, false),
                    '▀' => (false, true),
                    '▄' => (true, false),
                    _ => (true, true),
                };
                line.chars().map(halves).collect()
            })
            .collect();
        let side = rows[0].len();
        let black = |row: usize, column: usize| {
            let halves = rows.get(row / 2).and_then(|line| line.get(column));
            halves.is_some_and(|(upper, lower)| {
                if row.is_multiple_of(2) {
                    *upper
                } else {
                    *lower
                }
            })
        };
        assert_eq!(decoded(&black, side), key.to_text());
    }
}
