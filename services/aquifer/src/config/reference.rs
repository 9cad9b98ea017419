//! The reference that `aquifer config default` prints: every key with its default and what it does, itself a configuration.

use std::fmt::Write as _;

use super::key::{KEYS, Key, Otherwise};

const HEAD: &str = "\
# The configuration of `aquifer server`. A value is taken from a flag (--set KEY=VALUE), else from the environment
# (AQUIFER__TABLE__KEY, AQUIFER__LISTENERS__0__BIND), else from this file, else it is the default shown here.
# All of it is read at start; certificates also when they change. A line that starts with '#' has no default.
";

/// The reference, as TOML.
pub(crate) fn text() -> String {
    let mut out = HEAD.to_owned();
    let mut table = "";
    for key in KEYS {
        let (of, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        if of != table {
            table = of;
            match of.strip_suffix(".N") {
                Some(list) => {
                    let _ = write!(out, "\n# One table for each.\n[[{list}]]\n");
                }
                None => {
                    let _ = write!(out, "\n[{of}]\n");
                }
            }
        } else {
            out.push('\n');
        }
        describe(&mut out, key, name);
    }
    out
}

fn describe(out: &mut String, key: &Key, name: &str) {
    let (mark, value, must) = match key.otherwise {
        Otherwise::Required(example) => ("", example, " Must be set."),
        Otherwise::Unset(example) => ("# ", example, ""),
        Otherwise::Is(value) => ("", value, ""),
    };
    let _ = write!(
        out,
        "# {}{must}\n# {}.\n{mark}{name} = {value}\n",
        key.note,
        capitalised(&key.kind.allowed())
    );
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
