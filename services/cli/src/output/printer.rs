//! `Printer`: writes results to standard output.

use std::io::{self, IsTerminal as _, Write};

use serde::Serialize;

use super::format::Format;
use super::show::Show;
use crate::failure::{Exit, Failure};

const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";
const BETWEEN_COLUMNS: &str = "  ";

/// Where results go, and how.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    format: Format,
    has_colors: bool,
}

impl Printer {
    #[must_use]
    pub fn new(format: Format) -> Printer {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Printer { format, has_colors: !unwanted && io::stdout().is_terminal() }
    }

    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Writes several results: an array, a line each, or a table with a head.
    pub fn list<T: Show>(&self, items: &[T]) -> Result<(), Failure> {
        self.write(|out| match self.format {
            Format::Table => {
                let rows: Vec<Vec<String>> = items.iter().map(Show::cells).collect();
                table(out, T::columns(), &rows, self.has_colors)
            }
            Format::Json => json_line(out, &items),
            Format::Ndjson => items.iter().try_for_each(|item| json_line(out, item)),
        })
    }

    /// Writes one result: an object, or its fields below each other.
    pub fn one<T: Show>(&self, item: &T) -> Result<(), Failure> {
        self.write(|out| match self.format {
            Format::Table => {
                let rows = T::columns().iter().zip(item.cells());
                let rows = rows.map(|(column, cell)| vec![column.to_lowercase(), cell]);
                table(out, &[], &rows.collect::<Vec<_>>(), self.has_colors)
            }
            Format::Json | Format::Ndjson => json_line(out, item),
        })
    }

    /// Writes text that is the same in every format.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        self.write(|out| out.write_all(text.as_bytes()))
    }

    fn write(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        let written = write(&mut out).and_then(|()| out.flush());
        match written {
            // Whoever read us has seen enough.
            Err(error) if is_broken_pipe(&error) => Ok(()),
            Err(error) => Err(Failure::new(Exit::Failed, format!("write to standard output: {error}"))),
            Ok(()) => Ok(()),
        }
    }
}

pub(crate) fn is_broken_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

fn json_line(out: &mut dyn Write, value: &(impl Serialize + ?Sized)) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// Columns as wide as their widest cell; the last one is left as it is.
fn table(out: &mut dyn Write, columns: &[&str], rows: &[Vec<String>], has_colors: bool) -> io::Result<()> {
    let mut widths: Vec<usize> = columns.iter().map(|column| column.chars().count()).collect();
    for row in rows {
        for (index, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(index) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    if !columns.is_empty() {
        let head: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
        let line = aligned(&head, &widths);
        if has_colors {
            writeln!(out, "{BOLD}{line}{PLAIN}")?;
        } else {
            writeln!(out, "{line}")?;
        }
    }
    rows.iter().try_for_each(|row| writeln!(out, "{}", aligned(row, &widths)))
}

fn aligned(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths) {
        if !line.is_empty() {
            line.push_str(BETWEEN_COLUMNS);
        }
        line.push_str(cell);
        line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count())));
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up_and_end_without_blanks() {
        let mut out = Vec::new();
        let rows = vec![vec!["a".to_owned(), "long".to_owned()], vec!["größer".to_owned(), String::new()]];

        table(&mut out, &["ID", "NAME"], &rows, false).expect("memory takes it");

        assert_eq!(String::from_utf8(out).expect("text"), "ID      NAME\na       long\ngrößer\n");
    }
}
