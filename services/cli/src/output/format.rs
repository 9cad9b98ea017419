//! `Format`: what `-o` takes.

use clap::{Args, ValueEnum};

/// How results and errors are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns for people
    #[default]
    Table,
    /// One JSON document
    Json,
    /// One JSON object a line
    Ndjson,
}

/// What every command takes.
#[derive(Clone, Copy, Debug, Args)]
pub struct OutputArguments {
    /// How to write results and errors; a table if absent
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
}

impl OutputArguments {
    #[must_use]
    pub fn format(self) -> Format {
        self.output.unwrap_or_default()
    }
}

impl Format {
    /// What the arguments ask for, also where they are wrong otherwise, so that the error comes in that way too.
    #[must_use]
    pub fn of_arguments(arguments: impl IntoIterator<Item = String>) -> Format {
        let mut arguments = arguments.into_iter();
        let mut found = Format::Table;
        while let Some(argument) = arguments.next() {
            let value = match argument.as_str() {
                "--" => break,
                "-o" | "--output" => arguments.next(),
                other => other
                    .strip_prefix("--output=")
                    .or_else(|| other.strip_prefix("-o="))
                    .or_else(|| other.strip_prefix("-o"))
                    .map(str::to_owned),
            };
            if let Some(format) = value.and_then(|value| Format::from_str(&value, false).ok()) {
                found = format;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_of_errors_is_found_in_arguments_that_do_not_parse() {
        for (arguments, format) in [
            (&["topic", "lost", "-o", "json"][..], Format::Json),
            (&["-o=ndjson"], Format::Ndjson),
            (&["-ojson"], Format::Json),
            (&["--output=json"], Format::Json),
            (&["--output", "wrong"], Format::Table),
            (&["--", "-o", "json"], Format::Table),
            (&[], Format::Table),
        ] {
            let found = Format::of_arguments(arguments.iter().map(|argument| (*argument).to_owned()));
            assert_eq!(found, format, "{arguments:?}");
        }
    }
}
