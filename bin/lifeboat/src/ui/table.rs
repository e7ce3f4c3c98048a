//! A table for people: columns that line up; or, with `--plain`, fields between tabs.

use super::escaped::in_one_line;

/// How a column lines up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A table that is printed when all its rows are known.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        let cells = cells.iter().map(|cell| in_one_line(cell).into_owned());
        self.rows.push(cells.collect());
    }

    /// Returns lines with aligned columns, a heading first.
    pub(crate) fn aligned(&self) -> Vec<String> {
        let heading: Vec<String> = self.columns.iter().map(|c| c.0.to_owned()).collect();
        let rows = || std::iter::once(&heading).chain(&self.rows);
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                let cells = rows().filter_map(|row| row.get(column));
                cells.map(|cell| width(cell)).max().unwrap_or(0)
            })
            .collect();
        rows().map(|row| self.line(row, &widths)).collect()
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let cells: Vec<String> = row
            .iter()
            .zip(&self.columns)
            .zip(widths)
            .map(|((cell, (_, align)), column_width)| {
                let space = " ".repeat(column_width.saturating_sub(width(cell)));
                match align {
                    Align::Left => format!("{cell}{space}"),
                    Align::Right => format!("{space}{cell}"),
                }
            })
            .collect();
        cells.join("  ").trim_end().to_owned()
    }

    /// Returns lines with tabs between the fields and no heading.
    pub(crate) fn plain(&self) -> Vec<String> {
        self.rows.iter().map(|row| row.join("\t")).collect()
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&[("NAME", Align::Left), ("SIZE", Align::Right)]);
        table.row(vec!["Web".into(), "1 MiB".into()]);
        table.row(vec!["Zürich".into(), "100 MiB".into()]);
        assert_eq!(
            table.aligned(),
            ["NAME       SIZE", "Web       1 MiB", "Zürich  100 MiB"]
        );
        assert_eq!(table.plain(), ["Web\t1 MiB", "Zürich\t100 MiB"]);
    }
}
