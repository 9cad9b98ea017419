//! `aquifer completion`: the script that makes a shell complete our commands.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::failure::Failure;
use crate::output::{Format, OutputArguments, Printer};

#[derive(Debug, Args)]
pub struct CompletionArguments {
    /// The shell that is to complete
    #[arg(value_enum)]
    shell: Shell,
    #[command(flatten)]
    output: OutputArguments,
}

/// Writes the script for the whole command tree.
pub(crate) fn run(arguments: &CompletionArguments, mut tree: Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    let name = tree.get_name().to_owned();
    clap_complete::generate(arguments.shell, &mut tree, name, &mut script);
    let script = String::from_utf8_lossy(&script);
    match arguments.output.format() {
        Format::Table => Printer::new(Format::Table).text(&script),
        format => Printer::new(format).text(&format!("{}\n", serde_json::json!({ "script": script }))),
    }
}
